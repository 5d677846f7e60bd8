import { progressOf } from "../../assets/local/log.ts";
import { Prefix } from "../../components/lake/prefixes.ts";
import type { Bucket } from "./bucket.ts";

/** Where a step's log lies while it runs and after. */
export const logKey = (run: string, step: string): string => `${Prefix.logs}/${run}/${step}.log`;

/** A step as EMR knows it. */
export interface EmrStep {
  readonly cluster: string;
  readonly id: string;
  readonly ended: boolean;
}

/**
 * What a step has printed, from a position on. A step that ended before it could write its log has what EMR keeps, which
 * comes some minutes after.
 */
export async function stepLog(
  bucket: Bucket,
  run: string,
  step: string,
  from: number,
  emr: EmrStep | undefined,
): Promise<{ readonly text: string; readonly next: number }> {
  const live = await bucket.bytes(logKey(run, step), from);
  const found = live ?? (emr?.ended ? (await emrLog(bucket, emr)).subarray(from) : new Uint8Array());
  const whole = found.subarray(0, wholeCharacters(found));
  return { text: new TextDecoder().decode(whole), next: from + whole.length };
}

async function emrLog(bucket: Bucket, { cluster, id }: EmrStep): Promise<Uint8Array> {
  const folder = `${Prefix.logs}/emr/${cluster}/steps/${id}`;
  const parts = await Promise.all(["stderr.gz", "stdout.gz"].map((name) => bucket.gunzipped(`${folder}/${name}`)));
  return new TextEncoder().encode(parts.filter((part) => part !== "").join("\n"));
}

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
}

type ReadLog = (step: string, from: number) => Promise<{ readonly text: string; readonly next: number }>;
