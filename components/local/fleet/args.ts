import { firstPort } from "../../../core/checks.ts";
import { arg, invalid, quote, refusal } from "../../../core/errors.ts";
import type { Job } from "../../../core/job.ts";
import type { Size } from "../../../core/size.ts";
import { checkApp } from "../../common/services/app.ts";
import { type HdfsArgs, type HdfsPlan, hdfsPlan } from "../../common/services/hdfs.ts";
import { checkScheduler, type Scheduler } from "../../common/services/scheduler.ts";
import { type SparkWorkers, sparkMemory, type WorkersArgs, workersPlan } from "../../common/services/spark.ts";
import type { Transform } from "../../common/transform.ts";
import type { LocalLake } from "../lake.ts";
import type { ProcessArgs } from "../process.ts";
import { portsOf } from "../processes.ts";
import { type LocalRunArgs, type RunArgs, runPlan } from "../run.ts";

/** Whether workers offer Spark the GPUs of their machine. */
export const Gpu = { none: "none", all: "all" } as const;
export type Gpu = (typeof Gpu)[keyof typeof Gpu];

export interface LocalFleetArgs extends LocalRunArgs {
  /** Where the results go. */
  readonly lake: LocalLake;
  /**
   * HDFS, which all nodes share: three datanodes that keep two copies. Fewer datanodes than before are decommissioned first,
   * so that no block is lost.
   */
  readonly hdfs?: HdfsArgs;
  /** Spark's workers: two with a core each. */
  readonly workers?: WorkersArgs;
  /** Memory of the job's driver, Java and Python together. @default "1 GB" */
  readonly driverMemory?: Size;
  /**
   * "all": the workers share the GPUs that nvidia-smi lists out among them, an executor and so a task gets one of them. A change
   * starts the workers anew, and nothing else. @default "none"
   */
  readonly gpu?: Gpu;
  /**
   * What shares the workers out among applications: "standalone", which is Spark's own master, or "yarn", which believes any name
   * as HDFS does, so that whoever reaches it runs programs as you. Another one starts all anew, HDFS over its disks. @default "standalone"
   */
  readonly scheduler?: Scheduler;
  /** Whether there is JupyterLab, with PySpark on the fleet. @default true */
  readonly notebook?: boolean;
  /** Whether there is a page that scores network flows with the newest model of job nids. @default false */
  readonly app?: boolean;
  /** First of the ports on 127.0.0.1; see the page of the stack for those that are used. @default 8766 */
  readonly port?: number;
  /** Changes a child just before it is made. */
  readonly transform?: { readonly process?: Transform<ProcessArgs>; readonly run?: Transform<RunArgs> };
}

/** What is known of a fleet before there is a lake: of that, where it will be. */
export type FleetPlanArgs = Omit<LocalFleetArgs, "job" | "lake"> & {
  readonly job: Job;
  readonly lake: Pick<LocalLake, "path">;
};

export interface FleetPlan {
  readonly run: ReturnType<typeof runPlan>;
  readonly hdfs: HdfsPlan;
  readonly workers: SparkWorkers;
  readonly driverMebibytes: number;
  readonly gpu: Gpu;
  readonly scheduler: Scheduler;
  readonly notebook: boolean;
  readonly app: boolean;
  readonly port: number;
}

const DATANODES = 3;
const WORKERS = 2;
/** Of datanodes, and of workers: more is a slip of the hand. */
const MOST = 64;

/** The arguments, checked and with their defaults. @throws UsageError. */
export function fleetPlan(args: FleetPlanArgs): FleetPlan {
  const hdfs = hdfsPlan({ datanodes: DATANODES, ...args.hdfs });
  const workers = workersPlan({ count: WORKERS, ...args.workers });
  checkMost("hdfs.datanodes", hdfs.datanodes);
  checkMost("workers.count", workers.count);
  checkFolder(args.lake.path);
  return {
    run: runPlan(args),
    hdfs,
    workers,
    driverMebibytes: sparkMemory(512, "driverMemory", args.driverMemory ?? "1 GB"),
    gpu: checkGpu(args.gpu ?? Gpu.none),
    scheduler: checkScheduler(args.scheduler ?? "standalone"),
    notebook: args.notebook ?? true,
    app: checkApp(args.job, args.app ?? false),
    port: firstPort("port", args.port ?? 8766, portsOf(Math.max(hdfs.datanodes, workers.count))),
  };
}

function checkMost(argument: string, count: number): void {
  if (count > MOST) throw invalid(argument, count, `expected at most ${MOST} on one machine`);
}

/** HDFS would take what stands before a comma for a folder of its own, and format it; Spark does so with a colon. */
function checkFolder(path: string): void {
  if (/[,:]/.test(path))
    throw invalid("lake", path, "expected a path without commas and colons, which part paths for HDFS and Spark");
}

function checkGpu(gpu: Gpu): Gpu {
  if (Object.values(Gpu).includes(gpu)) return gpu;
  throw refusal`${arg("gpu")} is ${quote(gpu)}: on a machine of your own it is "none", or "all" that it has`;
}
