import type { RowsAnswer } from "../api.ts";
import type { ResultColumn, Value } from "../engine.ts";

/** A row of the page: times are milliseconds since 1970, doubles are numbers whatever their value. */
export type Row = Readonly<Record<string, Value>>;

/** Vega-Lite expects dates as numbers in rows that are put in later; a calendar day is one wherever it is looked at. */
const CHARTED: Partial<Record<ResultColumn["type"], (value: string) => number>> = {
  double: Number,
  timestamp: (value) => Date.parse(value),
  date: (value) => Date.parse(`${value}T00:00:00`),
};

/** Which rows are drawn, by their number. */
export type Drawn = (row: number) => boolean;

/** Rows for a chart. Only those that are drawn become objects: of a large result that is often a small part. */
export function rowsOf({ columns, rows }: Pick<RowsAnswer, "columns" | "rows">, isDrawn: Drawn): readonly Row[] {
  const drawn: Record<string, Value>[] = [];
  for (let i = 0; i < rows; i++) if (isDrawn(i)) drawn.push(rowOf(columns, i));
  return drawn;
}

function rowOf(columns: readonly ResultColumn[], i: number): Record<string, Value> {
  const row: Record<string, Value> = {};
  for (const { name, type, values } of columns) {
    const value = values[i] ?? null;
    row[name] = value === null ? null : (CHARTED[type]?.(value as string) ?? value);
  }
  return row;
}
