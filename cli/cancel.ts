import { setTimeout as sleep } from "node:timers/promises";
import { readJson } from "../clients/lake/read.ts";
import type { LakeStore } from "../clients/lake/store.ts";
import { MissingError, quote, UsageError } from "../core/errors.ts";
import { cancelKey, Prefix } from "../core/lake-layout.ts";
import {
  asWritten,
  CancelRequest,
  cancelledError,
  cancelledStatus,
  ENDS_SECONDS,
  isEndless,
  RunRecord,
  type RunStatus,
  recordedStatus,
} from "../core/run.ts";
import { Follower } from "./follow.ts";
import type { Attached } from "./platform.ts";
import { readRecords } from "./runs.ts";

const MOST_NAMED = 5;

/** What cancelling asks and tells whoever wants it. */
export interface Canceller {
  /** Throws where it is not to go on, told how the run is doing. It is not asked where somebody wanted it before. */
  agree(status: RunStatus): Promise<void>;
  /** In a sentence. */
  say(line: string): void;
}

/** What came of it. */
export interface CancelOutcome {
  /** How the run ended. */
  readonly status: RunStatus;
  /** Whether it had ended before it was asked to. */
  readonly wasOver: boolean;
}

/**
 * The run as it is before anybody cancels it.
 * @throws MissingError when there is no such run, UsageError when it can't be ended.
 */
export async function runToCancel(stack: string, attached: Attached, run: string): Promise<RunStatus> {
  const status = await new Follower(attached).status(run);
  if (!status || status.removed !== undefined) throw await noRun(stack, attached, run, status);
  if (status.state === "running" && !attached.cancel)
    throw new UsageError(`runs of stack ${stack} can't be cancelled: its cluster has no way to`);
  return status;
}

/**
 * Ends a run and keeps what it wrote: first the request, then what works for it, then its record. Each step is found done by
 * whoever comes later, so that it can be broken off at any moment and given again.
 *
 * @throws as {@link runToCancel}, and what `agree` throws.
 */
export async function cancelRun(
  stack: string,
  attached: Attached,
  run: string,
  { agree, say }: Canceller,
): Promise<CancelOutcome> {
  const { lake } = attached;
  const before = await runToCancel(stack, attached, run);
  const asked = await readRequest(lake, run);
  if (before.state !== "running" && !asked) return { status: before, wasOver: true };
  if (!asked) await agree(before);
  const request = asked ?? (await ask(lake, run));
  if (asked) say(`That was asked for at ${asked.at} already.`);
  if (isEndless(before) && !asked) await ended(attached, run, say);
  await attached.cancel?.(run, say);
  const record = await writeDown(lake, before, request);
  const after = (await new Follower(attached).status(run)) ?? before;
  // What the machines say may be older than the record.
  return { status: { ...after, ...recordedStatus(undefined, record) }, wasOver: before.state !== "running" };
}

/** Until it has ended itself, for as long as it has for that. */
async function ended({ lake, pollMs }: Attached, run: string, say: Canceller["say"]): Promise<void> {
  say(`Run ${run} is asked to end, and writes what it still has; it has ${ENDS_SECONDS} seconds for that.`);
  const until = Date.now() + ENDS_SECONDS * 1000;
  while (Date.now() < until) {
    const record = RunRecord.safeParse(await readJson(lake, `${Prefix.runs}/${run}.json`)).data;
    if (record && record.state !== "running") return;
    await sleep(pollMs);
  }
}

async function noRun(
  stack: string,
  { lake, run: own }: Attached,
  run: string,
  { removed }: Pick<RunStatus, "removed"> = {},
): Promise<MissingError> {
  if (removed !== undefined) return new MissingError(`run ${quote(run)} of stack ${stack} was removed at ${removed}`);
  if (run === own)
    return new MissingError(`run ${quote(run)} of stack ${stack} has not begun: there is nothing to cancel`);
  const records = (await readRecords(lake)).filter((record) => record.removed === undefined);
  const found = records.map((record) => record.run).sort();
  const some = found.slice(-MOST_NAMED).join(", ");
  const there =
    found.length === 0 ? "it has none yet" : `it has ${found.length > MOST_NAMED ? "among others " : ""}${some}`;
  return new MissingError(`--run is ${quote(run)}: stack ${stack} has no such run; ${there}`);
}

async function readRequest(lake: LakeStore, run: string): Promise<CancelRequest | undefined> {
  return CancelRequest.safeParse(await readJson(lake, cancelKey(run))).data;
}

/** Of several who ask at once the first counts. */
async function ask(lake: LakeStore, run: string): Promise<CancelRequest> {
  const request = { run, at: new Date().toISOString() };
  if (await lake.create(cancelKey(run), text(request))) return request;
  const other = await readRequest(lake, run);
  if (other) return other;
  throw new UsageError(`${cancelKey(run)} in lake ${lake.address} is no request to cancel a run: remove it`);
}

/** The record, written where nobody is left who would: whatever says already how the run ended is kept. */
async function writeDown(lake: LakeStore, before: RunStatus, request: CancelRequest): Promise<RunRecord> {
  const key = `${Prefix.runs}/${request.run}.json`;
  for (;;) {
    const listed = (await lake.list(key)).find((file) => file.key === key);
    const record = RunRecord.safeParse(await readJson(lake, key)).data; // no older than what was listed
    if (record && record.state !== "running") return record;
    const status = recordedStatus(undefined, record) ?? before;
    const ended = RunRecord.parse({ ...record, ...cancelledStatus(status, cancelledError(request)) });
    const content = text(asWritten(ended));
    if (await (listed ? lake.replace(key, content, listed.etag) : lake.create(key, content))) return ended;
  }
}

const text = (value: object): string => `${JSON.stringify(value, undefined, 2)}\n`;
