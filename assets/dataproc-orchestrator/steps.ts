/** Steps that are asked for one after the other, as jobs of a cluster or as batches. */
import { createHash } from "node:crypto";
import { formatDuration } from "../../core/duration.ts";
import { Prefix } from "../../core/lake-layout.ts";
import type { RunRecord } from "../../core/run.ts";
import { type Context, failOnceGone, patiently, RunError, until } from "./context.ts";
import { refuse, withCure } from "./errors.ts";
import type { LaunchStep } from "./launch.ts";
import { log } from "./log.ts";

/** What runs the steps. */
export interface Machines {
  /** Returns when all steps have succeeded. @throws RunError when one has not. */
  run(): Promise<void>;
  /** Asks all that may be under way to end, without waiting for that. */
  cancel(signal: AbortSignal): Promise<void>;
}

/** What Google says of a step. */
export interface StepState {
  readonly state: "pending" | "running" | "succeeded" | "failed";
  /** When it began to run, ISO 8601. */
  readonly started?: string | undefined;
  readonly ended?: string | undefined;
  /** Why it failed. */
  readonly why?: string | undefined;
}

/** How a step is asked for. Its id follows from the launch, so that it can be found again and is never there twice. */
export interface Asking {
  /** What is told of the machines while a step is in that state. */
  machines(
    step: LaunchStep,
    state: StepState["state"],
  ): { readonly state: string; readonly reason?: string } | undefined;
  /** Waits until a step can be asked for. */
  ready(context: Context): Promise<void>;
  /** Undefined when it was not asked for. */
  look(step: LaunchStep, signal?: AbortSignal): Promise<StepState | undefined>;
  submit(step: LaunchStep): Promise<unknown>;
  cancel(step: LaunchStep, signal?: AbortSignal): Promise<void>;
}

/** Runs the steps in their order. */
export function runSequentially(context: Context, asking: Asking): Machines {
  const { steps } = context.launch;
  return {
    async run() {
      for (const step of steps) await runStep(context, asking, step);
    },
    async cancel(signal) {
      await Promise.allSettled(steps.map((step) => asking.cancel(step, signal)));
    },
  };
}

async function runStep(context: Context, asking: Asking, step: LaunchStep): Promise<void> {
  const what = `step ${JSON.stringify(step.name)}`;
  const { project } = context.launch;
  try {
    if (!(await patiently(context, () => asking.look(step)))) {
      await asking.ready(context);
      await submit(context, asking, step);
    }
    const there = failOnceGone<StepState>(context, what);
    const look = async () => there(await asking.look(step, context.ending));
    await until(context, look);
    const ended = await until(context, async () => {
      const seen = await look();
      return seen && watch(context, asking, step, seen);
    });
    context.status.step(step.name, ended.state, ended);
    if (ended.state === "failed") throw await stepError(context, step, ended.why);
    log("INFO", `${what} has succeeded`);
  } catch (error) {
    context.ending.throwIfAborted();
    refuse(what, error, project);
  }
}

async function submit(context: Context, asking: Asking, step: LaunchStep): Promise<void> {
  log("INFO", `asking for step ${JSON.stringify(step.name)}`);
  // Not called off in the middle: what was asked for has to be known to be cancelled.
  await patiently(context, async () => {
    try {
      await asking.submit(step);
    } catch (error) {
      // It was asked for before, and the answer was lost.
      if ((error as { code?: number }).code !== 409) throw error;
    }
  });
  context.ending.throwIfAborted();
}

/** A step that has ended, undefined while it has not. */
async function watch(
  context: Context,
  asking: Asking,
  step: LaunchStep,
  seen: StepState,
): Promise<StepState | undefined> {
  if (seen.state === "succeeded" || seen.state === "failed") return seen;
  context.status.step(step.name, seen.state, seen);
  const machines = asking.machines(step, seen.state);
  if (machines) context.status.machines(machines);
  if (isOverdue(context, step, seen.started)) {
    await asking.cancel(step).catch(({ message }) => log("WARNING", `the step could not be cancelled: ${message}`));
    throw new RunError(overdue(step));
  }
  return undefined;
}

/** Whether a step takes longer than it may. */
export function isOverdue({ timing }: Context, step: LaunchStep, started: string | undefined): boolean {
  return started !== undefined && Date.now() > Date.parse(started) + step.timeLimitSeconds * 1000 + timing.graceMs;
}

export const overdue = ({ name, timeLimitSeconds }: LaunchStep): string =>
  `step ${JSON.stringify(name)} took longer than its time limit of ${formatDuration(timeLimitSeconds)}`;

/** Why a step failed: what it says itself in the run's record, else what Google says. */
export async function stepError(context: Context, step: { readonly name: string }, why = ""): Promise<RunError> {
  const { launch, lake } = context;
  const record = (await lake.readJson(`${Prefix.runs}/${launch.run}.json`).catch(() => undefined)) as
    | Partial<RunRecord>
    | undefined;
  if (record?.state === "failed" && record.error) return new RunError(record.error);
  const said = withCure(why || "Google does not say why", launch.project);
  return new RunError(`step ${JSON.stringify(step.name)} failed: ${said}`);
}

/** Short text that is the same for the same step of the same launch. */
export const idOf = ({ digest }: Pick<Context, "digest">, name: string, length: number): string =>
  createHash("sha256").update(`${digest}/${name}`).digest("hex").slice(0, length);

/** So that it can be part of an id: small letters, digits and dashes. */
export const slug = (text: string, length: number): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, length)
    .replace(/^-+|-+$/g, "");
