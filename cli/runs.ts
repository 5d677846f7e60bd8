/** The runs of a stack: what its lake says of them and, of its own, what its machines say too. */
import { readJson, sideBySide } from "../clients/lake/read.ts";
import type { LakeStore } from "../clients/lake/store.ts";
import { MissingError, quote } from "../core/errors.ts";
import { Prefix } from "../core/lake-layout.ts";
import { checkRunId, RunRecord, type RunStatus, recordedStatus } from "../core/run.ts";
import { costSoFar, hoursBetween } from "./cost-so-far.ts";
import { Follower } from "./follow.ts";
import type { Attached, ClusterKind, StackContext } from "./platform.ts";
import { secondsBetween } from "./when.ts";

/** `lost`: it says that it goes on, its deadline is over, and no machine says more. */
export type RunState = RunStatus["state"] | "lost";

/** A run as commands tell of it. */
export interface KnownRun {
  readonly status: RunStatus;
  readonly state: RunState;
  /** About, so far; undefined where nobody knows. */
  readonly usd: number | undefined;
  /** What its lake says. @default there is no record of it yet */
  readonly record?: RunRecord | undefined;
}

/** A stack that is up, for who asks for its runs. */
export class StackRuns {
  readonly stack: StackContext;
  readonly attached: Attached;
  readonly follower: Follower;
  /** Whether anything of it is billed. */
  readonly isBilled: boolean;

  /** Where it is: "AWS". */
  readonly platform: string;

  private constructor(stack: StackContext, { platform }: ClusterKind, attached: Attached) {
    this.stack = stack;
    this.attached = attached;
    this.follower = new Follower(attached);
    this.isBilled = platform.prices !== undefined;
    this.platform = platform.title;
  }

  static async of(stack: StackContext): Promise<StackRuns> {
    const { kindOf } = await import("./registry.ts");
    const kind = kindOf(stack);
    return new StackRuns(stack, kind, await kind.attach(stack));
  }

  get lake(): LakeStore {
    return this.attached.lake;
  }

  /** Newest first, without those that were removed. */
  async list(): Promise<readonly KnownRun[]> {
    const { run } = this.attached;
    const records = (await readRecords(this.lake)).filter(
      (record) => record.run !== run && record.removed === undefined,
    );
    const known = await Promise.all([this.one(run), ...records.map((record) => this.#known(record))]);
    return known
      .filter((found) => found !== undefined)
      .sort(
        (a, b) => Date.parse(b.status.started) - Date.parse(a.status.started) || (a.status.run < b.status.run ? 1 : -1),
      );
  }

  /** A run by its whole id; undefined when there is none, or it was removed. */
  async one(run: string): Promise<KnownRun | undefined> {
    return this.#one(run, await readRecord(this.lake, run));
  }

  /**
   * The id of the run that is meant.
   * @param given the beginning of an id that no other has. @default the stack's run
   * @throws MissingError when there is none, it was removed, or there are several.
   */
  async find(given: string | undefined, what = "--run"): Promise<string> {
    const { run } = this.attached;
    if (given === undefined || given === run) return run;
    const there = await this.#ids(checkRunId(given, what));
    if (there.includes(given)) {
      if ((await this.#withoutRemoved([given])).length === 1) return given;
      throw await this.missing(given);
    }
    if (await this.follower.status(given)) return given; // one without a record
    const fits = [...new Set([...(await this.#withoutRemoved(there)), ...(run.startsWith(given) ? [run] : [])])];
    const [only] = fits;
    if (only !== undefined && fits.length === 1) return only;
    if (fits.length > 1) throw new MissingError(`run ${quote(given)} fits ${list(fits)}: give more of it`);
    throw await this.missing(given);
  }

  /** What to say of a run that isn't there, or no more. */
  async missing(run: string): Promise<MissingError> {
    const removed = (await readRecord(this.lake, run))?.removed;
    if (removed !== undefined)
      return new MissingError(`run ${quote(run)} of stack ${this.stack.name} was removed at ${removed}`);
    const ids = (await this.list()).map(({ status }) => status.run);
    const there = ids.length === 0 ? "it has none yet" : `there ${ids.length === 1 ? "is" : "are"} ${list(ids)}`;
    return new MissingError(`stack ${this.stack.name} has no run ${quote(run)}: ${there}`);
  }

  /** Of what the lake has a record of. */
  async #ids(beginning: string): Promise<readonly string[]> {
    const keys = await this.lake.keys(`${Prefix.runs}/${beginning}`);
    return keys.map(runOf).filter((run) => run !== undefined);
  }

  async #withoutRemoved(runs: readonly string[]): Promise<readonly string[]> {
    const records = await Promise.all(runs.map((run) => readRecord(this.lake, run)));
    return runs.filter((_, i) => records[i]?.removed === undefined);
  }

  async #one(run: string, record: RunRecord | undefined): Promise<KnownRun | undefined> {
    const status = await this.follower.status(run);
    if (!status || status.removed !== undefined) return undefined;
    if (record && isOverdue(record) && status.state === "failed") return this.#lost(record, status.error);
    return { status, state: status.state, usd: this.isBilled ? status.cost : 0, record };
  }

  /** One of an earlier time. Its machines are gone where it has ended, or should have. */
  async #known(record: RunRecord): Promise<KnownRun | undefined> {
    if (isOverdue(record)) return this.#lost(record);
    if (record.state === "running") return this.#one(record.run, record);
    const status = recordedStatus(undefined, record) as RunStatus;
    const { bill } = this.attached;
    const spent = bill && status.ended ? costSoFar(bill, hoursBetween(status.started, status.ended)) : undefined;
    return { status, state: status.state, usd: this.isBilled ? spent : 0, record };
  }

  #lost(record: RunRecord, error?: string): KnownRun {
    const status = { ...(recordedStatus(undefined, record) as RunStatus), ...(error !== undefined && { error }) };
    return { status, state: "lost", usd: this.isBilled ? undefined : 0, record };
  }
}

/** Whether it says that it goes on, and its machines must have ended. */
const isOverdue = ({ state, deadline }: RunRecord): boolean =>
  state === "running" && deadline !== undefined && Date.parse(deadline) < Date.now();

/** A few names; of many the first. */
const list = (names: readonly string[], most = 8): string => {
  const more = names.length - most;
  return new Intl.ListFormat("en-GB").format(more > 1 ? [...names.slice(0, most), `${more} more`] : names);
};

/** The run that a key would be the record of; undefined when it is no record's. */
const runOf = (key: string): string | undefined => /^_runs\/([^./][^/]*)\.json$/.exec(key)?.[1];

export const recordKey = (run: string): string => `${Prefix.runs}/${run}.json`;

/** The record of a run; undefined where there is none that can be read. */
export async function readRecord(lake: LakeStore, run: string): Promise<RunRecord | undefined> {
  const found = RunRecord.safeParse(await readJson(lake, recordKey(run))).data;
  return found?.run === run ? found : undefined;
}

/** All that can be read. */
export async function readRecords(lake: LakeStore): Promise<readonly RunRecord[]> {
  const runs = (await lake.keys(`${Prefix.runs}/`)).map(runOf).filter((run) => run !== undefined);
  const found: RunRecord[] = [];
  await sideBySide(runs, async (run) => {
    const record = await readRecord(lake, run);
    if (record) found.push(record);
  });
  return found;
}

/** How long a run has taken, in seconds: until now where it goes on; undefined where it never said when it ended. */
export const secondsOf = ({ status, state }: KnownRun, now = new Date()): number | undefined => {
  const end = status.ended ?? (state === "running" ? now : undefined);
  return end === undefined ? undefined : secondsBetween(status.started, end);
};

/** A run as JSON has it: every key is there. */
export function runJson(known: KnownRun) {
  const { status, state, usd, record } = known;
  const seconds = secondsOf(known);
  return {
    run: status.run,
    job: status.job,
    state,
    started: iso(status.started),
    deadline: iso(status.deadline),
    ended: iso(status.ended),
    seconds: seconds === undefined ? null : Math.round(seconds),
    error: status.error ?? null,
    usd: usd ?? null,
    steps: status.steps.map(({ name, state, started, ended, progress }) => ({
      ...{ name, state, started: iso(started), ended: iso(ended) },
      seconds: started && ended ? Math.round(secondsBetween(started, ended)) : null,
      progress: progress ?? null,
    })),
    tables: record?.tables ?? {},
  };
}

const iso = (time: string | undefined): string | null => (time === undefined ? null : new Date(time).toISOString());
