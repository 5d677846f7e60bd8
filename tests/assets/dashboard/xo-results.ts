import type { Value } from "../../../assets/dashboard/engine.ts";
import { DuckDbEngine } from "../../../assets/dashboard/engines/duckdb/engine.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import type { ColumnType } from "../../../core/table.ts";
import { FakeLake } from "./fake-lake.ts";
import { FakeXo } from "./fake-xo.ts";

/** What a service would answer to a panel of xo, known by how its SQL begins. */
export interface XoResult {
  readonly begins: string;
  readonly types: Readonly<Record<string, ColumnType>>;
  readonly rows: readonly (readonly (string | null)[])[];
  /** Bytes, made up. */
  readonly scanned: number;
}

/** Results of every panel of xo over a whole run, as DuckDB finds them. */
export async function xoResults(): Promise<readonly XoResult[]> {
  const lake = await FakeLake.create();
  const job = xo();
  const engine = new DuckDbEngine({ lake: lake.path, job });
  try {
    await new FakeXo(lake, "1").all();
    return await Promise.all(
      job.panels.map(async ({ sql }, i) => {
        const { columns, rows } = await engine.query(sql, "1");
        const row = (at: number) => columns.map(({ values }) => asText(values[at] as Value));
        return {
          begins: sql.slice(0, sql.indexOf("{")),
          types: Object.fromEntries(columns.map(({ name, type }) => [name, type])),
          rows: Array.from({ length: rows }, (_, at) => row(at)),
          scanned: 40_000 * 9 ** i,
        };
      }),
    );
  } finally {
    await engine.close();
    await lake.remove();
  }
}

/** The one for a query of an engine, which begins as the panel's SQL does. */
export function resultOf<T extends Pick<XoResult, "begins">>(results: readonly T[], sql: string): T {
  const found = results.filter(({ begins }) => sql.startsWith(begins));
  if (found.length !== 1) throw new Error(`${found.length} panels begin as ${sql}`);
  return found[0] as T;
}

const asText = (value: Value) => (value === null ? null : String(value));
