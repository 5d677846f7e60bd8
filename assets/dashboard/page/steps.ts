import type { RunRecord } from "../../../core/run.ts";
import { decoration, h } from "./dom.ts";

type Step = RunRecord["steps"][number];

const STEP_SIGN: Readonly<Record<Step["state"], string>> = {
  pending: "○",
  running: "●",
  succeeded: "✓",
  failed: "✕",
  cancelled: "■",
};

/** The steps of a run, in their order; each opens its log. */
export class StepList {
  readonly element = h("ol", { class: "steps", "aria-label": "Steps" });
  readonly #choose: (step: string) => void;
  readonly #controls: string;
  #items: readonly StepItem[] = [];

  /** @param controls id of the element that a step opens. */
  constructor(controls: string, choose: (step: string) => void) {
    this.#controls = controls;
    this.#choose = choose;
  }

  /** Items stay as long as the steps are the same, and so does the keyboard's place among them. */
  show(steps: readonly Step[], isRunning: boolean): void {
    const names = (all: readonly { readonly name: string }[]) => JSON.stringify(all.map(({ name }) => name));
    if (names(steps) !== names(this.#items)) {
      this.#items = steps.map(({ name }) => new StepItem(name, this.#controls, () => this.#choose(name)));
      this.element.replaceChildren(...this.#items.map((item) => item.element));
    }
    for (const [i, { state }] of steps.entries()) this.#items[i]?.show(state, isRunning);
  }

  /** Marks the step whose log is open. */
  mark(open: string | undefined): void {
    for (const item of this.#items) item.mark(item.name === open);
  }
}

class StepItem {
  readonly name: string;
  readonly element: HTMLLIElement;
  readonly #button: HTMLButtonElement;

  constructor(name: string, controls: string, choose: () => void) {
    this.name = name;
    this.#button = h("button", { type: "button", "aria-expanded": "false", "aria-controls": controls });
    this.#button.addEventListener("click", choose);
    this.element = h("li", {}, this.#button);
  }

  show(state: Step["state"], isRunning: boolean): void {
    // What a run that is over had not begun, it never will.
    const word = isRunning ? state : state === "pending" ? "not begun" : state === "running" ? "not finished" : state;
    if (this.#button.dataset.word === word) return;
    this.#button.dataset.word = word;
    this.element.dataset.state = state;
    this.#button.title = `${word}; opens the step's log`;
    const spoken = h("span", { class: "hidden" }, `: ${word}`);
    this.#button.replaceChildren(decoration(STEP_SIGN[state], "sign"), this.name, spoken);
  }

  mark(isOpen: boolean): void {
    this.#button.setAttribute("aria-expanded", String(isOpen));
  }
}
