import type { RunRecord } from "../../../core/run.ts";
import { decoration, h, setText } from "./dom.ts";
import { type LogPlace, LogView, REQUIREMENTS } from "./log-view.ts";
import { elapsed, STATE_SIGN, STATE_WORD, shownState, trouble } from "./runs.ts";
import { StepList } from "./steps.ts";
import type { Clock } from "./time.ts";

/** The last of a log comes some time after its run has said that it is over. */
const LATE_MILLISECONDS = 20_000;

let strips = 0;

/** How one run stands: its state, how long it has taken, its steps and their logs, and what went wrong. */
export class RunStrip {
  readonly element: HTMLElement;
  readonly #clock: Clock;
  readonly #state = h("span", { class: "state" });
  readonly #name = h("span", { class: "run-name" });
  readonly #elapsed = h("span", { class: "elapsed" });
  readonly #steps: StepList;
  readonly #trouble = h("p", { class: "trouble" });
  readonly #log: LogView;
  #record: RunRecord | undefined;
  #isAlone = true;
  #said = "";
  /** Run of which a log was opened, by itself or by somebody. */
  #opened: string | undefined;

  constructor(clock: Clock, place: LogPlace) {
    this.#clock = clock;
    strips += 1;
    const id = `log-${strips}`;
    this.#log = new LogView(id, place);
    this.#steps = new StepList(id, (step) => this.#choose(step));
    // The time is left out of what is announced: it changes every second.
    const announced = h("span", { role: "status", class: "announced" }, this.#state, this.#name);
    const line = h("div", { class: "strip-line" }, announced, this.#elapsed, this.#steps.element);
    this.element = h("div", { class: "strip" }, line, this.#trouble, this.#log.element);
  }

  /** @param isAlone whether no other run is beside it. */
  show(record: RunRecord, isAlone: boolean): void {
    this.#isAlone = isAlone;
    if (record.run !== this.#record?.run) this.#close();
    this.#record = record;
    this.tick();
  }

  tick(): void {
    const record = this.#record;
    if (!record) return;
    const now = this.#clock.now();
    setText(this.#elapsed, elapsed(record, now));
    this.#log.tick(this.#grows(record));
    const state = shownState(record, now);
    const said = JSON.stringify([state, record]);
    if (said === this.#said) return;
    this.#said = said;
    this.element.dataset.state = state;
    this.#state.replaceChildren(decoration(STATE_SIGN[state]), ` ${STATE_WORD[state]}`);
    setText(this.#name, record.run);
    this.#steps.show(record.steps, state === "running");
    this.#steps.mark(this.#log.step);
    const wrong = trouble(record, now);
    this.#trouble.hidden = wrong === undefined;
    setText(this.#trouble, wrong ?? "");
    if (wrong !== undefined && this.#isAlone && this.#opened !== record.run) void this.#openStuck(record);
  }

  #choose(step: string): void {
    const record = this.#record as RunRecord;
    if (this.#log.step === step) this.#close();
    else void this.#open(record, step);
  }

  #open(record: RunRecord, step: string): Promise<boolean> {
    this.#opened = record.run;
    this.#steps.mark(step);
    return this.#log.open(record.run, step, this.#grows(record));
  }

  /** The step at which a run ended that went wrong; before the first, what they require was being installed. */
  async #openStuck(record: RunRecord): Promise<void> {
    const at = (wanted: string) => record.steps.find(({ state }) => state === wanted)?.name;
    const step = at("failed") ?? at("running") ?? REQUIREMENTS;
    const isThere = await this.#open(record, step);
    if (!isThere && step === REQUIREMENTS && this.#log.step === step) this.#close();
  }

  #close(): void {
    this.#log.close();
    this.#steps.mark(undefined);
  }

  #grows(record: RunRecord): boolean {
    const now = this.#clock.now();
    if (record.ended !== undefined) return now - Date.parse(record.ended) < LATE_MILLISECONDS;
    return shownState(record, now) === "running";
  }
}
