import type { Choice } from "../../../components/job/panel.ts";
import type { Value } from "../engine.ts";
import { labelled, setOptions } from "./dom.ts";
import type { Row } from "./rows.ts";
import { counted } from "./time.ts";

/** The control that picks which rows of a panel are drawn. */
export class ChoiceControl {
  readonly element: HTMLElement;
  readonly #choice: Choice;
  readonly #select = document.createElement("select");
  #values: readonly Value[] = [];
  /** What the viewer has chosen; until then it is the preferred value, whatever that comes to be. */
  #chosen: Value | undefined;

  constructor(choice: Choice, changed: () => void) {
    this.#choice = choice;
    this.element = labelled(choice.label, this.#select);
    this.element.hidden = true;
    this.#select.addEventListener("change", () => {
      this.#chosen = this.#values[Number(this.#select.value)];
      changed();
    });
  }

  /** Offers the values of these rows. */
  offer(rows: readonly Row[]): void {
    const { column, preferred } = this.#choice;
    const isPreferred = (row: Row) => preferred !== undefined && row[preferred] === true;
    this.#values = [...new Set(rows.map((row) => row[column] ?? null))];
    const best = new Set(rows.filter(isPreferred).map((row) => row[column] ?? null));
    const first = this.#values.findIndex((value) => best.has(value));
    const kept = this.#chosen === undefined ? -1 : this.#values.indexOf(this.#chosen);
    const text = (value: Value) => (typeof value === "number" ? counted.format(value) : String(value ?? "–"));
    const options = this.#values.map((value, i) => ({
      value: String(i),
      text: best.has(value) ? `${text(value)} (preferred)` : text(value),
    }));
    setOptions(this.#select, options, String(Math.max(0, kept >= 0 ? kept : first)));
    this.element.hidden = this.#values.length === 0;
  }

  /** Those that are to be drawn. */
  pick(rows: readonly Row[]): readonly Row[] {
    const value = this.#values[Number(this.#select.value)];
    return rows.filter((row) => (row[this.#choice.column] ?? null) === value);
  }

  /** What is chosen, as a clause for those who don't see the picture. */
  get spoken(): string {
    return `${this.#choice.label}: ${this.#select.selectedOptions[0]?.text ?? "none"}.`;
  }
}
