import type * as pulumi from "@pulumi/pulumi";
import { arg, refusal } from "../../../core/errors.ts";
import type { Job } from "../../../core/job.ts";
import { FEED_TOKEN, feedsPage } from "../../common/feed.ts";
import { type KafkaArgs, type KafkaPlan, kafkaPlan } from "../../common/services/kafka.ts";
import { type FolderLake, type SwarmClusterArgs, type SwarmPlan, swarmPlan } from "../args.ts";

/** What it has of a cluster, as that has it. */
type Shared =
  | "job"
  | "lifetime"
  | "runId"
  | "driverMemory"
  | "secrets"
  | "reads"
  | "node"
  | "encrypted"
  | "user"
  | "registry"
  | "buildArgs"
  | "transform";

export interface PipelineKafka extends KafkaArgs {
  /** How many brokers. @default 1: there is no more yet */
  readonly brokers?: number;
}

export interface PipelineImages {
  /** Spark, the producer and the gateway. @default built from assets/images/spark */
  readonly spark?: pulumi.Input<string> | undefined;
  /** The broker. @default built from assets/images/kafka */
  readonly kafka?: pulumi.Input<string> | undefined;
  /** The page. @default built from assets/images/dashboard */
  readonly dashboard?: pulumi.Input<string> | undefined;
}

export interface StreamingPipelineArgs extends Pick<SwarmClusterArgs, Shared> {
  /** Where the results go, and how far the stream is: a folder of the node that `node` names. */
  readonly lake: FolderLake;
  /** The broker: its topics, and what it keeps of them, on the node that `node` names. */
  readonly kafka: PipelineKafka;
  /**
   * Options of what sends records to the broker, as `produceOptions` of `pulumi-oneoff/jobs` makes them. A CSV lies on the node
   * that `node` names.
   * @default nothing is sent: it is somebody else's producer that does
   */
  readonly producer?: readonly string[];
  /** Spark's workers. @default one of 2 cores and "2 GB" */
  readonly workers?: SwarmClusterArgs["workers"];
  /** First of the ports on 127.0.0.1: the page's, then those of Spark and its history. @default 8765 */
  readonly port?: number;
  readonly images?: PipelineImages;
}

/** The arguments, with the job. */
export type PipelinePlanArgs = StreamingPipelineArgs & { readonly job: Job };

/** The arguments with defaults filled in, checked. */
export interface PipelinePlan extends SwarmPlan {
  readonly kafka: KafkaPlan;
  /** Whether a step sends rows to the page: then the pipeline makes the secret for it. */
  readonly feedsPage: boolean;
}

/** The pages, in the order of their ports. */
export const PIPELINE_PAGES: readonly string[] = ["dashboard", "spark", "history"];

/** @throws UsageError for what Docker, Spark or Kafka would refuse later. */
export function pipelinePlan(args: PipelinePlanArgs): PipelinePlan {
  const { job, kafka, port = 8765, workers = { count: 1, cores: 2, memory: "2 GB" } } = args;
  const { brokers = 1 } = kafka;
  if (brokers !== 1) {
    throw refusal`${arg("brokers")} is ${brokers}: expected 1, as there can be no more brokers than that yet`;
  }
  const feeds = feedsPage(job);
  const secrets = { ...args.secrets, ...(feeds && { [FEED_TOKEN]: "" }) };
  const { images: _, ...own } = args;
  return {
    ...swarmPlan({ ...own, job, port, workers, secrets, hdfs: false, notebook: false, mongo: false }),
    kafka: kafkaPlan(kafka),
    feedsPage: feeds,
  };
}
