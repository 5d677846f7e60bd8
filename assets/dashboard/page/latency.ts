import { h, setText } from "./dom.ts";

/** Pictures that are counted. */
const MOST = 500;
/** How long after the last picture of something new the page still says that it is live. */
const LIVE_MILLISECONDS = 15_000;

/** How long after it happened something is seen. */
export class Latency {
  readonly element = h("span", { class: "live", title: "From when something happened until it was drawn here" });
  readonly #seconds: number[] = [];
  #last = Number.NEGATIVE_INFINITY;

  constructor() {
    this.tick();
  }

  /** Something that happened so many milliseconds ago is drawn now. */
  note(milliseconds: number): void {
    this.#last = performance.now();
    this.#seconds.push(milliseconds / 1000);
    if (this.#seconds.length > MOST) this.#seconds.shift();
  }

  tick(): void {
    this.element.hidden = performance.now() - this.#last > LIVE_MILLISECONDS;
    if (this.element.hidden) this.#seconds.length = 0;
    else setText(this.element, `Live: 95 % seen within ${this.#percentile(0.95).toFixed(2)} s`);
  }

  #percentile(part: number): number {
    const sorted = this.#seconds.toSorted((a, b) => a - b);
    return sorted[Math.ceil(part * sorted.length) - 1] ?? 0;
  }
}
