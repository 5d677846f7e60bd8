import type { ResultColumn, Value } from "../engine.ts";
import { h } from "./dom.ts";
import type { Row } from "./rows.ts";
import { counted, exactly } from "./time.ts";

/** More are no help to a reader and a burden to the browser. */
const SHOWN_ROWS = 200;

const significant = new Intl.NumberFormat("en-GB", { maximumSignificantDigits: 6 });

/** A double to read. */
export const spelled = (value: number, format = (regular: number) => significant.format(regular)): string =>
  Number.isFinite(value) ? format(value) : value === Infinity ? "∞" : value === -Infinity ? "−∞" : "NaN";

const CELL: Partial<Record<ResultColumn["type"], (value: never) => string>> = {
  integer: (value: number) => counted.format(value),
  double: (value: number) => spelled(value),
  timestamp: (value: number) => exactly(value),
  date: (value: number) => new Date(value).toLocaleDateString("en-GB", { dateStyle: "medium" }),
};

/** The rows behind a chart, to read: filled only while it is open. */
export class DataTable {
  readonly element: HTMLDetailsElement;
  readonly #place = h("div", { class: "table", tabindex: "0", role: "region" });
  #columns: readonly ResultColumn[] = [];
  #rows: readonly Row[] = [];

  constructor(name: string) {
    this.#place.setAttribute("aria-label", name);
    this.element = h("details", {}, h("summary", {}, "Data as a table"), this.#place);
    this.element.addEventListener("toggle", () => this.#fill());
  }

  update(columns: readonly ResultColumn[], rows: readonly Row[]): void {
    this.#columns = columns;
    this.#rows = rows;
    this.#fill();
  }

  #fill(): void {
    if (!this.element.open) {
      this.#place.replaceChildren();
      return;
    }
    const shown = this.#rows.slice(0, SHOWN_ROWS);
    const left = this.#rows.length - shown.length;
    const more = left > 0 ? [h("p", {}, `The first ${SHOWN_ROWS} rows; there are ${counted.format(left)} more.`)] : [];
    this.#place.replaceChildren(
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h("tr", {}, ...this.#columns.map(({ name, type }) => h("th", { scope: "col", ...side(type) }, name))),
        ),
        h("tbody", {}, ...shown.map((row) => h("tr", {}, ...this.#columns.map((column) => cell(column, row))))),
      ),
      ...more,
    );
  }
}

function cell({ name, type }: ResultColumn, row: Row): HTMLElement {
  const value = row[name] ?? null;
  const text = value === null ? h("span", { class: "no-value", title: "no value" }, "–") : inWords(type, value);
  return h("td", side(type), text);
}

const inWords = (type: ResultColumn["type"], value: NonNullable<Value>): string =>
  CELL[type]?.(value as never) ?? String(value);

const side = (type: ResultColumn["type"]): Readonly<Record<string, string>> =>
  type === "integer" || type === "double" ? { class: "number" } : {};
