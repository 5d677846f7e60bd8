import { mebibytesFrom, wholeNumber } from "../../../core/checks.ts";
import type { Service, ServiceFile } from "../../../core/service.ts";
import type { Size } from "../../../core/size.ts";

/** Memory limit in MiB of what doesn't compute, and its Java heap. */
const MEMORY_MEBIBYTES = 320;
const HEAP = "192m";

export interface SparkWorkers {
  /** How many. */
  readonly count: number;
  /** Tasks of Spark that each runs at a time. */
  readonly cores: number;
  /** Memory of each, all included. */
  readonly memoryMebibytes: number;
}

/** The workers, as users say them. */
export interface WorkersArgs {
  /** How many. @default 3 */
  readonly count?: number;
  /** Tasks of Spark that each runs at a time. @default 1 */
  readonly cores?: number;
  /** Memory of each, all included: four tenths become the executor's Java heap, the rest is for Python. @default "1.5 GB" */
  readonly memory?: Size;
}

/** @throws UsageError for what is no count, and for too little memory. */
export function workersPlan({ count = 3, cores = 1, memory = "1.5 GB" }: WorkersArgs): SparkWorkers {
  wholeNumber("workers.count", count);
  wholeNumber("workers.cores", cores);
  // Each task has a Python process beside the shared Java one.
  return { count, cores, memoryMebibytes: sparkMemory(1024 + 384 * (cores - 1), "workers.memory", memory) };
}

/** Memory in MiB. @throws UsageError when it is less than Spark and Python need. */
export function sparkMemory(least: number, argument: string, size: Size): number {
  return mebibytesFrom(least, argument, size, `Spark and Python need at least "${least} MB"`);
}

/** MiB of Java heap of an executor: the rest of a worker's memory is for Python, where Arrow does the work. */
export const executorHeap = ({ memoryMebibytes }: SparkWorkers): number => Math.round(memoryMebibytes * 0.4);

/** What each step asks for: one executor per worker. */
export const executorConf = (workers: SparkWorkers): Readonly<Record<string, string>> => ({
  "spark.executor.cores": String(workers.cores),
  "spark.executor.memory": `${executorHeap(workers)}m`,
});

/** What applications ask for where workers have GPUs: an executor has one, which the tasks that it runs at a time share. */
export const gpuConf = ({ cores }: SparkWorkers): Readonly<Record<string, string>> => ({
  "spark.executor.resource.gpu.amount": "1",
  "spark.task.resource.gpu.amount": String(1 / cores),
});

/** What a driver of Spark and the history server must know. */
export const eventsEnv = (events: string, replication: number | undefined): Readonly<Record<string, string>> => ({
  ONEOFF_EVENTS: events,
  ...(replication !== undefined && { HDFS_REPLICATION: String(replication) }),
});

export interface SparkServices<Text> {
  readonly master: Service<Text | string>;
  readonly worker: Service<Text | string>;
  readonly history: Service<Text | string>;
}

/**
 * Spark's standalone cluster: a master, workers and the history server.
 *
 * @param image one that is made as assets/images/spark is.
 * @param rpc the secret that they know each other by; YARN makes one for each application.
 * @param events what {@link eventsEnv} returns.
 */
export function sparkServices<Text>(
  workers: SparkWorkers,
  image: Text,
  rpc: ServiceFile<Text> | undefined,
  events: Readonly<Record<string, string>>,
): SparkServices<Text> {
  const common = {
    image,
    env: { SPARK_DAEMON_MEMORY: HEAP },
    files: rpc ? [rpc] : [],
    memoryMebibytes: MEMORY_MEBIBYTES,
  };
  return {
    master: {
      ...common,
      name: "master",
      command: ["master"],
      listens: { rpc: 7077, http: 8080 },
      pages: [{ name: "spark", listen: "http" }],
      health: ["/opt/oneoff/healthy", "master"],
    },
    worker: {
      ...common,
      name: "worker",
      command: ["worker"],
      replicas: workers.count,
      memoryMebibytes: workers.memoryMebibytes,
      env: {
        ...common.env,
        SPARK_WORKER_CORES: String(workers.cores),
        SPARK_WORKER_MEMORY: `${executorHeap(workers)}m`,
      },
      listens: { http: 8081 },
      health: ["/opt/oneoff/healthy", "worker"],
    },
    history: {
      ...common,
      name: "history",
      command: ["history"],
      env: { ...common.env, ...events },
      listens: { http: 18080 },
      pages: [{ name: "history", listen: "http" }],
      health: ["/opt/oneoff/healthy", "history"],
    },
  };
}
