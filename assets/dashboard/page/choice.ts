import type { Choice } from "../../../core/panel.ts";
import type { ResultColumn, Value } from "../engine.ts";
import { labelled, setOptions } from "./dom.ts";
import type { Drawn } from "./rows.ts";
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

  /** Offers the values of these results. */
  offer(results: readonly (readonly ResultColumn[])[]): void {
    const { column, preferred } = this.#choice;
    const values = new Set<Value>();
    const best = new Set<Value>();
    for (const columns of results) {
      const isPreferred = valuesOf(columns, preferred);
      for (const [i, value] of valuesOf(columns, column).entries()) {
        values.add(value);
        if (isPreferred[i] === true) best.add(value);
      }
    }
    this.#values = [...values];
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

  /** Which rows of a result have the chosen value. */
  drawn(columns: readonly ResultColumn[]): Drawn {
    const chosen = this.#values[Number(this.#select.value)];
    const values = valuesOf(columns, this.#choice.column);
    return (row) => values[row] === chosen;
  }

  /** What is chosen, as a clause for those who don't see the picture. */
  get spoken(): string {
    return `${this.#choice.label}: ${this.#select.selectedOptions[0]?.text ?? "none"}.`;
  }
}

const valuesOf = (columns: readonly ResultColumn[], name: string | undefined): readonly Value[] =>
  columns.find((column) => column.name === name)?.values ?? [];
