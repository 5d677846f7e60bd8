/** What a speed is of. */
const WINDOW_MS = 10_000;
/** Counts that are closer say nothing of it. */
const LEAST_MS = 2000;

/** How fast something that is counted goes, of the last ten seconds. One that stands comes to 0. */
export class Speed {
  #counts: readonly { readonly at: number; readonly count: number }[] = [];

  note(count: number, now = Date.now()): void {
    this.#counts = [...this.#counts, { at: now, count }];
    this.#forget(now);
  }

  /** In a second; undefined while nobody knows. */
  perSecond(now = Date.now()): number | undefined {
    this.#forget(now);
    const [first, last] = [this.#counts[0], this.#counts.at(-1)];
    if (!first || !last || now - first.at < LEAST_MS) return undefined;
    return Math.max(0, (last.count - first.count) * 1000) / (now - first.at);
  }

  /** The last count before the window is what it begins with. */
  #forget(now: number): void {
    const before = this.#counts.findLastIndex(({ at }) => at <= now - WINDOW_MS);
    this.#counts = this.#counts.slice(Math.max(0, before));
  }
}
