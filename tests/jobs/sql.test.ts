/** Every panel of every job that comes along runs on DuckDB, and sqlglot reads its SQL alike for all engines. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { DuckDbEngine } from "../../assets/dashboard/engines/duckdb/engine.ts";
import { jobs } from "../../assets/jobs/registry.ts";
import { look } from "../../cli/looked.ts";
import { otherwiseRead } from "../../cli/sqlglot.ts";
import type { ShownJob } from "../../components/common/panels.ts";

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

const job = (...panels: readonly object[]) => ({
  name: "words",
  tables: [{ name: "words", about: "A word", columns: [{ name: "n", type: "integer" }] }],
  panels: panels.map((panel, at) => ({
    name: `p${at}`,
    title: "P",
    shows: "P.",
    sql: "SELECT n FROM {words}",
    chart: { mark: "bar", encoding: { x: { field: "n", type: "quantitative" } } },
    ...panel,
  })),
});

test("oneoff check: a line for each problem, and what is an error goes by the engine", async () => {
  const wrong = job(
    { sql: "SELECT m FROM {words}" },
    { sql: "SELECT n FROM {words} ORDER BY n" },
    { chart: { mark: "bar", transform: [{ calculate: "datum.n +", as: "m" }], encoding: { x: { field: "m" } } } },
  );
  const nulls =
    'job "words", panel "p1" has an ORDER BY without NULLS FIRST or NULLS LAST, and BigQuery puts nulls elsewhere: say which';
  const others = [
    'error    job "words", panel "p0" names column m, which its tables don\'t have: they have n',
    'error    job "words", panel "p2" has a chart that Vega-Lite can\'t compile, Unexpected end of input: correct its chart',
  ];
  const [column, chart] = others;
  expect(await look({ job: wrong, engine: "DuckDB" } as ShownJob)).toEqual({
    refused: true,
    lines: [column, `warning  ${nulls}`, chart, 'job "words": 3 panels of it looked at, as DuckDB shows them: refused'],
  });
  const { lines } = await look({ job: wrong, engine: "BigQuery" } as ShownJob);
  expect(lines[1]).toBe(`error    ${nulls}`);
  expect(await look({ job: job({ sql: "SELECT n FROM {words} ORDER BY n" }), engine: "Athena" } as ShownJob)).toEqual({
    refused: false,
    lines: [
      `warning  ${nulls.replace("p1", "p0")}`,
      'job "words": 1 panel of it looked at, as Athena shows them: fine',
    ],
  });
});

test("oneoff check says what it could not look at", async () => {
  vi.stubEnv("ONEOFF_PYTHON", "/nowhere/python");
  const { refused, lines } = await look({ job: job({}), engine: "DuckDB" } as ShownJob);
  vi.unstubAllEnvs();
  expect(refused).toBe(false);
  expect(lines).toEqual([
    "not looked at: whether Athena and BigQuery parse the SQL alike, since sqlglot is not here: npx --no oneoff setup",
    'job "words": 1 panel of it looked at, as DuckDB shows them: fine',
  ]);
});
