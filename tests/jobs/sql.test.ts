/** Every panel of every job that comes along: its SQL keeps to the subset, and runs on DuckDB. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { DuckDbEngine } from "../../assets/dashboard/engines/duckdb/engine.ts";
import { jobs } from "../../assets/jobs/registry.ts";

const script = fileURLToPath(new URL("./sql_subset.py", import.meta.url));
const python = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));

const problems = (panels: Readonly<Record<string, string>>) => {
  const { status, stdout, stderr } = spawnSync(python, [script], { input: JSON.stringify(panels), encoding: "utf8" });
  if (status !== 0 && stdout === "") throw new Error(stderr);
  return stdout.trim().split("\n").filter(Boolean);
};

test("every panel keeps to the subset", () => {
  const panels = Object.entries(jobs).flatMap(([name, kind]) =>
    kind.create({}).panels.map((panel) => [`${name}/${panel.name}`, panel.sql]),
  );
  expect(panels.length).toBeGreaterThan(3);
  expect(problems(Object.fromEntries(panels))).toEqual([]);
});

test("what doesn't run unchanged everywhere is found", () => {
  expect(
    problems({
      fine: "WITH m AS (SELECT a, avg(b) AS c FROM {t} GROUP BY a) SELECT a, sum(c) * 1e0 / count(*) AS d, CASE WHEN a > 1 THEN 'x' ELSE 'y' END AS e FROM m GROUP BY a ORDER BY a NULLS LAST LIMIT 5",
      nulls: "SELECT a FROM {t} ORDER BY a",
      division: "SELECT a / b FROM {t}",
      quotes: 'SELECT "a" FROM {t}',
      vendor: "SELECT approx_distinct(a) FROM {t}",
      unknown: "SELECT frobnicate(a) FROM {t}",
      double: "SELECT CAST(a AS DOUBLE) FROM {t}",
      colons: "SELECT a::char FROM {t}",
      drop: "DROP TABLE {t}",
      broken: "SELECT FROM WHERE",
    }).map((line) => line.replace(/ \(is NULLS.*|: .*/, "")),
  ).toEqual([
    "nulls means different things to trino, bigquery, duckdb",
    "division divides a; multiply it by 1e0 first",
    "quotes means different things to trino, bigquery, duckdb",
    "quotes quotes a name; the engines quote differently",
    "vendor uses APPROX_DISTINCT, which is not in the subset",
    "unknown uses FROBNICATE, which is not in the subset",
    "double casts to DOUBLE; types are BIGINT, DATE",
    "colons means different things to trino, bigquery, duckdb",
    "colons casts to CHAR; types are BIGINT, DATE",
    "colons casts with ::, which Athena doesn't know; write CAST",
    "drop is not a SELECT but DROP",
    "broken does not parse",
  ]);
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
