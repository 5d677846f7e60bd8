import type { LakeStore } from "../clients/lake/store.ts";
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

/** What a step has printed, from a position on, as its lake has it. */
export const stepLog = async (lake: LakeStore, run: string, step: string, from: number): Promise<LogText> =>
  textOf((await lake.bytes(logKey(run, step), from)) ?? new Uint8Array(), from);

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
