import type { RunStatus } from "../core/run.ts";

/** What a rate is averaged over. */
const WINDOW_MS = 10_000;
/** Two answers that are closer say nothing of the speed. */
const LEAST_MS = 2000;

interface Sample {
  readonly at: number;
  readonly what: string;
  readonly done: number;
}

/** How fast the steps of a run are, worked out from one status after another. */
export class Rates {
  readonly #samples = new Map<string, readonly Sample[]>();

  /** Takes in how far the steps are now. */
  note({ steps }: RunStatus): void {
    const at = Date.now();
    for (const { name, progress } of steps) {
      if (!progress) continue;
      const { what, done } = progress;
      // What counts something else, or anew, is another thing.
      const before = (this.#samples.get(name) ?? []).filter((sample) => sample.what === what && sample.done <= done);
      const old = before.findLastIndex((sample) => sample.at <= at - WINDOW_MS);
      this.#samples.set(name, [...before.slice(Math.max(0, old)), { at, what, done }]);
    }
  }

  /** What a step does per second; undefined while that is not known. */
  of(step: string): number | undefined {
    const samples = this.#samples.get(step) ?? [];
    const [first, last] = [samples[0], samples.at(-1)];
    if (!first || !last || last.at - first.at < LEAST_MS) return undefined;
    return ((last.done - first.done) * 1000) / (last.at - first.at);
  }
}
