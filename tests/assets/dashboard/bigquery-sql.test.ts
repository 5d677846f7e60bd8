/** Every panel of every job that comes along, as it is sent to BigQuery: its text is BigQuery's SQL. */
// @module-tag go
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { jobs } from "../../../assets/jobs/registry.ts";
import type { Job } from "../../../core/job.ts";
import { engine, fake, loads, ONE, part, restart } from "./bigquery-toy.ts";

const python = fileURLToPath(new URL("../../../.oneoff/venv/bin/python", import.meta.url));

/** Prints what it finds wrong, by name, and the names of tables that are read. */
const PARSER = `
import json, sys, sqlglot
from sqlglot import exp
problems, tables = [], set()
for name, sql in json.load(sys.stdin).items():
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.SqlglotError as error:
        problems.append(f"{name}: {error}")
        continue
    tables |= {table.sql(dialect="bigquery") for table in tree.find_all(exp.Table)}
print(json.dumps({"problems": problems, "tables": sorted(tables)}))
`;

interface Parsed {
  readonly problems: readonly string[];
  readonly tables: readonly string[];
}

function parsed(texts: Readonly<Record<string, string>>): Parsed {
  const { stdout, stderr } = spawnSync(python, ["-c", PARSER], { input: JSON.stringify(texts), encoding: "utf8" });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout);
}

/** Texts that were sent for each panel of a job. */
async function sent(job: Job): Promise<Readonly<Record<string, string>>> {
  const texts: Record<string, string> = {};
  for (const run of ["loaded", "written", "empty"]) {
    for (const { name, sql } of job.panels) {
      await engine.query(sql, run);
      texts[`${job.name}/${name}, ${run}`] = fake.begun.at(-1).query;
    }
  }
  return texts;
}

test("every panel's text is BigQuery's SQL, over the dataset, over files, and over nothing", async () => {
  fake.plan = () => ONE;
  const names: string[] = [];
  let texts: Readonly<Record<string, string>> = {};
  for (const kind of Object.values(jobs)) {
    const job = kind.create({});
    restart({ job });
    const tables = job.tables.map(({ name }) => name);
    names.push(...tables);
    await loads("loaded", names);
    for (const name of tables) await part(`${name}/run=written/part-1.parquet`);
    texts = { ...texts, ...(await sent(job)) };
    await engine.close();
  }
  const { problems, tables } = parsed(texts);
  expect(problems).toEqual([]);
  expect(Object.keys(texts).length).toBeGreaterThan(3 * 3);
  // Of each job at least one table is read by either way.
  const read = tables.map((table) => table.replaceAll("`", ""));
  for (const kind of Object.values(jobs)) {
    const own = kind.create({}).tables.map(({ name }) => name);
    expect(own.some((name) => read.includes(`test-project.ds.${name}`))).toBe(true);
    expect(own.some((name) => read.includes(`files_of_${name}`))).toBe(true);
  }
});

test("what is no SQL of BigQuery's is found", () => {
  expect(parsed({ bad: "SELECT `a FROM (" }).problems).toHaveLength(1);
});
