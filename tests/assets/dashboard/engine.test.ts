import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { QueryResult } from "../../../assets/dashboard/engine.ts";
import { DuckDbEngine } from "../../../assets/dashboard/engines/duckdb/engine.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { UsageError } from "../../../core/errors.ts";
import { FakeLake } from "./fake-lake.ts";
import { FakeXo, SIZES } from "./fake-xo.ts";
import { readings, toy } from "./toy.ts";

let lake: FakeLake;
let engine: DuckDbEngine;

beforeEach(async () => {
  lake = await FakeLake.create();
  engine = new DuckDbEngine({ lake: lake.path, job: toy });
});

afterEach(async () => {
  await engine.close();
  await lake.remove();
});

const values = ({ columns }: QueryResult) => Object.fromEntries(columns.map((column) => [column.name, column.values]));
const types = ({ columns }: QueryResult) => Object.fromEntries(columns.map(({ name, type }) => [name, type]));
const count = async (run: string, table = "readings") =>
  values(await engine.query(`SELECT count(*) AS n FROM {${table}}`, run)).n?.[0];

const TYPES = { id: "integer", value: "double", label: "string", good: "boolean", at: "timestamp", day: "date" };

test("a table without files, in a lake without a folder, is empty and has its columns", async () => {
  const result = await engine.query("SELECT * FROM {readings}", "r1");
  expect(existsSync(lake.path)).toBe(false);
  expect(result.rows).toBe(0);
  expect(types(result)).toEqual(TYPES);
  expect(types(await engine.query("SELECT * FROM {monthly}", "r1"))).toEqual({
    total: "double",
    area: "string",
    month: "integer",
  });
});

test("a run grows file by file, and its version changes with each and only then", async () => {
  const version = async () => (await engine.versions("r1")).readings?.version;
  const empty = await version();
  expect(await version()).toBe(empty);
  await lake.part("readings", "r1", readings(10));
  const one = await version();
  expect(await count("r1")).toBe(10);
  await lake.part("readings", "r1", readings(5, 10));
  const two = await version();
  expect(await count("r1")).toBe(15);
  expect(new Set([empty, one, two]).size).toBe(3);
  await lake.part("readings", "r2", readings(1));
  await lake.part("monthly", "r1", "SELECT 1.0 AS total", "area=north/month=1");
  expect(await version()).toBe(two);
});

test("says when the newest rows were written, and nothing while there are none", async () => {
  const before = Date.now() - 1000;
  expect((await engine.versions("r1")).readings?.updated).toBeUndefined();
  await lake.part("readings", "r1", readings(1));
  const { readings: first, monthly } = await engine.versions("r1");
  expect(Date.parse(first?.updated as string)).toBeGreaterThan(before);
  expect(Date.parse(first?.updated as string)).toBeLessThan(Date.now() + 1000);
  expect(monthly?.updated).toBeUndefined();
});

test("only the chosen run's rows are read", async () => {
  await lake.part("readings", "r1", readings(3));
  await lake.part("readings", "r10", readings(7));
  expect(await count("r1")).toBe(3);
  expect(await count("r10")).toBe(7);
  expect(await count("r100")).toBe(0);
});

test("names that begin with a dot or an underscore are not read", async () => {
  const path = await lake.part("readings", "r1", readings(3));
  const content = await readFile(path);
  const folder = dirname(path);
  await mkdir(join(folder, "_temporary/0/task_1"), { recursive: true });
  await mkdir(join(folder, ".staging"), { recursive: true });
  const before = await engine.versions("r1");
  for (const name of [
    "_temporary/0/task_1/part-9.parquet",
    ".staging/part-9.parquet",
    ".part-9.parquet",
    "_x.parquet",
  ]) {
    await writeFile(join(folder, name), content);
  }
  await writeFile(join(folder, "_SUCCESS"), "");
  await writeFile(join(folder, "notes.txt"), "not rows");
  expect(await engine.versions("r1")).toEqual(before);
  expect(await count("r1")).toBe(3);
  await writeFile(join(folder, "part-9.parquet"), content);
  expect(await count("r1")).toBe(6);
});

test("partition folders below the run are columns of their declared types", async () => {
  await lake.part("monthly", "r1", "SELECT 1.5 AS total", "area=north%20west/month=1");
  await lake.part("monthly", "r1", "SELECT 2.5 AS total", "area=007/month=12");
  await lake.part("monthly", "r1", "SELECT 4.0 AS total", "area=__HIVE_DEFAULT_PARTITION__/month=12");
  const result = await engine.query("SELECT area, month, total FROM {monthly} ORDER BY total", "r1");
  expect(types(result)).toEqual({ area: "string", month: "integer", total: "double" });
  expect(values(result)).toEqual({ area: ["north west", "007", null], month: [1, 12, 12], total: [1.5, 2.5, 4] });
});

test("values come as JSON has them", async () => {
  await lake.part(
    "readings",
    "r1",
    `SELECT 9007199254740991::BIGINT AS id, 'NaN'::DOUBLE AS value, NULL AS label, true AS good,
       TIMESTAMPTZ '2026-03-01 14:00:00.25+02' AS at, DATE '2026-02-28' AS day`,
  );
  const rows = await engine.query("SELECT * FROM {readings}", "r1");
  expect(types(rows)).toEqual(TYPES);
  expect(values(rows)).toEqual({
    id: [9007199254740991],
    value: ["NaN"],
    label: [null],
    good: [true],
    at: ["2026-03-01T12:00:00.250Z"],
    day: ["2026-02-28"],
  });
  const sums = await engine.query(
    "SELECT sum(id) AS big, count(*) AS n, CAST(1.25 AS DECIMAL(5, 2)) AS money FROM {readings}",
    "r1",
  );
  expect(values(sums)).toEqual({ big: [9007199254740991], n: [1], money: [1.25] });
  const numbers = await engine.query(
    `SELECT unnest(['1.5', 'NaN', 'Infinity', '-Infinity', NULL]::DOUBLE[]) AS double,
       unnest(['1.5', 'NaN', 'inf', '-inf', NULL]::FLOAT[]) AS float`,
    "r1",
  );
  const carried = [1.5, "NaN", "Infinity", "-Infinity", null];
  expect(values(numbers)).toEqual({ double: carried, float: carried });
  expect(types(sums)).toEqual({ big: "integer", n: "integer", money: "double" });
  await expect(engine.query("SELECT [1, 2] AS list", "r1")).rejects.toThrow(
    /^column list has type INTEGER\[\]; cast it/,
  );
});

test("files whose types are narrower than declared are read as declared", async () => {
  await lake.part(
    "readings",
    "r1",
    "SELECT 7::INTEGER AS id, 1::FLOAT AS value, 'a' AS label, true AS good, NULL::TIMESTAMP AS at, NULL::DATE AS day",
  );
  expect(types(await engine.query("SELECT * FROM {readings}", "r1"))).toEqual(TYPES);
});

test.each(["", ".", "..", "../r1", "a/b", "r1/../r2", "r*", "-r", "r 1", "r'1", "r1\n", "x".repeat(64)])(
  "run id %j is refused",
  async (run) => {
    await expect(engine.versions(run)).rejects.toThrow(UsageError);
    await expect(engine.query("SELECT * FROM {readings}", run)).rejects.toThrow(UsageError);
  },
);

test("a file outside the lake can't be read, in any way", async () => {
  const inside = await lake.part("readings", "r1", readings(3));
  const outside = join(dirname(lake.path), "outside.parquet");
  await writeFile(outside, await readFile(inside));
  await symlink(outside, join(lake.path, "link.parquet"));
  const read = (path: string) => engine.query(`SELECT count(*) AS n FROM read_parquet('${path}')`, "r1");
  // The same file can be read where it is allowed, so it is the place that is refused.
  expect(values(await read(inside)).n).toEqual([3]);
  for (const path of [
    outside,
    `${lake.path}/../outside.parquet`,
    `${lake.path}/link.parquet`,
    `${lake.path}-2/x.parquet`,
  ]) {
    await expect(read(path)).rejects.toThrow("file system operations are disabled");
  }
  const attempts = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
  ];
  for (const sql of attempts)
    await expect(engine.query(sql, "r1")).rejects.toThrow("file system operations are disabled");
});

test("nothing but one SELECT runs", async () => {
  await lake.part("readings", "r1", readings(3));
  const target = join(lake.path, "written.csv");
  const attempts = [
    `COPY (SELECT 1) TO '${target}'`,
    "CREATE TABLE t AS SELECT 1",
    "SET threads = 8",
    "PRAGMA threads = 8",
    `ATTACH '${join(lake.path, "x.duckdb")}'`,
    "INSTALL httpfs",
    "LOAD httpfs",
    "EXPLAIN SELECT 1",
    `SELECT 1; COPY (SELECT 1) TO '${target}'`,
    `SELECT * FROM query('COPY (SELECT 1) TO ''${target}''')`,
  ];
  for (const sql of attempts) await expect(engine.query(sql, "r1"), sql).rejects.toThrow(/SELECT/);
  expect(existsSync(target)).toBe(false);
  expect(await count("r1")).toBe(3);
});

test("an unknown placeholder and a bad query are errors of the query, in one sentence", async () => {
  await expect(engine.query("SELECT * FROM {nothing}", "r1")).rejects.toThrow(/^there is no table \{nothing\}$/);
  const error = await engine.query("SELECT nonsense FROM {readings}", "r1").catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ name: "QueryError", cause: expect.any(Error) });
  expect((error as Error).message).toMatch(/^Binder Error: Referenced column "nonsense" not found[^\n]*$/);
});

test("a query that takes too long is ended", async () => {
  const started = performance.now();
  const endless = "SELECT count(*) AS n FROM range(1000000) a, range(1000000) b";
  await expect(engine.query(endless, "r1", { signal: AbortSignal.timeout(200) })).rejects.toThrow("it took too long");
  expect(performance.now() - started).toBeLessThan(5000);
  expect(await count("r1")).toBe(0);
});

test("it closes when the queries that are under way are done, and takes no more", async () => {
  await lake.part("readings", "r1", readings(100_000));
  const sql = "SELECT id FROM {readings} ORDER BY value";
  const rows = Array.from({ length: 8 }, () => engine.query(sql, "r1").then((result) => result.rows));
  // They have begun: reading the folder comes before the database.
  await engine.versions("r1");
  await new Promise((resolve) => setTimeout(resolve, 20));
  await engine.close();
  expect(await Promise.all(rows)).toEqual(Array(8).fill(100_000));
  await expect(engine.query(sql, "r1")).rejects.toThrow("the dashboard is ending");
});

test("runs come newest first, and what is no record of this job is left out", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  expect(await engine.runs()).toEqual([]);
  await lake.record({ run: "old", job: "toy", started: "2026-03-01T09:00:00Z" });
  await lake.record({ run: "new", job: "toy", started: "2026-03-01T12:00:00+01:00" });
  await lake.record({ run: "other", job: "xo" });
  await writeFile(join(lake.path, "_runs/broken.json"), "{");
  await writeFile(join(lake.path, "_runs/renamed.json"), await readFile(join(lake.path, "_runs/old.json")));
  await writeFile(join(lake.path, "_runs/.new.json"), "{");
  const runs = async () => (await engine.runs()).map(({ run, state }) => `${run} ${state}`);
  expect(await runs()).toEqual(["new running", "old running"]);
  await lake.record({ run: "new", job: "toy", started: "2026-03-01T12:00:00+01:00", state: "succeeded" });
  expect(await runs()).toEqual(["new succeeded", "old running"]);
  // The log names each once, however often it is looked at.
  const said = log.mock.calls.map(([line]) => String(line).match(/_runs\/(\S+) is not the record of a run/)?.[1]);
  expect(said.sort()).toEqual(["broken.json", "renamed.json"]);
  log.mockRestore();
});

test("a lake may have any name", async () => {
  const odd = await FakeLake.create("it's [a] lake* of {mine}?");
  const other = new DuckDbEngine({ lake: odd.path, job: toy });
  await odd.part("readings", "r1", readings(4));
  expect(values(await other.query("SELECT count(*) AS n FROM {readings}", "r1")).n).toEqual([4]);
  await other.close();
  await odd.remove();
});

test("every panel of xo works from the first second to the last", async () => {
  const job = xo();
  const own = new DuckDbEngine({ lake: lake.path, job });
  const fake = new FakeXo(lake, "r1");
  const rows = async () =>
    Object.fromEntries(
      await Promise.all(job.panels.map(async ({ name, sql }) => [name, (await own.query(sql, "r1")).rows] as const)),
    );
  expect(await rows()).toEqual({ optimum: 0, points: 0, surface: 0, accuracy: 0, seconds: 0 });
  await fake.points(6000);
  expect(await rows()).toEqual({ optimum: 0, points: 5000, surface: 0, accuracy: 0, seconds: 0 });
  await fake.size(5, 2);
  await fake.size(30, 2);
  expect(await rows()).toEqual({ optimum: 0, points: 5000, surface: 10_000, accuracy: 4, seconds: 4 });
  await fake.optimum(30);
  expect(await rows()).toEqual({ optimum: 1, points: 5000, surface: 10_000, accuracy: 4, seconds: 4 });
  expect(SIZES).toContain(30);
  const accuracy = values(await own.query(job.panels.find(({ name }) => name === "accuracy")?.sql as string, "r1"));
  expect(accuracy.is_optimum).toEqual([false, false, true, true]);
  expect(accuracy.hidden).toEqual([5, 5, 30, 30]);
  const [, , first, second] = accuracy.accuracy as number[];
  expect(accuracy.mean?.[2]).toBeCloseTo(((first as number) + (second as number)) / 2, 12);
  expect((accuracy.high?.[2] as number) - (accuracy.low?.[2] as number)).toBeCloseTo(0.008, 12);
  await own.close();
});
