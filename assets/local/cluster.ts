import { join } from "node:path";
import { z } from "zod";
import { RunRecord } from "../../components/job/run.ts";
import { readJson } from "./json.ts";

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

/** How far a step has come in what it counts ("models"). */
const Progress = z.object({ what: z.string(), done: z.int(), total: z.int() });

/** How a local cluster is doing, in `status.json` of its folder: the run's record and what only the cluster can tell. */
export const ClusterStatus = RunRecord.omit({ tables: true }).extend({
  steps: z.array(
    RunRecord.shape.steps.element.extend({
      started: z.iso.datetime().optional(),
      ended: z.iso.datetime().optional(),
      progress: Progress.optional(),
    }),
  ),
});
export type ClusterStatus = z.infer<typeof ClusterStatus>;

export const specFile = (folder: string): string => join(folder, "spec.json");
export const statusFile = (folder: string): string => join(folder, "status.json");
/** Scratch space of the steps, gone when the cluster ends. */
export const workFolder = (folder: string): string => join(folder, "work");
export const secretsFolder = (folder: string): string => join(folder, "secrets");

/** The status in a cluster's folder, undefined while there is none. */
export const readStatus = (folder: string): ClusterStatus | undefined =>
  ClusterStatus.safeParse(readJson(statusFile(folder))).data;
