// @module-tag go
import { expect, test, vi } from "vitest";
import { billed } from "../../../assets/dashboard/engines/bigquery/run.ts";
import { UsageError } from "../../../core/errors.ts";
import {
  engine,
  fake,
  lake,
  loaded,
  loads,
  ONE,
  over,
  part,
  put,
  record,
  restart,
  SQL,
  values,
} from "./bigquery-toy.ts";
import { tooLong } from "./too-long.ts";

const MB = 1024 * 1024;
const JOIN = "SELECT m.total FROM {monthly} m JOIN {readings} ON true";

test("a table of a run that was loaded is its rows in the dataset, and the text is the same every time", async () => {
  await loaded("r1");
  fake.plan = () => ONE;
  await engine.query(JOIN, "r1");
  await part("readings/run=r1/part-2.parquet");
  await engine.query(JOIN, "r1");
  expect(fake.begun.map(({ query }) => query)).toEqual(
    Array(2).fill(
      "SELECT m.total FROM (SELECT `total`, `area`, `month` FROM `test-project.ds.monthly` WHERE run = 'r1') m JOIN (SELECT `id`, `value`, `label`, `good`, `at`, `day` FROM `test-project.ds.readings` WHERE run = 'r1') ON true",
    ),
  );
  const [first, second] = fake.called("query").map(({ input }) => input);
  expect(first).toMatchObject({
    useLegacySql: false,
    useQueryCache: true,
    location: "EU",
    maximumBytesBilled: "10000000000",
    labels: { "oneoff-lake": lake().slice("gs://".length), "oneoff-run": "r1" },
    jobCreationMode: "JOB_CREATION_OPTIONAL",
  });
  expect(first.requestId).not.toBe(second.requestId);
});

test("a table of any other run is its files, and one without files is empty", async () => {
  await record("r1");
  await part("monthly/run=r1/area=x/month=1/part-1.parquet");
  fake.plan = () => ONE;
  await engine.query(JOIN, "r1");
  const { query, ...rest } = fake.begun[0];
  expect(query).toBe(
    "SELECT m.total FROM (SELECT CAST(`total` AS FLOAT64) AS `total`, CAST(NULLIF(`area`, '__HIVE_DEFAULT_PARTITION__') AS STRING) AS `area`, CAST(`month` AS INT64) AS `month` FROM `files_of_monthly`) m JOIN (SELECT CAST(NULL AS INT64) AS `id`, CAST(NULL AS FLOAT64) AS `value`, CAST(NULL AS STRING) AS `label`, CAST(NULL AS BOOL) AS `good`, CAST(NULL AS TIMESTAMP) AS `at`, CAST(NULL AS DATE) AS `day` LIMIT 0) ON true",
  );
  expect(rest).toEqual({
    useLegacySql: false,
    // Files that come later must be seen.
    useQueryCache: false,
    maximumBytesBilled: "10000000000",
    tableDefinitions: {
      files_of_monthly: {
        sourceFormat: "PARQUET",
        sourceUris: [`${lake()}/monthly/run=r1/*.parquet`],
        hivePartitioningOptions: {
          mode: "CUSTOM",
          sourceUriPrefix: `${lake()}/monthly/{run:STRING}/{area:STRING}/{month:INTEGER}`,
        },
      },
    },
  });
  expect(fake.called("insert")[0]?.input).toMatchObject({
    jobReference: { projectId: "test-project", location: "EU", jobId: expect.stringMatching(/^oneoff_/) },
    configuration: { labels: { "oneoff-run": "r1" } },
  });
});

test.each([
  ["runs", () => record("r1"), false],
  ["runs again after it was loaded", () => record("r1").then(() => loads("r1")), false],
  ["is over, but was not loaded", () => record("r1", over(5)), false],
  ["was loaded in part", () => record("r1", over(5)).then(() => loads("r1", ["readings"])), false],
  ["was loaded", () => loaded("r1"), true],
  ["was loaded, and nobody recorded", () => loads("r1"), true],
])("of a run that %s, the right rows are read", async (_, prepare, isLoaded) => {
  await prepare();
  await part("readings/run=r1/part-1.parquet");
  fake.plan = () => ONE;
  await engine.query(SQL, "r1");
  expect(fake.begun[0].query.includes("test-project.ds.readings")).toBe(isLoaded);
  expect(fake.begun[0].query.includes("files_of_readings")).toBe(!isLoaded);
});

test("what does not say what was loaded is told to the log", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  await record("r1", over(5));
  await put("_loads/r1.json", JSON.stringify({ run: "r2", tables: {} }));
  fake.plan = () => ONE;
  await engine.query(SQL, "r1");
  expect(fake.called("insert")).toHaveLength(0);
  expect(fake.begun[0].query).toContain("LIMIT 0");
  expect(String(log.mock.calls[0]?.[0])).toMatch(/_loads\/r1\.json does not say what was loaded/);
});

test("partitions that BigQuery can't read out of folders' names are cast from text", async () => {
  const columns = [
    { name: "v", type: "integer" },
    { name: "x", type: "double" },
    { name: "b", type: "boolean" },
    { name: "d", type: "date" },
  ] as const;
  restart({ job: { name: "toy", tables: [{ name: "t", about: "", columns, partitions: ["x", "b", "d"] }] } });
  await part("t/run=r1/x=0.5/b=true/d=2026-01-01/part-1.parquet");
  fake.plan = () => ONE;
  await engine.query("SELECT v AS n FROM {t}", "r1");
  const [{ query, tableDefinitions }] = fake.begun;
  expect(query).toContain("CAST(NULLIF(`x`, '__HIVE_DEFAULT_PARTITION__') AS FLOAT64) AS `x`");
  expect(query).toContain("CAST(`d` AS DATE) AS `d`");
  expect(tableDefinitions.files_of_t.hivePartitioningOptions.sourceUriPrefix).toMatch(
    /\/t\/\{run:STRING\}\/\{x:STRING\}\/\{b:STRING\}\/\{d:DATE\}$/,
  );
});

test("a short query is one request beside the dry run, which is made once for a run that was loaded", async () => {
  await loaded("r1");
  fake.plan = () => ({ ...ONE, expected: 12_345 });
  const results = [await engine.query(SQL, "r1"), await engine.query(SQL, "r1")];
  expect(results.map(values)).toEqual([{ n: [1] }, { n: [1] }]);
  expect(results.map(({ statistics }) => [statistics.bytesScanned, statistics.bytesExpected])).toEqual([
    [100, 12_345],
    [0, 12_345], // BigQuery had the result
  ]);
  expect(fake.calls.map(({ operation }) => operation).sort()).toEqual(["dryRun", "query", "query"]);
  expect(fake.called("dryRun")[0]?.input.configuration.query.useQueryCache).toBe(false);
});

test("a slow query is waited for, and its rows come with the word that it is over", async () => {
  await loaded("r1");
  fake.plan = () => ({ ...ONE, milliseconds: 1400 });
  expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
  expect(fake.called("results")).toHaveLength(1);
  await part("readings/run=r2/part-1.parquet");
  expect(values(await engine.query(SQL, "r2"))).toEqual({ n: [1] });
  expect(fake.called("results")).toHaveLength(2);
});

test("what a dry run says of files is only told when it can't be more", async () => {
  await part("readings/run=r1/part-1.parquet");
  fake.plan = () => ({ ...ONE, expected: 0, accuracy: "LOWER_BOUND" });
  expect((await engine.query(SQL, "r1")).statistics).toEqual({ milliseconds: expect.any(Number), bytesScanned: 100 });
  fake.refuse("dryRun", { code: 400, reason: "invalid", message: "not now" });
  expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
});

test.each([
  ["of the dataset", () => loaded("r1")],
  ["of files", () => part("readings/run=r1/part-1.parquet")],
])("a query %s that takes too long is stopped", async (_, prepare) => {
  await prepare();
  fake.plan = () => ({ ...ONE, milliseconds: 60_000 });
  await expect(tooLong(fake, (signal) => engine.query(SQL, "r1", { signal }))).rejects.toThrow(
    "it took too long and was stopped",
  );
  expect(fake.called("cancel")).toHaveLength(1);
  expect(fake.running).toBe(0);
});

test("a query that nobody wants is stopped, or not begun", async () => {
  await loaded("r1");
  fake.plan = () => ({ ...ONE, milliseconds: 60_000 });
  const controller = new AbortController();
  const answer = engine.query(SQL, "r1", { signal: controller.signal });
  answer.catch(() => undefined);
  await expect.poll(() => fake.running).toBe(1);
  controller.abort();
  await expect(answer).rejects.toThrow("it was cancelled");
  expect(fake.running).toBe(0);
  await expect(engine.query(SQL, "r1", { signal: controller.signal })).rejects.toThrow("it was cancelled");
  expect(fake.called("query")).toHaveLength(1);
  expect(fake.called("cancel")).toHaveLength(1);
});

test("when it closes, it stops what is under way and takes no more", async () => {
  for (const run of ["r1", "r2"]) await loaded(run);
  fake.plan = () => ({ ...ONE, milliseconds: 60_000 });
  const answers = ["r1", "r2"].map((run) => engine.query(SQL, run).catch((error: Error) => error.message));
  await expect.poll(() => fake.running).toBe(2);
  await engine.close();
  expect(fake.running).toBe(0);
  expect(await Promise.all(answers)).toEqual(["it was cancelled", "it was cancelled"]);
  await expect(engine.query(SQL, "r1")).rejects.toThrow("the dashboard is ending");
});

test("BigQuery bills whole megabytes, and ten at least for each table", () => {
  expect([0, 1, 10 * MB, 10 * MB + 1, 25 * MB].map((bytes) => billed(bytes, 1))).toEqual(
    [10, 10, 10, 11, 25].map((n) => n * MB),
  );
  expect([0, 1, 3].map((tables) => billed(1, tables))).toEqual([10, 10, 30].map((n) => n * MB));
});

test("a day's share is what queries are billed for; the next day has its own", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-05-01T22:00:00Z") });
  restart({ dailyScanBytes: 100 * MB, queryLimitBytes: 50 * MB });
  const bad = { code: 400, reason: "invalidQuery", message: "no" };
  fake.plan = (sql) => (sql.includes("bad") ? { error: bad } : { ...ONE, scanned: 44.5 * MB });
  for (const run of ["r1", "r2", "r3"]) await loaded(run);
  await engine.query(SQL, "r1");
  for (let i = 0; i < 5; i++) await expect(engine.query(`${SQL} -- bad`, "r1")).rejects.toThrow("no"); // free
  await engine.query(SQL, "r2"); // 90 MB
  await expect(engine.query(`${SQL} -- more`, "r2")).rejects.toThrow(/^it would be billed for 47185920 bytes/);
  fake.plan = () => ONE;
  await engine.query(SQL, "r3"); // 100 MB: what is small counts ten
  const begun = fake.begun.length;
  const message =
    "the dashboard has used up what it may scan in a day, 104857600 bytes (dailyScanBytes); it queries again from 00:00 UTC";
  await expect(engine.query(SQL, "r3")).rejects.toThrow(message);
  await expect(engine.query(SQL, "r3")).rejects.toMatchObject({ name: "QueryError" });
  expect(fake.begun).toHaveLength(begun);
  vi.setSystemTime(new Date("2026-05-02T00:00:01Z"));
  expect(values(await engine.query(SQL, "r3"))).toEqual({ n: [1] });
});

test("results that BigQuery has already are free", async () => {
  restart({ dailyScanBytes: 35 * MB, queryLimitBytes: 12 * MB });
  await loaded("r1");
  fake.plan = () => ONE;
  for (let i = 0; i < 5; i++) expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
});

test("of a query that was stopped, only what it is billed for stays counted", async () => {
  restart({ dailyScanBytes: 38 * MB, queryLimitBytes: 20 * MB });
  await part("readings/run=r1/part-1.parquet");
  fake.plan = () => ({ ...ONE, milliseconds: 60_000, scanned: 15 * MB, accuracy: "LOWER_BOUND" });
  await expect(tooLong(fake, (signal) => engine.query(SQL, "r1", { signal }))).rejects.toThrow("stopped");
  fake.plan = () => ({ ...ONE, accuracy: "LOWER_BOUND" });
  await engine.query(SQL, "r1");
  expect(fake.begun.map(({ maximumBytesBilled: most }) => Number(most) / MB)).toEqual([20, 20]);
});

test("a query of more than is left of the day is refused before it begins", async () => {
  restart({ dailyScanBytes: 60 * MB, queryLimitBytes: 50 * MB });
  for (const run of ["r1", "r2"]) await loaded(run);
  fake.plan = (sql) => ({ ...ONE, scanned: sql.includes("'r1'") ? 40 * MB : 21 * MB });
  await engine.query(SQL, "r1");
  await expect(engine.query(SQL, "r2")).rejects.toThrow(
    /^it would be billed for 22020096 bytes, and of the 62914560 that the dashboard may scan in a day \(dailyScanBytes\) 20971520 are left until 00:00 UTC$/,
  );
  expect(fake.begun).toHaveLength(1);
  fake.plan = () => ({ ...ONE, scanned: 15 * MB });
  await engine.query(`${SQL} -- less`, "r2");
  expect(Number(fake.begun[1].maximumBytesBilled)).toBe(15 * MB); // and no more than was expected
});

test("where no dry run can tell, BigQuery itself refuses what is more than is left", async () => {
  restart({ dailyScanBytes: 60 * MB, queryLimitBytes: 50 * MB });
  await part("readings/run=r1/part-1.parquet");
  fake.plan = () => ({ ...ONE, scanned: 40 * MB, expected: 0, accuracy: "LOWER_BOUND" });
  await engine.query(SQL, "r1");
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^it would be billed for 41943040 bytes, more than is left of what the dashboard may scan in a day \(dailyScanBytes\)$/,
  );
  expect(fake.begun.map(({ maximumBytesBilled: most }) => Number(most) / MB)).toEqual([50, 20]);
  // What was refused is free.
  fake.plan = () => ({ ...ONE, expected: 0, accuracy: "LOWER_BOUND" });
  for (let i = 0; i < 2; i++) expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
  await expect(engine.query(SQL, "r1")).rejects.toThrow("used up");
});

test("a query of more than one may is refused by BigQuery", async () => {
  restart({ queryLimitBytes: 20 * MB });
  await loaded("r1");
  fake.plan = () => ({ ...ONE, scanned: 40 * MB });
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^it would be billed for 41943040 bytes, more than a query may \(queryLimitBytes is 20971520\); read fewer columns or rows, or raise the limit$/,
  );
});

test("queries that run at the same time and those that are stopped count too", async () => {
  restart({ dailyScanBytes: 40 * MB, queryLimitBytes: 20 * MB });
  await loaded("r1");
  fake.plan = () => ({ ...ONE, milliseconds: 60_000, scanned: 15 * MB });
  const controller = new AbortController();
  const answer = engine.query(SQL, "r1", { signal: controller.signal }).catch((error: Error) => error.message);
  await expect.poll(() => fake.running).toBe(1);
  controller.abort();
  expect(await answer).toBe("it was cancelled"); // 15 MB
  fake.plan = () => ({ ...ONE, milliseconds: 1500, scanned: 15 * MB });
  const slow = engine.query(`${SQL} -- 2`, "r1"); // 30 MB
  await expect.poll(() => fake.running).toBe(1);
  await expect(engine.query(`${SQL} -- 3`, "r1")).rejects.toThrow(/10485760 are left/);
  expect(values(await slow)).toEqual({ n: [1] });
});

test.each(["DROP TABLE {readings}", "INSERT INTO {readings} SELECT 1", "EXPORT DATA OPTIONS() AS SELECT 1", ""])(
  "%j is refused",
  async (sql) => {
    await expect(engine.query(sql, "r1")).rejects.toThrow("it must be a SELECT");
    expect(fake.calls).toEqual([]);
  },
);

test.each(["", "../r1", "r'1", "r*", "a/b"])("run id %j is refused", async (run) => {
  await expect(engine.query(SQL, run)).rejects.toThrow(UsageError);
  await expect(engine.versions(run)).rejects.toThrow(UsageError);
  expect(fake.calls).toEqual([]);
});

test("an unknown placeholder is the query's fault", async () => {
  await expect(engine.query("SELECT * FROM {nothing}", "r1")).rejects.toThrow(/^there is no table \{nothing\}$/);
});
