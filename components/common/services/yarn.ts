import type { Service } from "../../../core/service.ts";
import { executorConf, executorHeap, type SparkWorkers } from "./spark.ts";

/** Memory limit in MiB of a daemon, and its Java heap. */
const MEMORY_MEBIBYTES = 448;
const HEAP = "256m";

/**
 * An application's master, which asks YARN for executors while the driver runs elsewhere: MiB of its heap, and of what it takes
 * beside. Each node has room for one and a core, so that executors get all that is said to be a worker's.
 */
const MASTER_HEAP_MEBIBYTES = 256;
const MASTER_REST_MEBIBYTES = 192;
export const MASTER_MEBIBYTES = MASTER_HEAP_MEBIBYTES + MASTER_REST_MEBIBYTES;

/** Where Spark's jars are said to be; a node puts in the folder that it has them in. */
const ANYWHERE = "/spark";

export interface YarnServices<Text> {
  readonly manager: Service<Text | string>;
  readonly node: Service<Text | string>;
}

/**
 * YARN: a resource manager, and a node manager for each worker.
 *
 * @param image one whose /opt/oneoff is assets/yarn.
 */
export function yarnServices<Text>(workers: SparkWorkers, image: Text): YarnServices<Text> {
  const common = { image, env: { HADOOP_HEAP: HEAP }, disks: ["/data"] };
  const node = workers.memoryMebibytes + MASTER_MEBIBYTES;
  return {
    manager: {
      ...common,
      name: "resourcemanager",
      command: ["resourcemanager"],
      memoryMebibytes: MEMORY_MEBIBYTES,
      listens: { rpc: 8032, scheduler: 8030, tracker: 8031, http: 8088 },
      pages: [{ name: "yarn", listen: "http" }],
      health: ["/opt/oneoff/healthy", "resourcemanager"],
    },
    node: {
      ...common,
      name: "nodemanager",
      command: ["nodemanager"],
      replicas: workers.count,
      memoryMebibytes: MEMORY_MEBIBYTES + node,
      env: { ...common.env, YARN_NODE_CORES: String(workers.cores + 1), YARN_NODE_MEBIBYTES: String(node) },
      listens: { http: 8042 },
      health: ["/opt/oneoff/healthy", "nodemanager"],
    },
  };
}

/** Where YARN and HDFS are to a driver, "HOST:PORT" each. */
export interface YarnPlaces {
  /** What takes applications. */
  readonly manager: string;
  /** What their masters ask for executors. */
  readonly scheduler: string;
  /** The resource manager's page. */
  readonly http: string;
  readonly namenode: string;
  /** The history server's page. */
  readonly history: string;
}

/**
 * Spark's properties for a driver on YARN, but for how many executors it takes: those of a worker each, with room for Python
 * beside the heap.
 *
 * @param gpus absolute path of assets/yarn/gpus where nodes have GPUs; an application has none of them until it asks for some.
 */
export const yarnConf = (
  workers: SparkWorkers,
  places: YarnPlaces,
  gpus?: string,
): Readonly<Record<string, string>> => ({
  ...executorConf(workers),
  "spark.executor.memoryOverhead": `${workers.memoryMebibytes - executorHeap(workers)}m`,
  ...(gpus !== undefined && {
    "spark.executor.resource.gpu.amount": "0",
    "spark.executor.resource.gpu.discoveryScript": gpus,
  }),
  "spark.yarn.am.memory": `${MASTER_HEAP_MEBIBYTES}m`,
  "spark.yarn.am.memoryOverhead": `${MASTER_REST_MEBIBYTES}m`,
  "spark.yarn.jars": `local:${ANYWHERE}/jars/*`,
  "spark.yarn.config.gatewayPath": ANYWHERE,
  "spark.yarn.config.replacementPath": "{{SPARK_HOME}}",
  "spark.yarn.stagingDir": `hdfs://${places.namenode}/user`,
  "spark.yarn.historyServer.address": places.history,
  "spark.hadoop.yarn.resourcemanager.address": places.manager,
  "spark.hadoop.yarn.resourcemanager.scheduler.address": places.scheduler,
  "spark.hadoop.yarn.resourcemanager.webapp.address": places.http,
  // YARN has a proxy of its own.
  "spark.ui.reverseProxy": "false",
});
