import { ColumnType } from "../../../../core/table.ts";
import { boolean, type Conversion, type Described, date, double, integer, string, typed } from "../../columns.ts";
import type { ResultColumn } from "../../engine.ts";
import { asQueryError, MOST_BYTES, tooLarge } from "../../results.ts";
import type { QueryAnswer } from "./call.ts";

const timestamp: Conversion = {
  type: ColumnType.timestamp,
  // Microseconds since 1970, because that is what is asked for.
  value: (text) => new Date(Math.floor(Number(text) / 1000)).toISOString(),
};
const datetime: Conversion = {
  type: ColumnType.timestamp,
  value: (text) => new Date(`${text.slice(0, "2012-01-01T00:00:00.000".length)}Z`).toISOString(),
};

/** By what BigQuery calls the type, in schemas of results and in SQL. */
const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  INTEGER: integer,
  INT64: integer,
  FLOAT: double,
  FLOAT64: double,
  NUMERIC: double,
  BIGNUMERIC: double,
  BOOLEAN: boolean,
  BOOL: boolean,
  STRING: string,
  DATE: date,
  TIMESTAMP: timestamp,
  DATETIME: datetime,
};

/**
 * Reads a result page by page.
 *
 * @throws QueryError when it is more than a page of the dashboard can show, or a type is none that a table may have.
 */
export async function columnsOf(
  first: QueryAnswer,
  next: (pageToken: string) => Promise<QueryAnswer>,
): Promise<readonly ResultColumn[]> {
  const columns: readonly Described[] = (first.schema?.fields ?? []).map(({ name, type, mode }) => ({
    name,
    type: mode === "REPEATED" ? `ARRAY<${type}>` : type,
  }));
  asQueryError(() => typed(columns, [], CONVERSIONS)); // before pages of what can't be shown are asked for
  const texts: (string | null)[][] = columns.map(() => []);
  let bytes = 0;
  for (let page = first; ; ) {
    for (const { f: cells } of page.rows ?? []) {
      for (const [i, { v: text }] of cells.entries()) {
        texts[i]?.push(text);
        bytes += text?.length ?? 0;
      }
    }
    // The first page tells about how large the others are.
    const expected = bytes * (Number(first.totalRows ?? 0) / (texts[0]?.length || 1));
    if (Math.max(bytes, expected) > MOST_BYTES) throw tooLarge(Math.max(bytes, expected));
    if (!page.pageToken) break;
    page = await next(page.pageToken);
  }
  return asQueryError(() => typed(columns, texts, CONVERSIONS));
}
