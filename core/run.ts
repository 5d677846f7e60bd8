import { z } from "zod";
import { invalid } from "./errors.ts";
import type { RunOrigin } from "./run-origin.ts";

const StepState = z.enum(["pending", "running", "succeeded", "failed", "cancelled"]);

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

const Recorded = z.object({
  run: z.string(),
  job: z.string(),
  state: z.enum(["running", "succeeded", "failed", "cancelled"]),
  started: z.iso.datetime({ offset: true }),
  /** When its cluster ends whatever happens; a record that still says "running" after that was orphaned. */
  deadline: z.iso.datetime({ offset: true }).optional(),
  ended: z.iso.datetime({ offset: true }).optional(),
  /** Why it failed or was cancelled, in one line. */
  error: z.string().optional(),
  /** In the order they run. */
  steps: z.array(z.object({ name: z.string(), state: StepState, endless: z.boolean().optional() })),
  /** Of each table once the run succeeded. Equal digests mean equal rows, whatever their order and number of files. */
  tables: z.record(z.string(), z.object({ rows: z.int(), digest: z.string() })).default({}),
  /** @default it was not recorded, as before version 0.2.0 */
  origin: Origin.optional(),
  /** When it was removed, with all it wrote: its id stays used. @default it was not */
  removed: z.iso.datetime({ offset: true }).optional(),
});

/**
 * What the lake says of a run, at `<lake>/_runs/<runId>.json`: whole and atomically written, by assets/steps/run_record.py
 * while a machine of the run is left; times are ISO 8601 in UTC. A cancelled run is written as {@link asWritten} says.
 */
export const RunRecord = z.preprocess(asRead, Recorded);
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
export const RunStatus = z.preprocess(
  asRead,
  Recorded.omit({ tables: true, origin: true }).extend({
    steps: z.array(
      Recorded.shape.steps.element.extend({
        started: z.iso.datetime().optional(),
        ended: z.iso.datetime().optional(),
        progress: Progress.optional(),
      }),
    ),
    /** Where the cluster is rented. */
    cluster: ClusterState.optional(),
    /** What it has cost so far, in USD, about. */
    cost: z.number().optional(),
  }),
);
export type RunStatus = z.infer<typeof RunStatus>;

type Written = Pick<RunRecord, "state" | "steps">;

/**
 * A record or status as a lake has it. Version 0.1.0 leaves a record out whose state it doesn't know, and would begin that
 * run again: so one that was cancelled is written as failed, with `cancelled: true` beside it.
 */
export function asWritten<T extends Written>(content: T): T & { readonly cancelled?: true } {
  if (content.state !== "cancelled") return content;
  const steps = content.steps.map((step) =>
    step.state === "cancelled" ? { ...step, state: "failed" as const } : step,
  );
  return { ...content, state: "failed", cancelled: true, steps };
}

/** The contrary. No step of a cancelled run has failed: that would have ended the run. */
function asRead(found: unknown): unknown {
  const { cancelled, ...rest } = (found ?? {}) as Partial<Written> & { readonly cancelled?: unknown };
  if (rest.state !== "failed" || cancelled !== true || !Array.isArray(rest.steps)) return found;
  const steps = rest.steps.map((step) => (step?.state === "failed" ? { ...step, state: "cancelled" } : step));
  return { ...rest, state: "cancelled", steps };
}

/**
 * What a lake says of a run: a record that has ended is the last word, and its status, which has the times of its steps, is
 * newer while it goes on.
 *
 * @param statusIsLast whether the status outlasts the record, since there is something to do after the last step; nothing is
 * where the run was cancelled.
 */
export function recordedStatus(
  status: RunStatus | undefined,
  record: RunRecord | undefined,
  statusIsLast = false,
): RunStatus | undefined {
  if (!record) return status;
  const { tables: _, origin: __, ...rest } = record;
  if (rest.removed !== undefined) return rest;
  const isOver = record.state === "cancelled" || (record.state !== "running" && !statusIsLast);
  return status && (!isOver || status.state === record.state) ? status : rest;
}

/** A run that can't go on: what ran has failed, and there are no machines any more. */
export const failedStatus = (status: RunStatus, error: string, ended: string | Date = new Date()): RunStatus =>
  endedStatus(status, "failed", error, ended);

/** A run that was cancelled: what was at work is too, and what was still to come stays so. */
export const cancelledStatus = (status: RunStatus, error: string, ended: string | Date = new Date()): RunStatus =>
  endedStatus(status, "cancelled", error, ended);

function endedStatus(
  { cluster: _, ...status }: RunStatus,
  state: "failed" | "cancelled",
  error: string,
  ended: string | Date,
): RunStatus {
  const steps = status.steps.map((step) => (step.state === "running" ? { ...step, state } : step));
  return { ...status, state, error, ended: new Date(ended).toISOString(), steps };
}

/**
 * What stays in the place of a run's record once it is removed, so that its id is never computed again (docs/adr/0003). To a
 * version that doesn't know of it, it is the record of a run that has failed.
 */
export const removedRecord = ({ run, job, started, ended }: RunStatus, now = new Date().toISOString()): RunRecord => ({
  ...{ run, job, state: "failed", started, ended: ended ?? now },
  error: `it was removed at ${now}, and what it wrote with it: a new run id starts a new run`,
  steps: [],
  tables: {},
  removed: now,
});

/** Somebody asked for a run to be cancelled, at `_cancels/<run>.json` of its lake: the first of them, whoever asks again. */
export const CancelRequest = z.object({ run: z.string(), at: z.iso.datetime({ offset: true }) });
export type CancelRequest = z.infer<typeof CancelRequest>;

/** Whether it is at a step that goes on until somebody asks for its end. */
export const isEndless = ({ steps }: Pick<RunStatus, "steps">): boolean =>
  steps.some(({ endless, state }) => endless && state === "running");

/** How long a step that is endless has to end itself once somebody has asked for that, as assets/steps/step_endless.py has it. */
export const ENDS_SECONDS = 60;

/** What the record and status of a cancelled run have as their `error`. */
export const cancelledError = ({ at }: CancelRequest): string => `cancelled: that was asked for at ${at}`;

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
