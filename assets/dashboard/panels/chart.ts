import { quote } from "../../../core/errors.ts";
import type { Choice, VegaLiteSpec } from "../../../core/panel.ts";
import { ColumnType } from "../../../core/table.ts";
import type { Fault } from "./problem.ts";

/** A column that a panel's SQL returns. */
export interface Returned {
  readonly name: string;
  readonly type: ColumnType;
}

/** What is wrong with what a panel makes of the columns that it gets. */
export function* drawing(
  chart: VegaLiteSpec,
  choice: Choice | undefined,
  columns: readonly Returned[],
): Generator<Fault> {
  const names = columns.map(({ name }) => name);
  const there = `its sql returns ${names.join(", ")}`;
  if (choice && !names.includes(choice.column)) {
    yield { what: `has a choice of column ${quote(choice.column)}, which its sql doesn't return`, cure: there };
  }
  const preferred = choice?.preferred;
  if (preferred !== undefined) {
    const column = columns.find(({ name }) => name === preferred);
    if (!column) yield { what: `prefers by column ${quote(preferred)}, which its sql doesn't return`, cure: there };
    else if (column.type !== ColumnType.boolean) {
      yield { what: `prefers by column ${quote(preferred)}, which is of type ${column.type}`, cure: "take a boolean" };
    }
  }
  const views = [...viewsOf(chart)];
  if (views.length === 0) {
    yield { what: "has a chart that draws nothing", cure: 'give it a mark, such as { mark: "bar" }, or a layer' };
    return;
  }
  for (const { mark } of views) {
    const type = typeof mark === "object" && mark !== null ? (mark as { readonly type?: unknown }).type : mark;
    if (!MARKS.includes(String(type)))
      yield { what: `has the mark ${quote(type)}`, cure: `marks are ${MARKS.join(", ")}` };
  }
  yield* fields(chart, columns, there);
}

const MARKS =
  "arc area bar boxplot circle errorband errorbar geoshape image line point rect rule square text tick trail".split(
    " ",
  );
const TYPES = ["quantitative", "temporal", "ordinal", "nominal", "geojson"];
/** What they yield is no value of the column. */
const COUNTS = ["count", "distinct", "valid", "missing"];

type Part = Readonly<Record<string, unknown>>;

/** The parts of a chart that have a mark. */
function* viewsOf(chart: Part): Generator<Part> {
  if ("mark" in chart) yield chart;
  for (const key of ["layer", "concat", "hconcat", "vconcat", "spec"]) {
    for (const part of [chart[key]].flat()) if (typeof part === "object" && part !== null) yield* viewsOf(part as Part);
  }
}

function* fields(chart: VegaLiteSpec, columns: readonly Returned[], there: string): Generator<Fault> {
  const use = new Use();
  use.look(chart);
  const made = (name: string) => use.made.has(name) || use.makesAny;
  const missing = [...use.fields].filter((name) => !made(name) && !columns.some((column) => column.name === name));
  for (const name of missing) {
    yield {
      what: `draws field ${quote(name)}, which neither its sql nor a transform of its chart returns`,
      cure: there,
    };
  }
  if (use.fields.size === 0) yield { what: "has a chart that uses no column", cure: `encode some: ${there}` };
  for (const { field, type, aggregate } of use.encoded) {
    if (type !== undefined && !TYPES.includes(String(type))) {
      yield { what: `draws field ${quote(field)} as ${quote(type)}`, cure: `types are ${TYPES.join(", ")}` };
    }
    const column = columns.find(({ name }) => name === field);
    if (type !== "quantitative" || !column || made(field) || COUNTS.includes(String(aggregate))) continue;
    if (column.type === ColumnType.string || column.type === ColumnType.date || column.type === ColumnType.timestamp) {
      yield {
        what: `draws field ${quote(field)} as a quantity, and it is a ${column.type}`,
        cure: column.type === ColumnType.string ? 'make it "nominal" or "ordinal"' : 'make it "temporal"',
      };
    }
  }
}

interface Encoded {
  readonly field: string;
  readonly type?: unknown;
  readonly aggregate?: unknown;
}

/** Fields that a chart reads, and those that its transforms make. */
class Use {
  readonly fields = new Set<string>();
  readonly made = new Set<string>();
  readonly encoded: Encoded[] = [];
  /** A transform makes fields that are called like values. */
  makesAny = false;

  look(part: unknown, key = ""): void {
    if (Array.isArray(part)) for (const each of part) this.look(each, key);
    else if (typeof part === "object" && part !== null) this.#object(part as Part, key);
    else if (typeof part === "string" && EXPRESSIONS.includes(key)) this.#expression(part);
  }

  #object(part: Part, key: string): void {
    if (key === "transform") this.#transform(part);
    if (key === "select") for (const field of strings(part.fields)) this.fields.add(columnOf(field));
    if (typeof part.field === "string") {
      const field = columnOf(part.field);
      this.fields.add(field);
      if (key !== "transform" && !INNER.includes(key)) this.encoded.push({ ...part, field });
    }
    for (const [name, value] of Object.entries(part)) if (!OTHERS.includes(name)) this.look(value, name);
  }

  #transform(part: Part): void {
    for (const name of READS) for (const field of strings(part[name])) this.fields.add(columnOf(field));
    const lookup = part.from as Part | undefined;
    const as = [...strings(part.as), ...(lookup ? strings(lookup.fields) : [])];
    const defaults = Object.keys(DEFAULTS).find((name) => name in part);
    for (const field of as.length > 0 || !defaults ? as : (DEFAULTS[defaults] as readonly string[]))
      this.made.add(field);
    for (const list of ["aggregate", "joinaggregate", "window"]) {
      if (!Array.isArray(part[list])) continue;
      for (const each of part[list] as readonly Part[]) for (const field of strings(each.as)) this.made.add(field);
    }
    if ("pivot" in part) this.makesAny = true;
  }

  #expression(text: string): void {
    for (const [, dotted, quoted] of text.matchAll(/\bdatum(?:\.([A-Za-z_]\w*)|\[\s*['"]([^'"]+)['"]\s*\])/g)) {
      this.fields.add((dotted ?? quoted) as string);
    }
  }
}

/** Where a text is an expression over `datum`. */
const EXPRESSIONS = ["filter", "calculate", "test", "and", "or", "not", "expr"];
/** What has names of its own, or data. */
const OTHERS = [
  "axis",
  "legend",
  "header",
  "config",
  "usermeta",
  "data",
  "datasets",
  "scale",
  "projection",
  "from",
  "as",
];
/** Where a field is read for something else than to be drawn. */
const INNER = ["aggregate", "joinaggregate", "window", "sort", "filter", "and", "or", "not", "test"];
/** What transforms read by names of fields. */
const READS = [
  "groupby",
  "fold",
  "flatten",
  "stack",
  "impute",
  "key",
  "pivot",
  "value",
  "lookup",
  "density",
  "quantile",
  "regression",
  "loess",
  "on",
  "extent",
];
/** What they make where they don't say how it is called. */
const DEFAULTS: Readonly<Record<string, readonly string[]>> = {
  fold: ["key", "value"],
  density: ["value", "density"],
  quantile: ["prob", "value"],
};

const strings = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((each) => typeof each === "string");

/** `a.b` and `a[0]` are within column `a`; a backslash takes the meaning from what follows. */
const columnOf = (field: string): string => (/^(?:\\.|[^\\.[])+/.exec(field)?.[0] ?? field).replaceAll(/\\(.)/g, "$1");
