import { setTimeout as sleep } from "node:timers/promises";
import { readJson } from "../clients/lake/read.ts";
import type { BillLine } from "../core/bill.ts";
import { cancelKey, Prefix } from "../core/lake-layout.ts";
import {
  CancelRequest,
  cancelledError,
  checkRunId,
  failedStatus,
  RunRecord,
  RunStatus,
  recordedStatus,
} from "../core/run.ts";
import { costSoFar, hoursBetween } from "./cost-so-far.ts";
import type { Attached, Evidence, Machines } from "./platform.ts";
import { type LogText, ProgressReader, stepLog } from "./step-log.ts";

/** How the runs of a stack do, by what its lake and its machines say. */
export class Follower {
  readonly #attached: Attached;
  readonly #readers = new Map<string, ProgressReader>();

  constructor(attached: Attached) {
    this.#attached = attached;
  }

  /** How often to ask while a run is watched, in milliseconds. */
  get pollMs(): number {
    return this.#attached.pollMs;
  }

  /**
   * How a run is doing; undefined while there is no such run.
   * @throws TransientError when it can't be told now and may be later.
   */
  async status(run: string): Promise<RunStatus | undefined> {
    checkRunId(run);
    const before = await this.#recorded(run);
    if (before?.removed !== undefined) return before;
    let machines = await this.#attached.machines(run, before);
    // What has ended may have said so after it was looked for.
    const recorded = machines?.over ? await this.#recordedNow(run, before) : before;
    if (recorded && !before) machines = await this.#attached.machines(run, recorded); // what they say depends on it
    const found = await this.#asAsked(runStatus(run, recorded, machines), recorded);
    if (!found || !machines) return found;
    const cost = this.#attached.bill && spentOn(found, machines, this.#attached.bill);
    return { ...(await this.#withProgress(found)), ...(cost !== undefined && { cost }) };
  }

  /** What a step has printed, from a position on. */
  async log(run: string, step: string, from: number): Promise<LogText> {
    const { lake, log } = this.#attached;
    return log ? log(checkRunId(run), step, from) : stepLog(lake, checkRunId(run), step, from);
  }

  /** What was printed where no step ran, once a run has failed. */
  async evidence(run: string): Promise<Evidence | undefined> {
    return this.#attached.evidence?.(checkRunId(run));
  }

  async #recorded(run: string): Promise<RunStatus | undefined> {
    const { lake, statusIsLast } = this.#attached;
    const [status, record] = await Promise.all([
      readJson(lake, `${Prefix.clusters}/${run}/status.json`),
      readJson(lake, `${Prefix.runs}/${run}.json`),
    ]);
    return recordedStatus(RunStatus.safeParse(status).data, RunRecord.safeParse(record).data, statusIsLast);
  }

  async #recordedNow(run: string, before: RunStatus | undefined): Promise<RunStatus | undefined> {
    if (before && before.state !== "running") return before;
    await sleep(this.#attached.lagMs ?? 0);
    return this.#recorded(run);
  }

  /** What the machines say of a run that was to be cancelled, and that none of them wrote down, is that it was. */
  async #asAsked(status: RunStatus | undefined, recorded: RunStatus | undefined): Promise<RunStatus | undefined> {
    if (status?.state !== "failed" || recorded?.state === "failed") return status;
    const asked = CancelRequest.safeParse(await readJson(this.#attached.lake, cancelKey(status.run))).data;
    if (!asked) return status;
    const steps = status.steps.map((step) =>
      step.state === "failed" ? { ...step, state: "cancelled" as const } : step,
    );
    return { ...status, state: "cancelled", error: cancelledError(asked), steps };
  }

  async #withProgress(status: RunStatus): Promise<RunStatus> {
    if (!this.#attached.progressInLogs) return status;
    const { run } = status;
    const reader = this.#readers.get(run) ?? new ProgressReader((step, from) => this.log(run, step, from));
    this.#readers.set(run, reader);
    const found = await reader.of(status.steps.filter(({ state }) => state === "running").map(({ name }) => name));
    const steps = status.steps.map((step) => ({
      ...step,
      ...(found.has(step.name) && { progress: found.get(step.name) }),
    }));
    return { ...status, steps };
  }
}

/** How a run is doing by what its lake and its machines say: a record that has ended counts most, then what runs the steps. */
export function runStatus(
  run: string,
  recorded: RunStatus | undefined,
  machines: Machines | undefined,
  now = new Date(),
): RunStatus | undefined {
  if (!machines) return recorded;
  const status = outcomeOf(knownOf(run, recorded, machines), recorded, machines, now);
  if (!machines.cluster) return status;
  const cluster = machines.cluster(status);
  const { cluster: _, ...rest } = status;
  return cluster ? { ...rest, cluster } : rest;
}

/** What a run has cost so far: its machines do until they end, which may be after the run. */
export function spentOn(status: RunStatus, machines: Machines, bill: readonly BillLine[], now = new Date()): number {
  const isGoing = status.state === "running" || machines.areThere;
  return costSoFar(bill, hoursBetween(status.started, isGoing ? now : (machines.ended ?? status.ended ?? now)));
}

/** What is known of a run while it goes on. */
function knownOf(run: string, recorded: RunStatus | undefined, machines: Machines): RunStatus {
  const { started, job, deadline, steps = [] } = machines;
  return {
    ...(recorded ?? { run, state: "running" }),
    job: recorded?.job ?? job ?? "the job",
    started,
    ...(deadline && { deadline }),
    steps: steps.length > 0 ? steps : (recorded?.steps ?? []),
  };
}

function outcomeOf(
  known: RunStatus,
  recorded: RunStatus | undefined,
  { outcome, over }: Machines,
  now: Date,
): RunStatus {
  const ended = (at: string | undefined) => recorded?.ended ?? at ?? now.toISOString();
  if (outcome && outcome.state !== "succeeded" && recorded?.state !== "cancelled")
    return { ...known, state: outcome.state, error: recorded?.error ?? outcome.error, ended: ended(outcome.at) };
  if (recorded && recorded.state !== "running") return { ...known, steps: lastOf(known.steps, recorded.steps) };
  if (outcome) return { ...known, state: "succeeded", ended: ended(outcome.at) };
  return over ? failedStatus(known, over.error, ended(over.at)) : known;
}

/** Steps of a record that has ended, with what else is known of them: a service may say for a while that the last one runs. */
function lastOf(steps: RunStatus["steps"], recorded: RunStatus["steps"]): RunStatus["steps"] {
  const states = new Map(recorded.map(({ name, state }) => [name, state]));
  return steps.map((step) => ({ ...step, state: states.get(step.name) ?? step.state }));
}
