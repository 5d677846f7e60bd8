import type { BillLine } from "../../../core/bill.ts";
import type { Duration } from "../../../core/duration.ts";
import type { Lifetime } from "../../../core/lifetime.ts";
import type { FleetPower, PowerSchedule } from "../../../core/schedule.ts";
import type { Size } from "../../../core/size.ts";
import type { HdfsArgs, HdfsPlan } from "../../common/services/hdfs.ts";
import type { Scheduler } from "../../common/services/scheduler.ts";
import type { GpuModel } from "./gpu.ts";
import type { UserKey } from "./keys.ts";

/** The shortest and the longest deadline of a fleet. It takes some minutes to start. */
export const FLEET_DEADLINES = ["30 minutes", "30 days"] as const;

/** What happens where there are no spot instances. */
export const FleetFallback = {
  /** On-demand ones are rented instead. */
  onDemand: "on-demand",
  /** The fleet goes on with the workers that it has, and asks again. */
  fewer: "fewer",
} as const;
export type FleetFallback = (typeof FleetFallback)[keyof typeof FleetFallback];

export interface FleetSpot {
  /** What is to happen when there are none. */
  readonly fallback: FleetFallback;
  /** How many of the workers are on demand in any case. @default 0 */
  readonly onDemand?: number;
  /** How long to wait for spot instances before the fallback, "5 minutes" to "1 day". @default "10 minutes" */
  readonly wait?: Duration;
}

export interface FleetWorkers {
  /** How many machines. @default 2 */
  readonly count?: number;
  /** Instance types that will do, the best first; all of x86_64. @default the two cheapest for each model of `gpu` */
  readonly types?: readonly string[];
  /** Rent them as spot instances. @default on demand */
  readonly spot?: FleetSpot;
}

export interface FleetHdfs extends HdfsArgs {
  /** How many data nodes. @default 3 */
  readonly datanodes?: number;
  /** Disk for the blocks of each data node. @default "64 GB" */
  readonly disk?: Size;
}

/** What is known of a fleet before anything of it is made. */
export interface FleetPlanArgs {
  /** When it ends whatever happens, and after how long without work it gives its workers back. */
  readonly lifetime: Lifetime;
  /** Models of GPU that workers may have, such as "L4" or "L4,A10G"; workers alone have any. @default "none" */
  readonly gpu?: string;
  /** The machines that compute, and keep nothing. */
  readonly workers?: FleetWorkers;
  /** HDFS, on machines of its own. */
  readonly hdfs?: FleetHdfs;
  /** Instance type of the namenode and the data nodes, which are on demand. @default "m6i.large" */
  readonly nodes?: string;
  /** What shares the workers out among applications: "standalone", which is Spark's own master, or "yarn". @default "standalone" */
  readonly scheduler?: string;
  /** "any": workers come one by one, as there is room; "gang": all of them, or none stay. @default "any" */
  readonly capacity?: string;
  /** How long a gang may take to be whole before all of it is given back, "5 minutes" to "1 day". @default "10 minutes" */
  readonly gangWait?: Duration;
  /**
   * "on", "off", or by the clock. Off keeps the disks and what is in HDFS; the reaper sees to it, within minutes. By the clock all
   * comes and goes at those moments alone: who wakes it in between has it until it is idle, or until the next. @default "on"
   */
  readonly power?: string | PowerSchedule;
  /** How long after the workers went for want of work the other machines are stopped, their disks kept. @default they go on */
  readonly idleOff?: Duration;
  /** Whether there is JupyterLab. @default true */
  readonly notebook?: boolean;
  /** Whether the head has a page that scores network flows with the newest model of job nids. @default false */
  readonly app?: boolean;
  /** Absolute path of a folder with a public key per user, `<user>.pub`. @default nobody */
  readonly users?: string;
  /** In how many zones there are subnets. @default 2 */
  readonly zones?: number;
  /** Region that the bill is for. @default setting `aws:region`, else AWS_REGION */
  readonly region?: string;
}

/** What a fleet comes to. */
export interface FleetPlan {
  readonly region: string;
  readonly scheduler: Scheduler;
  readonly gpu: readonly GpuModel[];
  readonly nodes: string;
  readonly hdfs: HdfsPlan & { readonly diskGibibytes: number };
  readonly workers: {
    readonly count: number;
    readonly types: readonly string[];
    readonly spot?: { readonly fallback: FleetFallback; readonly onDemand: number; readonly waitMinutes: number };
  };
  /** How long a gang may take to be whole; undefined for workers that come one by one. */
  readonly gangMinutes: number | undefined;
  readonly notebook: boolean;
  readonly app: boolean;
  readonly users: readonly UserKey[];
  readonly zones: number;
  readonly deadlineSeconds: number;
  readonly idleSeconds: number;
  readonly idleOffSeconds: number | undefined;
  readonly power: FleetPower;
  readonly bill: readonly BillLine[];
  /** What is allowed and may be regretted. */
  readonly warnings: readonly string[];
}
