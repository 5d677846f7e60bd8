import type { Job } from "./job.ts";

const TRIED = new WeakSet<Job>();

/** Marks a job of this package: its tests look at the panels as each engine does, so that nobody's preview has to. */
export function tried(job: Job): Job {
  TRIED.add(job);
  return job;
}

export const isTried = (job: Job): boolean => TRIED.has(job);
