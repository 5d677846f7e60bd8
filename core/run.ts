import { z } from "zod";
import { invalid } from "./errors.ts";
import type { RunOrigin } from "./run-origin.ts";

const StepState = z.enum(["pending", "running", "succeeded", "failed"]);

/** As {@link RunOrigin}. */
const Origin = z.object({
  version: z.string(),
  settings: z.record(z.string(), z.string().nullable()),
  steps: z.array(
    z.object({ name: z.string(), arguments: z.array(z.string()), files: z.record(z.string(), z.string()) }),
  ),
  commit: z.string().optional(),
  changed: z.boolean().optional(),
}) satisfies z.ZodType<RunOrigin>;

/**
 * What the lake says of a run, at `<lake>/_runs/<runId>.json`. Written only by assets/steps/run_record.py, whole and
 * atomically; times are ISO 8601 in UTC.
 */
export const RunRecord = z.object({
  run: z.string(),
  job: z.string(),
  state: z.enum(["running", "succeeded", "failed"]),
  started: z.iso.datetime({ offset: true }),
  /** When its cluster ends whatever happens; a record that still says "running" after that was orphaned. */
  deadline: z.iso.datetime({ offset: true }).optional(),
  ended: z.iso.datetime({ offset: true }).optional(),
  /** Why it failed, in one line. */
  error: z.string().optional(),
  /** In the order they run. */
  steps: z.array(z.object({ name: z.string(), state: StepState })),
  /** Of each table once the run succeeded. Equal digests mean equal rows, whatever their order and number of files. */
  tables: z.record(z.string(), z.object({ rows: z.int(), digest: z.string() })).default({}),
  /** @default it was not recorded, as before version 0.2.0 */
  origin: Origin.optional(),
});
export type RunRecord = z.infer<typeof RunRecord>;

/** How far a step has come in what it counts ("models"). */
const Progress = z.object({ what: z.string(), done: z.int(), total: z.int() });

/** What the machines are at, as their cloud calls it. */
const ClusterState = z.object({
  state: z.string(),
  reason: z.string().optional(),
  /** When it ends by itself, if it stays after its last step. */
  stays: z.iso.datetime({ offset: true }).optional(),
});

/** How a run is doing, as its cluster tells: the record and what changes too often to be recorded. */
export const RunStatus = RunRecord.omit({ tables: true, origin: true }).extend({
  steps: z.array(
    RunRecord.shape.steps.element.extend({
      started: z.iso.datetime().optional(),
      ended: z.iso.datetime().optional(),
      progress: Progress.optional(),
    }),
  ),
  /** Where the cluster is rented. */
  cluster: ClusterState.optional(),
  /** What it has cost so far, in USD, about. */
  cost: z.number().optional(),
});
export type RunStatus = z.infer<typeof RunStatus>;

/**
 * What a lake says of a run: a record that has ended is the last word, and its status, which has the times of its steps, is
 * newer while it goes on.
 *
 * @param statusIsLast whether the status outlasts the record, since there is something to do after the last step.
 */
export function recordedStatus(
  status: RunStatus | undefined,
  record: RunRecord | undefined,
  statusIsLast = false,
): RunStatus | undefined {
  if (!record) return status;
  const { tables: _, origin: __, ...rest } = record;
  const isOver = record.state !== "running" && !statusIsLast;
  return status && (!isOver || status.state === record.state) ? status : rest;
}

/** A run that can't go on: what ran has failed, and there are no machines any more. */
export function failedStatus(status: RunStatus, error: string, ended: string | Date = new Date()): RunStatus {
  const { cluster: _, ...rest } = status;
  const steps = rest.steps.map((step) => (step.state === "running" ? { ...step, state: "failed" as const } : step));
  return { ...rest, state: "failed", error, ended: new Date(ended).toISOString(), steps };
}

/**
 * `runId` as it stands in folder names of the lake.
 * @throws UsageError when it has characters that don't belong into a folder's or a tag's name.
 */
export function checkRunId(runId: string, setting = "runId"): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(runId)) {
    throw invalid(
      setting,
      runId,
      "expected 1 to 63 letters, digits, dots, dashes or underscores, a letter or digit first",
    );
  }
  return runId;
}
