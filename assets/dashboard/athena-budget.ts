import { QueryError } from "./engine.ts";

const MEGABYTE = 1024 * 1024;
/** What a query that reads anything is billed at least. */
const LEAST = 10 * MEGABYTE;

/** Bytes that Athena bills for scanning these: whole megabytes, and ten at least. */
export const billed = (bytes: number): number => Math.max(LEAST, Math.ceil(bytes / MEGABYTE) * MEGABYTE);

/** Counts what queries are billed for, and takes no more of them once a day's share is spent. Days are those of UTC. */
export class ScanBudget {
  readonly #limit: number;
  #day = "";
  #spent = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Takes a query in, at the least that it can cost.
   *
   * @returns what says how many bytes it is billed for by now.
   * @throws QueryError when the day's share is spent.
   */
  take(): (bytes: number) => void {
    const day = new Date().toISOString().slice(0, 10);
    if (day !== this.#day) this.#spent = 0;
    this.#day = day;
    if (this.#spent >= this.#limit) {
      throw new QueryError(
        `the dashboard has used up what it may scan in a day, ${this.#limit} bytes (dailyScanBytes); it queries again from 00:00 UTC`,
      );
    }
    let counted = LEAST;
    this.#spent += counted;
    return (bytes) => {
      // Of a query that began the day before, the rest counts today.
      this.#spent = Math.max(0, this.#spent + bytes - counted);
      counted = bytes;
    };
  }
}
