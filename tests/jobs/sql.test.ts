/** Every panel of every job that comes along runs on DuckDB, and sqlglot reads its SQL alike for all engines. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { DuckDbEngine } from "../../assets/dashboard/engines/duckdb/engine.ts";
import { jobs } from "../../assets/jobs/registry.ts";
import { otherwiseRead } from "../../cli/sqlglot.ts";

const python = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));

const read = async (sql: Readonly<Record<string, string>>) => {
  const panels = Object.entries(sql).map(([name, text]) => ({ name, sql: text }));
  const problems = (await otherwiseRead(panels, python)) ?? [];
  return problems.map(({ panel, what }) => `${panel} ${what}`);
};

test("three parsers read every panel alike", async () => {
  const panels = Object.entries(jobs).flatMap(([name, kind]) =>
    kind.create({}).panels.map((panel) => [`${name}/${panel.name}`, panel.sql]),
  );
  expect(panels.length).toBeGreaterThan(3);
  expect(await read(Object.fromEntries(panels))).toEqual([]);
});

test("what another engine reads otherwise is told with its name", async () => {
  const told = await read({
    fine: "WITH m AS (SELECT a, avg(b) AS c FROM {t} GROUP BY a) SELECT a, sum(c) * 1e0 / count(*) AS d FROM m GROUP BY a ORDER BY a NULLS LAST LIMIT 5",
    nulls: "SELECT a FROM {t} ORDER BY a",
    quotes: 'SELECT "a" FROM {t}',
    colons: "SELECT a::char FROM {t}",
    list: "SELECT [a, a] AS a FROM {t}",
  });
  expect(told).toEqual([
    "nulls means something else to BigQuery than to DuckDB",
    "quotes means something else to BigQuery than to DuckDB",
    "colons means something else to Athena than to DuckDB",
    "colons means something else to BigQuery than to DuckDB",
    "list means something else to BigQuery than to DuckDB",
  ]);
});

test("where there is no sqlglot, that is told and not that all is well", async () => {
  expect(await otherwiseRead([{ name: "a", sql: "SELECT 1" }], "/nowhere/python")).toBeUndefined();
});

test("every panel runs on DuckDB, on tables that have no rows yet", async () => {
  const lake = mkdtempSync(join(tmpdir(), "oneoff-sql-"));
  try {
    for (const kind of Object.values(jobs)) {
      const job = kind.create({});
      const engine = new DuckDbEngine({ lake, job });
      for (const panel of job.panels) await engine.query(panel.sql, "1");
      await engine.close();
    }
  } finally {
    rmSync(lake, { recursive: true, force: true });
  }
});
