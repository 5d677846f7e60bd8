import { QueryError } from "../engine.ts";

export const MEGABYTE = 1024 * 1024;
/** What a query that reads anything is billed at least, by Athena as by BigQuery. */
export const LEAST = 10 * MEGABYTE;

/** Whole megabytes, rounded up, and ten at least. */
export const billedMegabytes = (bytes: number): number => Math.max(LEAST, Math.ceil(bytes / MEGABYTE) * MEGABYTE);

/** Counts what queries are billed for, and takes no more of them once a day's share is spent. Days are those of UTC. */
export class ScanBudget {
  readonly #limit: number;
  #day = "";
  #spent = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that today's queries may still be billed for, those that are under way taken off. */
  get left(): number {
    const day = new Date().toISOString().slice(0, 10);
    if (day !== this.#day) this.#spent = 0;
    this.#day = day;
    return this.#limit - this.#spent;
  }

  /**
   * Takes a query in, for as many bytes.
   *
   * @returns what says how many bytes it is billed for by now.
   * @throws QueryError when the day's share is spent.
   */
  take(bytes: number): (bytes: number) => void {
    if (this.left <= 0) {
      throw new QueryError(
        `the dashboard has used up what it may scan in a day, ${this.#limit} bytes (dailyScanBytes); it queries again from 00:00 UTC`,
      );
    }
    let counted = bytes;
    this.#spent += counted;
    return (now) => {
      // Of a query that began the day before, the rest counts today.
      this.#spent = Math.max(0, this.#spent + now - counted);
      counted = now;
    };
  }
}
