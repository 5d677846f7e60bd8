import type { RunRecord } from "../../../core/run.ts";
import type { JobAnswer } from "../api.ts";
import { h, labelled, setOptions } from "./dom.ts";
import type { Latency } from "./latency.ts";
import { Origins } from "./origin.ts";
import { optionText } from "./runs.ts";
import { RunStrip } from "./strip.ts";
import type { Clock } from "./time.ts";

export interface HeaderActions {
  choose(run: string): void;
  /** Undefined ends the comparison. */
  compare(run: string | undefined): void;
}

/** The job's name, the choosers, and how the runs on display stand. */
export class Header {
  readonly #clock: Clock;
  readonly #job: JobAnswer;
  readonly #run = h("select");
  readonly #with = h("select");
  readonly #choosers: HTMLElement;
  readonly #place = h("div", { class: "strips" });
  readonly #origins = new Origins();
  #strips: readonly RunStrip[] = [];

  constructor(element: HTMLElement, job: JobAnswer, clock: Clock, latency: Latency, actions: HeaderActions) {
    this.#clock = clock;
    this.#job = job;
    this.#run.addEventListener("change", () => actions.choose(this.#run.value));
    this.#with.addEventListener("change", () => actions.compare(this.#with.value || undefined));
    this.#choosers = h("div", { class: "choosers" }, labelled("Run", this.#run), labelled("Compare with", this.#with));
    const bar = h(
      "div",
      { class: "bar" },
      h("h1", {}, h("img", { src: "icon.svg", alt: "", width: "26", height: "26" }), job.title),
      latency.element,
      this.#choosers,
    );
    element.replaceChildren(h("div", { class: "inner" }, bar, this.#place, this.#origins.element));
  }

  /** @param shown the chosen run and, when there is one, the run it is compared with. */
  update(runs: readonly RunRecord[], shown: readonly RunRecord[]): void {
    const now = this.#clock.now();
    const options = runs.map((record) => ({ value: record.run, text: optionText(record, now) }));
    this.#choosers.hidden = runs.length === 0;
    setOptions(this.#run, options, shown[0]?.run ?? "");
    const others = options.filter(({ value }) => value !== shown[0]?.run);
    setOptions(this.#with, [{ value: "", text: "no other run" }, ...others], shown[1]?.run ?? "");
    this.#with.disabled = others.length === 0;
    if (this.#strips.length !== shown.length) {
      this.#strips = shown.map((_, i) => this.#strips[i] ?? new RunStrip(this.#clock, this.#job));
      this.#place.replaceChildren(...this.#strips.map((strip) => strip.element));
    }
    this.#origins.update(shown);
    for (const [i, record] of shown.entries()) this.#strips[i]?.show(record, shown.length === 1);
  }

  tick(): void {
    for (const strip of this.#strips) strip.tick();
  }
}
