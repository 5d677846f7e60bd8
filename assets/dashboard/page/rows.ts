import type { RowsAnswer } from "../api.ts";
import type { ResultColumn, Value } from "../engine.ts";

/** A row as the chart takes it: times are milliseconds since 1970. */
export type Row = Readonly<Record<string, Value>>;

/** Vega-Lite expects dates as numbers in rows that are put in later; a calendar day is one wherever it is looked at. */
const CHARTED: Partial<Record<ResultColumn["type"], (value: string) => number>> = {
  timestamp: (value) => Date.parse(value),
  date: (value) => Date.parse(`${value}T00:00:00`),
};

export function rowsOf({ columns, rows }: Pick<RowsAnswer, "columns" | "rows">): readonly Row[] {
  const cells = columns.map(({ name, type, values }) => {
    const convert = CHARTED[type];
    const charted = convert ? values.map((value) => (value === null ? null : convert(value as string))) : values;
    return [name, charted] as const;
  });
  return Array.from({ length: rows }, (_, i) => {
    const row: Record<string, Value> = {};
    for (const [name, values] of cells) row[name] = values[i] ?? null;
    return row;
  });
}
