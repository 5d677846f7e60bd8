import { availableParallelism } from "node:os";
import { firstPort, wholeNumber } from "../../../core/checks.ts";
import { invalid } from "../../../core/errors.ts";
import type { Job } from "../../../core/job.ts";
import { mebibytes, type Size } from "../../../core/size.ts";
import { FEED_TOKEN, feedsPage } from "../../common/feed.ts";
import { type KafkaArgs, type KafkaPlan, kafkaPlan } from "../../common/services/kafka.ts";
import type { Transform } from "../../common/transform.ts";
import type { LocalLake } from "../lake.ts";
import type { ProcessArgs } from "../process.ts";
import { portsOf } from "../processes.ts";
import { type LocalRunArgs, type RunArgs, runPlan } from "../run.ts";

export interface LocalPipelineArgs extends LocalRunArgs {
  /** Where the results go. */
  readonly lake: LocalLake;
  /** The broker: its topics, and what it keeps of them. */
  readonly kafka: KafkaArgs;
  /**
   * Options of what sends records to the broker, as `produceOptions` of `pulumi-oneoff/jobs` makes them.
   * @default nothing is sent: it is somebody else's producer that does
   */
  readonly producer?: readonly string[];
  /** Cores that Spark uses. @default 2, or all of this machine where it has fewer */
  readonly cores?: number;
  /** Memory of Spark's Java virtual machine; Python comes on top. @default "1 GB" */
  readonly memory?: Size;
  /** First of the ports on 127.0.0.1: the broker's. @default 8766 */
  readonly port?: number;
  /** Changes a child just before it is made. */
  readonly transform?: { readonly process?: Transform<ProcessArgs>; readonly run?: Transform<RunArgs> };
}

/** What is known of a pipeline before there is a lake. */
export type PipelinePlanArgs = Omit<LocalPipelineArgs, "job" | "lake"> & { readonly job: Job };

export interface PipelinePlan {
  readonly run: ReturnType<typeof runPlan>;
  readonly kafka: KafkaPlan;
  readonly cores: number;
  readonly memoryMebibytes: number;
  readonly port: number;
  /** Whether a step sends rows to the page: then the pipeline makes the secret for it. */
  readonly feedsPage: boolean;
}

export const PORT = 8766;
const CORES = 2;

/** Below this Spark refuses to start: it keeps 300 MiB, and wants that half as much again is there. */
const LEAST_MEBIBYTES = 512;

function memoryOf(memory: Size): number {
  const given = mebibytes(memory, "memory");
  if (given >= LEAST_MEBIBYTES) return given;
  throw invalid("memory", memory, `expected at least "${LEAST_MEBIBYTES} MB", without which Spark doesn't start`);
}

/** The arguments, checked and with their defaults. @throws UsageError. */
export function pipelinePlan(args: PipelinePlanArgs): PipelinePlan {
  const feeds = feedsPage(args.job);
  return {
    run: runPlan({ ...args, secrets: { ...args.secrets, ...(feeds && { [FEED_TOKEN]: "" }) } }),
    feedsPage: feeds,
    kafka: kafkaPlan(args.kafka),
    cores: wholeNumber("cores", args.cores ?? Math.min(CORES, availableParallelism())),
    memoryMebibytes: memoryOf(args.memory ?? "1 GB"),
    port: firstPort("port", args.port ?? PORT, portsOf(1)),
  };
}
