import type { Piece } from "../../../clients/lake/piece.ts";
import { MOST_LINES, textOf } from "./log-text.ts";

/** @param range as the header Range has it: "0-99", or "-100" for the last. @returns undefined where there is no log. */
export type ReadLog = (range: string) => Promise<Piece | undefined>;

/** How much of the end is read first. */
const END_BYTES = 64 * 1024;
/** How much is read at once after that, in either direction. */
const STEP_BYTES = 128 * 1024;
/** More at once is no help to a reader and a burden to the browser. */
export const MOST_BYTES = 512 * 1024;
/** So much of what is known is read again with what is not: a log in a bucket is written anew, and may be another. */
const OVERLAP_BYTES = 256;
const NEWLINE = 10;

/** A part of a log that reaches to its end, and grows in both directions. */
export class LogReader {
  readonly #read: ReadLog;
  #bytes: Uint8Array = new Uint8Array();
  #from = 0;
  #size: number | undefined;

  constructor(read: ReadLog) {
    this.#read = read;
  }

  /** Of the whole log; undefined where there is none. */
  get size(): number | undefined {
    return this.#size;
  }

  /** How many bytes there are before those that are known. */
  get earlierBytes(): number {
    return this.#from;
  }

  /** Whether as much is known as a page can show. */
  get isFull(): boolean {
    const lines = this.#bytes.reduce((count, byte) => (byte === NEWLINE ? count + 1 : count), 0);
    return this.#bytes.length + STEP_BYTES > MOST_BYTES || lines >= MOST_LINES;
  }

  get text(): string {
    return textOf(this.#bytes, this.#from === 0);
  }

  /** Reads the end, and forgets all else. */
  async end(): Promise<void> {
    this.#take(await this.#read(`-${END_BYTES}`));
  }

  /** Reads what was added; of more than is read at once the end. */
  async later(): Promise<void> {
    const known = this.#bytes.slice(-OVERLAP_BYTES);
    const next = this.#from + this.#bytes.length;
    const piece = await this.#read(`${next - known.length}-${next + STEP_BYTES - 1}`);
    if (!piece) return this.#take(piece);
    const reached = piece.from + piece.bytes.length;
    const goesOn = piece.from === next - known.length && same(piece.bytes.subarray(0, known.length), known);
    const all = joined(this.#bytes, piece.bytes.subarray(known.length));
    if (!goesOn || reached < piece.size || all.length > MOST_BYTES) return this.end();
    this.#take({ bytes: all, from: this.#from, size: piece.size });
  }

  /** Reads what is before. */
  async earlier(): Promise<void> {
    const known = this.#bytes.slice(0, OVERLAP_BYTES);
    const from = Math.max(0, this.#from - STEP_BYTES);
    const piece = await this.#read(`${from}-${this.#from + known.length - 1}`);
    if (!piece) return this.#take(piece);
    const before = piece.bytes.subarray(0, this.#from - from);
    const isSame = piece.from === from && same(piece.bytes.subarray(before.length), known);
    if (!isSame) return this.end();
    this.#take({ bytes: joined(before, this.#bytes), from, size: piece.size });
  }

  /** A log that is gone leaves what was read of it. */
  #take(piece: Piece | undefined): void {
    this.#size = piece?.size;
    if (!piece) return;
    this.#bytes = piece.bytes.slice();
    this.#from = piece.from;
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i]);

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
