import { setTimeout as sleep } from "node:timers/promises";
import { type GoogleApi, googleError } from "../../clients/google.ts";
import { digestOfJson } from "../../core/digest.ts";
import { formatDuration } from "../../core/duration.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { ENDS_SECONDS, type RunRecord, type RunStatus } from "../../core/run.ts";
import { batches } from "./batches.ts";
import { CancelledError, lookOut, requestFor } from "./cancel.ts";
import { type Claim, claim, findClaim } from "./claim.ts";
import { type Context, patiently, RunError, type Timing } from "./context.ts";
import { withCure } from "./errors.ts";
import { clusterJobs, endsAt } from "./jobs.ts";
import { DataprocMode, type Launch } from "./launch.ts";
import { type Loading, load } from "./loads.ts";
import { log, oneLine } from "./log.ts";
import { stage } from "./stage.ts";
import { StatusFile, statusKey } from "./status.ts";
import { type Machines, runSequentially } from "./steps.ts";
import type { Lake } from "./store.ts";
import { workflowMachines } from "./workflow.ts";

export interface Setup {
  readonly api: GoogleApi;
  readonly lake: Lake;
  readonly timing: Timing;
  /** Aborted when the run is to be stopped, with a RunError that says why. */
  readonly stopping: AbortSignal;
}

/** How long the requests that cancel may take. */
const CANCEL_MS = 4000;
/** How long loading may take, which is free: that long the deadline does not count. */
const LOAD_MS = 600_000;

/**
 * Follows a run from its first step to its tables in BigQuery. May be done again at any time, and goes on with what
 * there is then: nothing is asked for twice.
 */
export async function orchestrate(setup: Setup, launch: Launch): Promise<void> {
  const { lake, timing, stopping } = setup;
  const digest = digestOfJson(launch);
  const found = await patiently({ timing, ending: stopping }, () => begin(lake, launch, digest));
  if (!found) return loadLater(setup, launch);
  const { launched } = found;
  const deadline = new Date(launched.deadline);
  const late = new AbortController();
  const timer = setTimeout(
    () => late.abort(new RunError(`the deadline of ${formatDuration(launch.deadlineSeconds)} has passed`)),
    Math.max(0, deadline.getTime() - Date.now()),
  );
  const cancelled = new AbortController();
  const over = new AbortController();
  const ending = AbortSignal.any([stopping, late.signal, cancelled.signal]);
  const previous = (await lake.readJson(statusKey(launch.run))) as RunStatus | undefined;
  const status = new StatusFile(lake, firstStatus(launch, found, previous), timing.writeMs);
  const context: Context = { ...setup, launch, digest, started: launched.started, deadline, status, ending };
  try {
    if (found.resumed && (await toldInLake(context)).record?.state === "succeeded") return await loadResults(context);
    // Looked for before anything is asked for as well: what was cancelled before it was begun is never begun.
    const request = await patiently(context, () => requestFor(lake, launch.run)).catch(() => undefined);
    if (request) cancelled.abort(request);
    else void lookOut(setup, launch.run, cancelled, over.signal, patienceOf(launch));
    await follow(context, machinesOf(context, found));
  } finally {
    over.abort();
    clearTimeout(timer);
  }
}

/** What is endless ends itself once somebody asks for that (core/step.ts). */
const patienceOf = ({ steps }: Launch): number => (steps.some((step) => step.endless) ? ENDS_SECONDS * 1000 : 0);

/** A record or status as the lake has it; see asWritten of core/run.ts. */
type Ended = Pick<RunRecord, "state" | "error"> & { readonly cancelled?: boolean };

/** Undefined, and says why, when there is nothing to do. */
async function begin(lake: Lake, launch: Launch, digest: string): Promise<Claim | undefined> {
  const { run } = launch;
  const over = ({ state, cancelled }: Ended): undefined =>
    void log(
      "INFO",
      `run ${run} ${cancelled ? "was cancelled" : `has ${state}`}: nothing is left to do, and a new run id starts a new one`,
    );
  let found = await findClaim(lake, run);
  if (!found) {
    const record = (await lake.readJson(`${Prefix.runs}/${run}.json`)) as Ended | undefined;
    if (record?.state === "succeeded" || record?.state === "failed") return over(record);
    const now = Date.now();
    const started = new Date(now).toISOString();
    const deadline = new Date(now + launch.deadlineSeconds * 1000).toISOString();
    found = await claim(lake, { run, digest, started, deadline });
  }
  if (found.launched.digest !== digest) {
    log("WARNING", `run ${run} was launched with other settings: what has changed takes effect with a new run id`);
    return undefined;
  }
  if (!found.resumed) return found;
  const status = (await lake.readJson(statusKey(run))) as Ended | undefined;
  if (status && status.state !== "running") return over(status);
  log("INFO", `going on with run ${run}, which was begun at ${found.launched.started}`);
  return found;
}

function firstStatus(launch: Launch, { launched }: Claim, previous: RunStatus | undefined): RunStatus {
  const before = new Map(previous?.steps.map((step) => [step.name, step]));
  return {
    run: launch.run,
    job: launch.job,
    state: "running",
    started: launched.started,
    deadline: launched.deadline,
    steps: launch.steps.map(({ name }) => before.get(name) ?? { name, state: "pending" }),
  };
}

function machinesOf(context: Context, { launched, resumed }: Claim): Machines {
  switch (context.launch.mode) {
    case DataprocMode.cluster:
      return runSequentially(context, clusterJobs(context));
    case DataprocMode.workflow:
      return workflowMachines(context, resumed, launched.operation);
    case DataprocMode.batch:
      return runSequentially(context, batches(context));
  }
}

async function follow(context: Context, machines: Machines): Promise<void> {
  const { ending, launch, status } = context;
  const work = execute(context, machines);
  try {
    await Promise.race([work, aborted(ending)]);
  } catch (error) {
    const { record, request } = await toldInLake(context);
    if (record?.state === "succeeded") return loadResults(context);
    // A step that failed by itself has recorded why, and that stays so.
    const failed =
      record?.state === "failed" && !record.cancelled && record.error ? { message: record.error } : undefined;
    const cancelled = failed ? undefined : request;
    const { message } = failed ?? cancelled ?? (ending.aborted ? (ending.reason as Error) : readable(error, launch));
    log(cancelled ? "INFO" : "ERROR", `run ${launch.run} has ${cancelled ? "ended" : "failed"}: ${message}`);
    status.machines(ending.aborted ? undefined : await clusterAfterRun(context));
    const told = status.end(cancelled ? "cancelled" : "failed", message);
    if (ending.aborted) await Promise.race([work.catch(() => undefined), sleep(context.timing.answerMs)]);
    await cancel(machines);
    await told;
    return;
  }
  await loadResults(context);
}

async function execute(context: Context, machines: Machines): Promise<void> {
  context.ending.throwIfAborted();
  await stage(context);
  await machines.run();
}

/** What a lake tells of a run when it ends, as far as it answers. */
interface Told {
  /** What the last step recorded counts, also when nobody was there to see it. */
  readonly record?: Ended | undefined;
  readonly request?: CancelledError | undefined;
}

async function toldInLake({ lake, launch: { run }, timing, ending }: Context): Promise<Told> {
  const seen = ending.reason instanceof CancelledError ? ending.reason : undefined;
  const reading = Promise.all([
    lake.readJson(`${Prefix.runs}/${run}.json`).catch(() => undefined),
    seen ?? requestFor(lake, run).catch(() => undefined),
  ]);
  const [record, request] = (await Promise.race([reading, sleep(timing.answerMs)])) ?? [undefined, seen];
  return { record: record as Told["record"], request };
}

/** What a run has computed stays computed, whether it can be loaded or not. */
async function loadResults(context: Context): Promise<void> {
  const { launch, status } = context;
  for (const { name, state } of status.now.steps) if (state !== "succeeded") status.step(name, "succeeded");
  await loadInTime(context, context);
  status.machines(await clusterAfterRun(context));
  await status.end("succeeded");
  log("INFO", `run ${launch.run} has succeeded`);
}

/** Tables of a run that has succeeded and was left without them, for whatever reason, are loaded when it is launched again. */
async function loadLater(setup: Setup, launch: Launch): Promise<void> {
  const { lake, timing, stopping } = setup;
  const { run } = launch;
  const [record, status, found] = (await patiently({ timing, ending: stopping }, () =>
    Promise.all([lake.readJson(`${Prefix.runs}/${run}.json`), lake.readJson(statusKey(run)), findClaim(lake, run)]),
  )) as [RunRecord | undefined, RunStatus | undefined, Claim | undefined];
  if (record?.state !== "succeeded" || (status && status.state !== "succeeded")) return;
  await loadInTime(setup, { ...setup, launch, started: found?.launched.started ?? record.started });
}

/** Says so when it can't be done. Whoever stops the run stops this too, and its deadline doesn't. */
async function loadInTime({ stopping, timing }: Setup, loading: Omit<Loading, "ending">): Promise<void> {
  const { launch } = loading;
  const late = new AbortController();
  const ms = timing.loadMs ?? LOAD_MS;
  const timer = setTimeout(() => late.abort(new RunError(`it took longer than ${formatDuration(ms / 1000)}`)), ms);
  const ending = AbortSignal.any([stopping, late.signal]);
  try {
    await Promise.race([load({ ...loading, ending }), aborted(ending)]);
  } catch (error) {
    const { message } = readable(error, launch);
    log("WARNING", `run ${launch.run} has succeeded, and its tables are not in BigQuery: ${message}`);
  } finally {
    clearTimeout(timer);
  }
}

/** What is there after the last step: of a cluster, until when. */
async function clusterAfterRun(context: Context): Promise<RunStatus["cluster"]> {
  const { mode, cluster } = context.launch;
  const until = mode === DataprocMode.cluster ? await endsAt(context).catch(() => undefined) : undefined;
  return until === undefined ? undefined : { state: "RUNNING", reason: cluster, stays: until };
}

function readable(error: unknown, { project }: Launch): { readonly message: string } {
  if (error instanceof RunError) return { message: oneLine(error.message) };
  return { message: withCure(googleError(error).message, project) };
}

/** Asks at once and waits for no end: what was asked is done without us. */
async function cancel(machines: Machines): Promise<void> {
  try {
    await machines.cancel(AbortSignal.timeout(CANCEL_MS));
  } catch (error) {
    log("WARNING", `what is under way could not be cancelled, and ends at its own limits: ${(error as Error).message}`);
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
