import { invalid } from "../../../core/errors.ts";

/** What shares a fleet's workers out among applications. */
export const Scheduler = { standalone: "standalone", yarn: "yarn" } as const;
export type Scheduler = (typeof Scheduler)[keyof typeof Scheduler];

/** What its two kinds of processes are called. */
export const DAEMONS = {
  [Scheduler.standalone]: { manager: "master", worker: "worker" },
  [Scheduler.yarn]: { manager: "resourcemanager", worker: "nodemanager" },
} as const;

/** @throws UsageError for what is none. */
export function checkScheduler(scheduler: string): Scheduler {
  const known = Object.values(Scheduler).find((one) => one === scheduler);
  if (known !== undefined) return known;
  throw invalid("scheduler", scheduler, whyNotScheduler(scheduler));
}

/** Why a scheduler can't be had, and what can. */
export const whyNotScheduler = (scheduler: string): string =>
  scheduler === "mesos"
    ? "Spark 3.2 deprecated Mesos and Spark 4 has it no more; take standalone or yarn, which share out CPUs, memory and GPUs as well"
    : `expected ${Object.values(Scheduler).join(" or ")}`;
