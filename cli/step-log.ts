import { constants } from "node:buffer";
import type { LakeStore } from "../clients/lake/store.ts";
import { UsageError } from "../core/errors.ts";
import { logKey } from "../core/lake-layout.ts";
import { progressOf } from "../provider/log.ts";

export interface LogText {
  readonly text: string;
  readonly next: number;
}

/** Bytes of a log that begin at a position, as text without a character that is cut off at the end. */
export function textOf(bytes: Uint8Array, from: number): LogText {
  const whole = bytes.subarray(0, wholeCharacters(bytes));
  return { text: new TextDecoder().decode(whole), next: from + whole.length };
}

/** Of a long log that is an object its writer (assets/steps/step_log.py) keeps so much of the beginning, and the end. */
export const LOG_HEAD = 64 << 10;
/** The line between them. */
const GAP = /^\n\[(\d+) (bytes are left out here; [^\n]*\]\n)/;
const MOST_GAP = 200;

/** What is left out of a log after its head: how many bytes, and the line that says so. */
interface Gap {
  readonly left: number;
  readonly line: string;
  /** The end of the line. */
  readonly why: string;
}

/**
 * What a step has printed, from a position on, as its lake has it. Positions are those of all that it printed: a log that is an
 * object is written anew while it grows, and what it has then lies elsewhere in it.
 * @throws UsageError when it is longer than a text can be.
 */
export async function stepLog(
  lake: Pick<LakeStore, "address" | "bytes" | "piece">,
  run: string,
  step: string,
  from: number,
): Promise<LogText> {
  const key = logKey(run, step);
  const bytesFrom = async (at: number) => (await lake.bytes(key, at)) ?? new Uint8Array();
  const isObject = lake.address.includes("://");
  if (!isObject || from <= LOG_HEAD) {
    const bytes = await bytesFrom(from);
    if (bytes.length > constants.MAX_STRING_LENGTH) {
      throw new UsageError(
        `the log of step ${step} has ${Math.round(bytes.length / 1e6)} MB, too many to print: it is ${lake.address}/${key}`,
      );
    }
    const gap = isObject ? gapIn(bytes.subarray(LOG_HEAD - from)) : undefined;
    const { text, next } = textOf(bytes, from);
    return { text, next: next + shiftOf(gap) };
  }
  const gapNow = async () => gapIn((await lake.piece(key, { from: LOG_HEAD, length: MOST_GAP }))?.bytes);
  for (let gap = await gapNow(); ; ) {
    const start = Math.max(from, LOG_HEAD + (gap?.left ?? 0));
    const bytes = await bytesFrom(start - shiftOf(gap));
    const after = bytes.length > 0 ? await gapNow() : gap;
    if (after?.left === gap?.left) {
      const missed = start > from ? `\n[${start - from} ${gap?.why}` : "";
      const { text, next } = textOf(bytes, start);
      return { text: missed + text, next };
    }
    gap = after; // it was written anew in between
  }
}

function gapIn(bytes: Uint8Array = new Uint8Array()): Gap | undefined {
  const [line, left, why = ""] = GAP.exec(new TextDecoder().decode(bytes.subarray(0, MOST_GAP))) ?? [];
  return line === undefined ? undefined : { left: Number(left), line, why };
}

/** How much further on what comes after the gap was printed than it lies in the object. */
const shiftOf = (gap: Gap | undefined): number => (gap ? gap.left - gap.line.length : 0);

/** Number of bytes without a character of UTF-8 that is cut off at the end. */
export function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return bytes.length;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}

export interface Progress {
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

/** Follows the progress that steps print (`[oneoff] models 3/30`), reading only what is new. */
export class ProgressReader {
  readonly #read: ReadLog;
  readonly #seen = new Map<string, { readonly next: number; readonly rest: string; readonly progress?: Progress }>();

  constructor(read: ReadLog) {
    this.#read = read;
  }

  async progress(step: string): Promise<Progress | undefined> {
    const before = this.#seen.get(step) ?? { next: 0, rest: "" };
    const { text, next } = await this.#read(step, before.next);
    const lines = (before.rest + text).split("\n");
    const rest = lines.pop() as string;
    const progress = lines.map(progressOf).findLast((found) => found) ?? before.progress;
    this.#seen.set(step, { next, rest, ...(progress && { progress }) });
    return progress;
  }

  /** Of several steps, by their names. */
  async of(steps: readonly string[]): Promise<ReadonlyMap<string, Progress>> {
    const found = await Promise.all(steps.map(async (step) => [step, await this.progress(step)] as const));
    return new Map(found.filter((entry): entry is [string, Progress] => entry[1] !== undefined));
  }
}

type ReadLog = (step: string, from: number) => Promise<LogText>;
