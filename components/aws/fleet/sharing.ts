/** What shares the workers out among applications, Spark's own master or YARN: all by which a fleet's machines and runs differ then. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Service, ServiceFile } from "../../../core/service.ts";
import { ASSETS } from "../../common/node-code.ts";
import { Scheduler } from "../../common/services/scheduler.ts";
import { executorConf, gpuConf, type SparkWorkers, sparkServices } from "../../common/services/spark.ts";
import { yarnConf, yarnServices } from "../../common/services/yarn.ts";
import type { FleetPlan } from "./args.ts";
import { executorsOf } from "./executors.ts";
import { YARN } from "./units.ts";

type Conf = Readonly<Record<string, string>>;

/** What the head's namenode and history server are to drivers. */
const NAMENODE_PORT = 8020;
const HISTORY_PORT = 18_080;

/** What Spark's own daemons and drivers know each other by; YARN makes one for each application. */
export const SPARK_SECRET: ServiceFile = { name: "spark", path: "/run/secrets/spark", content: "", isSecret: true };

export interface Sharing {
  /** What shares out, on the head. */
  readonly manager: Service;
  /** Its daemon on each worker. */
  readonly worker: Service;
  /** What those two and drivers are told of it. */
  readonly env: Conf;
  /** As Spark calls it. */
  readonly master: string;
  /** Where it is asked how it does, as assets/fleet/fleet_status.py takes it. */
  readonly asked: string;
  /** Properties by which an application takes what the workers have. */
  readonly conf: Conf;
  /** Those that a run has besides: it takes all executors, and in a gang its first task waits until all of them are there. */
  readonly runConf: Conf;
}

/** @param head its address. */
export const sharingOf = (plan: FleetPlan, head: string): Sharing =>
  plan.scheduler === Scheduler.yarn ? byYarn(plan, head) : byMaster(plan, head);

function byMaster(plan: FleetPlan, head: string): Sharing {
  const executors = executorsOf(plan);
  const { master, worker } = sparkServices(executors, "spark", SPARK_SECRET, {});
  return {
    manager: withEnv(master, { SPARK_DAEMON_MEMORY: "512m" }),
    worker: withEnv(worker, plan.workers.spot ? { SPARK_DAEMON_JAVA_OPTS: javaOptions(DECOMMISSION) } : {}),
    env: { ONEOFF_MASTER: head },
    master: `spark://${placeOf(master, head, "rpc")}`,
    asked: placeOf(master, head),
    conf: { ...executorConf(executors), ...wanted(plan, executors) },
    // It gives all that it has; who waits for all has to know how many they are.
    runConf: isGang(plan) ? { "spark.cores.max": String(executors.count * executors.cores), ...gangConf(plan) } : {},
  };
}

function byYarn(plan: FleetPlan, head: string): Sharing {
  const executors = executorsOf(plan);
  const { manager, node } = yarnServices(executors, "yarn");
  const places = {
    manager: placeOf(manager, head, "rpc"),
    scheduler: placeOf(manager, head, "scheduler"),
    http: placeOf(manager, head),
    namenode: `${head}:${NAMENODE_PORT}`,
    history: `${head}:${HISTORY_PORT}`,
  };
  const gpus = plan.gpu.length > 0 ? `${YARN}/gpus` : undefined;
  return {
    manager: withEnv(manager, { HADOOP_HEAP: "512m" }),
    worker: node,
    env: { ONEOFF_RESOURCEMANAGER: head, ONEOFF_YARN: YARN },
    master: "yarn",
    asked: `yarn://${places.http}`,
    conf: { ...yarnConf(executors, places, gpus), ...wanted(plan, executors) },
    runConf: { "spark.executor.instances": String(executors.count), ...(isGang(plan) && gangConf(plan)) },
  };
}

/** What applications ask for whoever shares out. */
const wanted = ({ gpu, workers }: FleetPlan, executors: SparkWorkers): Conf => ({
  ...(gpu.length > 0 && gpuConf(executors)),
  ...(workers.spot && DECOMMISSION),
});

const isGang = ({ gangMinutes }: FleetPlan): boolean => gangMinutes !== undefined;

/** So often Spark looks whether there are slots for a barrier stage, and gives up after 40 times, where nobody says otherwise. */
const BARRIER_CHECK_SECONDS = 15;

/**
 * How a run of a gang waits: before its first task, and with a barrier stage where one is missing later
 * (https://spark.apache.org/docs/3.5.7/configuration.html, "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures").
 */
const gangConf = ({ deadlineSeconds }: FleetPlan): Conf => ({
  "spark.scheduler.minRegisteredResourcesRatio": "1.0",
  "spark.scheduler.maxRegisteredResourcesWaitingTime": `${deadlineSeconds}s`,
  "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": `${BARRIER_CHECK_SECONDS}s`,
  "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": `${Math.ceil(deadlineSeconds / BARRIER_CHECK_SECONDS)}`,
});

/** Where a service of the head listens. */
export const placeOf = ({ listens }: Service, head: string, port = "http"): string => `${head}:${listens?.[port]}`;

/**
 * A worker that is told to go (assets/fleet/notice.py) gets no more tasks, and its blocks go to others; what it loses in spite of that doesn't count
 * as a failure of the task. Both the daemon and applications have to know
 * (https://spark.apache.org/docs/3.5.7/configuration.html, "spark.decommission.enabled"; org.apache.spark.internal.config.Worker).
 */
const DECOMMISSION = {
  "spark.decommission.enabled": "true",
  "spark.storage.decommission.enabled": "true",
  // Rounds of moving blocks; an executor ends after the first that found none, and 30 s would be a quarter of the time there is.
  "spark.storage.decommission.replicationReattemptInterval": "5s",
} as const;

const javaOptions = (properties: Conf): string =>
  Object.entries(properties)
    .map(([name, value]) => `-D${name}=${value}`)
    .join(" ");

export const withEnv = (service: Service, env: Conf): Service => ({ ...service, env: { ...service.env, ...env } });

// Software -------------------------------------------------------------------------------------------------------------

const ASSETS_YARN = join(ASSETS, "yarn");

/** What YARN's jars are locked by. */
export const YARN_JARS = join(ASSETS_YARN, "jars.txt");

/** Its files, by the path that they have in its part of the software. */
export function yarnFiles(): Readonly<Record<string, string>> {
  const conf = readdirSync(join(ASSETS_YARN, "conf")).sort();
  const files = ["entrypoint", "gpus", "healthy", "java-options", ...conf.map((file) => `conf/${file}`)];
  return Object.fromEntries(
    [...files.map((file) => `yarn/${file}`), "images/spark/gpus"].map((file) => [file, join(ASSETS, file)]),
  );
}
