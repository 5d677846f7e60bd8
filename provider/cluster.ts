import { join } from "node:path";
import { z } from "zod";
import { lakeLayout } from "../core/lake-layout.ts";
import { failedStatus, RunRecord, RunStatus, recordedStatus } from "../core/run.ts";
import { readJson } from "./json.ts";
import { isAlive, registered } from "./process.ts";

const Step = z.object({
  name: z.string(),
  script: z.string().optional(),
  jar: z.string().optional(),
  mainClass: z.string().optional(),
  arguments: z.array(z.string()),
  files: z.array(z.string()),
  pyFiles: z.array(z.string()),
  packages: z.array(z.string()),
  requirements: z.string().optional(),
  conf: z.record(z.string(), z.string()),
  timeLimitSeconds: z.int(),
  secrets: z.array(z.string()),
});

/** What a local cluster is told to do, in `spec.json` of its folder. */
export const ClusterSpec = z.object({
  run: z.string(),
  job: z.object({
    name: z.string(),
    steps: z.array(Step),
    tables: z.array(
      z.object({
        name: z.string(),
        columns: z.array(z.object({ name: z.string(), measured: z.boolean().optional() })),
      }),
    ),
  }),
  /** Absolute path. */
  lake: z.string(),
  deadlineSeconds: z.int(),
  cores: z.int(),
  memoryMebibytes: z.int(),
  /** Absolute path of a Python interpreter with PySpark beside it. */
  python: z.string(),
});
export type ClusterSpec = z.infer<typeof ClusterSpec>;
export type ClusterStep = z.infer<typeof Step>;

export const specFile = (folder: string): string => join(folder, "spec.json");
export const statusFile = (folder: string): string => join(folder, "status.json");
/** Scratch space of the steps, gone when the cluster ends. */
export const workFolder = (folder: string): string => join(folder, "work");
/** What the steps of a run keep for each other. */
export const scratchFolder = (folder: string): string => join(workFolder(folder), "scratch");
export const secretsFolder = (folder: string): string => join(folder, "secrets");

/** The status that a cluster last wrote, in `status.json` of its folder; undefined while there is none. */
const readStatus = (folder: string): RunStatus | undefined => RunStatus.safeParse(readJson(statusFile(folder))).data;

/** How a run is doing, and whether its cluster could not say so itself. */
export interface RunSnapshot {
  readonly status: RunStatus;
  /** The cluster was killed; the status is what follows from that, and nobody has written it down yet. */
  readonly orphaned: boolean;
}

/** How a run is doing, undefined when nothing of it is left. A record that has ended is the last word. */
export function findRun(lake: string, run: string): RunSnapshot | undefined {
  const folder = lakeLayout(lake).cluster(run);
  const alive = isAlive(registered(folder)); // looked at first: what it writes after that is newer
  const record = RunRecord.safeParse(readJson(lakeLayout(lake).record(run))).data;
  const status = recordedStatus(readStatus(folder), record);
  if (!status) return undefined;
  if (status.state !== "running" || alive) return { status, orphaned: false };
  return { status: failedStatus(status, KILLED), orphaned: true };
}

/** Why a run failed whose cluster is no more and has not said so. */
export const KILLED = "its cluster was killed, or the machine restarted, before the run ended";
