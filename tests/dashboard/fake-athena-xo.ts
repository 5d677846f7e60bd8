import { DuckDbEngine } from "../../assets/dashboard/duckdb.ts";
import type { Value } from "../../assets/dashboard/engine.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import type { Plan } from "./fake-athena.ts";
import { FakeLake } from "./fake-lake.ts";
import { FakeXo } from "./fake-xo.ts";

const ATHENA_TYPE = {
  string: "varchar",
  integer: "bigint",
  double: "double",
  boolean: "boolean",
  timestamp: "timestamp",
  date: "date",
} as const;

/** What Athena would answer to a panel of xo, known by how its SQL begins. */
export interface XoPlan extends Plan {
  readonly begins: string;
}

/** Results of every panel of xo over a whole run, as DuckDB finds them. */
export async function xoPlans(): Promise<readonly XoPlan[]> {
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
          columns: Object.fromEntries(columns.map(({ name, type }) => [name, ATHENA_TYPE[type]])),
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

/** The plan for a query of the Athena engine. */
export function planOf(plans: readonly XoPlan[], sql: string): Plan {
  const found = plans.filter(({ begins }) => sql.startsWith(begins));
  if (found.length !== 1) throw new Error(`${found.length} panels begin as ${sql}`);
  return found[0] as Plan;
}

const asText = (value: Value) => (value === null ? null : String(value));
