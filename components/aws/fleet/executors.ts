import { Scheduler } from "../../common/services/scheduler.ts";
import type { SparkWorkers } from "../../common/services/spark.ts";
import { MASTER_MEBIBYTES } from "../../common/services/yarn.ts";
import { instanceType } from "../prices.ts";
import type { FleetPlan } from "./args.ts";
import { gpuMachine } from "./gpu.ts";

/** Of a worker's memory this is the system's and the worker's own; assets/fleet/node.py takes off as much. */
const SYSTEM_MEBIBYTES = 1024;

/** Of what a type is said to have the system finds some hundredths less; and an executor that asks for more than a worker has never starts. */
const FOUND = 0.9;

/** So many applications have their masters on a machine of YARN's beside its executors; assets/fleet/node.py adds as many cores. */
const MASTERS = 2;

/** Spark's executors: what all of the types can have, one for each GPU or else one for a machine. */
export function executorsOf({
  workers: { count, types },
  scheduler,
}: Pick<FleetPlan, "workers" | "scheduler">): SparkWorkers {
  const aside = SYSTEM_MEBIBYTES + (scheduler === Scheduler.yarn ? MASTERS * MASTER_MEBIBYTES : 0);
  const each = types.map((type) => {
    const { vcpus, memoryGiB } = instanceType(type);
    const gpus = gpuMachine(type)?.gpus ?? 1;
    return {
      count: count * gpus,
      cores: Math.floor(vcpus / gpus),
      memoryMebibytes: Math.floor((memoryGiB * 1024 * FOUND - aside) / gpus),
    };
  });
  const least = (of: keyof SparkWorkers) => Math.min(...each.map((one) => one[of]));
  return { count: least("count"), cores: least("cores"), memoryMebibytes: least("memoryMebibytes") };
}
