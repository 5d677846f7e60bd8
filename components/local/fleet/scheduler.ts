/** What shares the workers out among applications, Spark's own master or YARN: its services, and what drivers are told of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import type { ServiceFile } from "../../../core/service.ts";
import { HDFS_EVENTS } from "../../common/services/hdfs.ts";
import { DAEMONS, Scheduler } from "../../common/services/scheduler.ts";
import { executorConf, gpuConf, sparkServices } from "../../common/services/spark.ts";
import { yarnConf, yarnServices } from "../../common/services/yarn.ts";
import type { LocalService, Processes } from "../processes.ts";
import type { SparkArgs } from "../run.ts";
import { type FleetPlan, Gpu } from "./args.ts";

const ASSETS = join(import.meta.dirname, "../../../assets");
export const SPARK = join(ASSETS, "images/spark");
export const YARN = join(ASSETS, "yarn");

/** What shares out, and the workers: those of `wanted`, or the ports of the others alone, so that no port is anybody else's before. */
export function sharingServices(
  { scheduler, workers, gpu }: FleetPlan,
  wanted: Scheduler,
  rpc: ServiceFile<pulumi.Input<string>> | undefined,
): readonly LocalService[] {
  const { master, worker } = sparkServices<pulumi.Input<string>>(workers, "spark", rpc, {});
  const { manager, node } = yarnServices<pulumi.Input<string>>(workers, "yarn");
  const [first, others] = wanted === Scheduler.yarn ? [manager, node] : [master, worker];
  const gpus = { ONEOFF_GPU: gpu, ONEOFF_GPU_SHARES: String(workers.count) };
  const all = [first, { ...others, env: { ...others.env, ...(gpu === Gpu.all && gpus) } }] as readonly LocalService[];
  return scheduler === wanted ? all : all.map(portsAlone);
}

/** What keeps the place of a service's ports where there is none. */
export const portsAlone = ({ name, image, listens }: LocalService): LocalService => ({
  name,
  image,
  replicas: 0,
  memoryMebibytes: 0,
  ...(listens && { listens }),
});

type Conf = Readonly<Record<string, string>>;

/** Spark's properties that an application has by YARN, but for how many executors it takes; none for another scheduler. */
export function sharingConf({ scheduler, workers, gpu }: FleetPlan, address: Processes["address"]): Conf | undefined {
  if (scheduler !== Scheduler.yarn) return undefined;
  const places = {
    manager: address("resourcemanager", "rpc"),
    scheduler: address("resourcemanager", "scheduler"),
    http: address("resourcemanager", "http"),
    namenode: address("namenode", "rpc"),
    history: address("history", "http"),
  };
  return yarnConf(workers, places, gpu === Gpu.all ? join(YARN, "gpus") : undefined);
}

/** What a run is told of the cluster. */
export function sparkOf(plan: FleetPlan, address: Processes["address"]): SparkArgs {
  const { manager } = DAEMONS[plan.scheduler];
  return {
    master: address(manager, "rpc"),
    page: address(manager, "http"),
    webhdfs: address("namenode", "http"),
    conf: confOf(plan, address),
    ...(plan.scheduler === Scheduler.yarn && { yarn: join(YARN, "conf") }),
  };
}

/** Spark's properties that every step has. */
function confOf(plan: FleetPlan, address: Processes["address"]): Conf {
  const { workers, hdfs, gpu } = plan;
  const defaults = readFileSync(join(SPARK, "spark-defaults.conf"), "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([name]) => /^spark\.(authenticate|hadoop\.|ui\.)/.test(name ?? ""));
  const yarn = sharingConf(plan, address);
  return {
    ...Object.fromEntries(defaults),
    ...executorConf(workers),
    ...yarn,
    ...(yarn && { "spark.executor.instances": String(workers.count) }), // Spark's own master gives all that it has
    "spark.eventLog.enabled": "true",
    "spark.eventLog.dir": HDFS_EVENTS.replace("namenode:8020", address("namenode", "rpc")),
    "spark.hadoop.dfs.replication": String(hdfs.replication),
    ...(gpu === Gpu.all && gpuConf(workers)),
  };
}
