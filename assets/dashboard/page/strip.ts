import type { RunRecord } from "../../../core/run.ts";
import { decoration, h, setText } from "./dom.ts";
import { elapsed, STATE_SIGN, STATE_WORD, shownState, trouble } from "./runs.ts";
import type { Clock } from "./time.ts";

type Step = RunRecord["steps"][number];

const STEP_SIGN: Readonly<Record<Step["state"], string>> = {
  pending: "○",
  running: "●",
  succeeded: "✓",
  failed: "✕",
  cancelled: "■",
};

/** How one run stands: its state, how long it has taken, its steps, and what went wrong. */
export class RunStrip {
  readonly element: HTMLElement;
  readonly #clock: Clock;
  readonly #state = h("span", { class: "state" });
  readonly #name = h("span", { class: "run-name" });
  readonly #elapsed = h("span", { class: "elapsed" });
  readonly #steps = h("ol", { class: "steps", "aria-label": "Steps" });
  readonly #trouble = h("p", { class: "trouble" });
  #record: RunRecord | undefined;
  #said = "";

  constructor(clock: Clock) {
    this.#clock = clock;
    // The time is left out of what is announced: it changes every second.
    const announced = h("span", { role: "status", class: "announced" }, this.#state, this.#name);
    const line = h("div", { class: "strip-line" }, announced, this.#elapsed, this.#steps);
    this.element = h("div", { class: "strip" }, line, this.#trouble);
  }

  show(record: RunRecord): void {
    this.#record = record;
    this.tick();
  }

  tick(): void {
    const record = this.#record;
    if (!record) return;
    const now = this.#clock.now();
    setText(this.#elapsed, elapsed(record, now));
    const state = shownState(record, now);
    const said = JSON.stringify([state, record]);
    if (said === this.#said) return;
    this.#said = said;
    this.element.dataset.state = state;
    this.#state.replaceChildren(decoration(STATE_SIGN[state]), ` ${STATE_WORD[state]}`);
    setText(this.#name, record.run);
    this.#steps.replaceChildren(...record.steps.map((step) => stepItem(step, state === "running")));
    const wrong = trouble(record, now);
    this.#trouble.hidden = wrong === undefined;
    setText(this.#trouble, wrong ?? "");
  }
}

function stepItem({ name, state }: Step, running: boolean): HTMLElement {
  // What a run that is over had not begun, it never will.
  const word = running ? state : state === "pending" ? "not begun" : state === "running" ? "not finished" : state;
  const spoken = h("span", { class: "hidden" }, `: ${word}`);
  return h("li", { "data-state": state, title: word }, decoration(STEP_SIGN[state], "sign"), name, spoken);
}
