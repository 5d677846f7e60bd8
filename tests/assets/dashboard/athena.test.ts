import { expect, test, vi } from "vitest";
import type { QueryResult } from "../../../assets/dashboard/engine.ts";
import { nextLook } from "../../../assets/dashboard/engines/athena/run.ts";
import { billedMegabytes as billed } from "../../../assets/dashboard/engines/scan-budget.ts";
import { UsageError } from "../../../core/errors.ts";
import { engine, fake, ONE, over, part, record, restart, SQL, started, values } from "./athena-toy.ts";
import { tooLong } from "./too-long.ts";

const MB = 1024 * 1024;

test("a table in SQL is the chosen run's rows of it, and the text is the same every time", async () => {
  record("r1");
  fake.plan = () => ONE;
  await engine.query("SELECT m.total FROM {monthly} m JOIN {readings} ON true", "r1");
  part("readings/run=r1/part-1.parquet");
  await engine.query("SELECT m.total FROM {monthly} m JOIN {readings} ON true", "r1");
  expect(started().map(({ QueryString }) => QueryString)).toEqual(
    Array(2).fill(
      `SELECT m.total FROM (SELECT "total", "area", "month" FROM "db"."monthly" WHERE run = 'r1') m JOIN (SELECT "id", "value", "label", "good", "at", "day" FROM "db"."readings" WHERE run = 'r1') ON true`,
    ),
  );
  expect(started()[0]).toMatchObject({ WorkGroup: "wg", QueryExecutionContext: { Database: "db" } });
});

test("it looks at fixed times after a query's start: often at first, ever less", () => {
  const times = [0];
  while ((times.at(-1) as number) < 13_000) times.push(nextLook(times.at(-1) as number));
  expect(times.slice(0, 4)).toEqual([0, 100, 200, 300]);
  expect(times.filter((time) => time > 1700 && time <= 3000)).toEqual([1800, 1900, 2000, 2250, 2500, 2750, 3000]);
  expect(times.filter((time) => time > 9500)).toEqual([9750, 10_000, 11_000, 12_000, 13_000]);
  // A look that took long does not move those after it.
  expect([130, 199.9, 200, 2040, 2249, 10_700].map(nextLook)).toEqual([200, 200, 300, 2250, 2250, 11_000]);
});

test("a query that takes 310 ms is looked at four times, and once at least", async () => {
  fake.plan = () => ({ ...ONE, milliseconds: 310 });
  await engine.query(SQL, "r1");
  // On a machine that is busy some of the looks come too late to be worth it.
  expect([1, 2, 3, 4]).toContain(fake.called("GetQueryExecution").length);
});

test.each([
  ["runs", { state: "running" }, undefined],
  ["runs, and says otherwise too", { ...over(60.5), state: "running" }, undefined],
  ["ended just now", over(0.5), undefined],
  ["ended ten minutes ago", over(10.5), 9],
  ["failed an hour ago", { ...over(60.5), state: "failed" }, 59],
  ["ended long ago", over(60 * 24 * 30), 10_080],
  ["has ended, nobody knows when", { state: "succeeded" }, undefined],
])("of a run that %s, results are used again as long as they must be of all its rows", async (_, rest, minutes) => {
  record("r1", rest);
  fake.plan = () => ONE;
  const first = await engine.query(SQL, "r1");
  const second = await engine.query(SQL, "r1");
  const reuse =
    minutes === undefined ? undefined : { ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: minutes } };
  expect(started().map(({ ResultReuseConfiguration: found }) => found)).toEqual([reuse, reuse]);
  expect([first, second].map(({ statistics }) => statistics.bytesScanned)).toEqual([100, minutes ? 0 : 100]);
  expect(values(second)).toEqual({ n: [1] });
});

test("a run that nobody recorded can be queried, without using results again", async () => {
  fake.plan = () => ONE;
  expect(values(await engine.query(SQL, "r9"))).toEqual({ n: [1] });
  expect(started()[0].ResultReuseConfiguration).toBeUndefined();
});

test("a query that takes too long is stopped", async () => {
  fake.plan = () => ({ ...ONE, milliseconds: 60_000 });
  await expect(tooLong(fake, (signal) => engine.query(SQL, "r1", { signal }))).rejects.toThrow(
    "it took too long and was stopped",
  );
  expect(fake.called("StopQueryExecution")).toHaveLength(1);
  expect(fake.running).toBe(0);
});

test("a query that nobody wants is stopped, or not begun", async () => {
  fake.plan = () => ({ ...ONE, milliseconds: 60_000 });
  const controller = new AbortController();
  const answer = engine.query(SQL, "r1", { signal: controller.signal });
  answer.catch(() => undefined);
  await expect.poll(() => fake.running).toBe(1);
  controller.abort();
  await expect(answer).rejects.toThrow("it was cancelled");
  expect(fake.running).toBe(0);
  await expect(engine.query(SQL, "r1", { signal: controller.signal })).rejects.toThrow("it was cancelled");
  expect(fake.called("StartQueryExecution")).toHaveLength(1);
  expect(fake.called("StopQueryExecution")).toHaveLength(1);
});

test("when it closes, it stops what is under way and takes no more", async () => {
  fake.plan = () => ({ ...ONE, milliseconds: 60_000 });
  const answers = ["r1", "r2"].map((run) => engine.query(SQL, run).catch((error: Error) => error.message));
  await expect.poll(() => fake.running).toBe(2);
  await engine.close();
  expect(fake.running).toBe(0);
  expect(await Promise.all(answers)).toEqual(["it was cancelled", "it was cancelled"]);
  await expect(engine.query(SQL, "r1")).rejects.toThrow("the dashboard is ending");
});

test("Athena bills whole megabytes, and ten at least", () => {
  expect([0, 1, 10 * MB, 10 * MB + 1, 25 * MB].map(billed)).toEqual([10, 10, 10, 11, 25].map((n) => n * MB));
});

test("a day's share is what queries are billed for; the next day has its own", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-05-01T22:00:00Z") });
  restart({ dailyScanBytes: 100 * MB });
  fake.plan = (sql) => (sql.includes("bad") ? { state: "FAILED", reason: "no" } : { ...ONE, scanned: 45 * MB });
  record("old", { state: "succeeded", ended: "2026-04-01T00:00:00Z" });
  await engine.query(SQL, "r1");
  for (let i = 0; i < 20; i++) await expect(engine.query(`${SQL} -- bad`, "r1")).rejects.toThrow("no"); // free
  await engine.query(SQL, "old"); // 90 MB
  for (let i = 0; i < 3; i++) expect((await engine.query(SQL, "old")).statistics.bytesScanned).toBe(0); // used again: free
  fake.plan = () => ONE;
  await engine.query(SQL, "r1"); // 100 MB: what is small counts ten
  const begun = fake.called("StartQueryExecution").length;
  const message =
    "the dashboard has used up what it may scan in a day, 104857600 bytes (dailyScanBytes); it queries again from 00:00 UTC";
  await expect(engine.query(SQL, "r1")).rejects.toThrow(message);
  await expect(engine.query(SQL, "r1")).rejects.toMatchObject({ name: "QueryError" });
  expect(fake.called("StartQueryExecution")).toHaveLength(begun);
  vi.setSystemTime(new Date("2026-05-02T00:00:01Z"));
  expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
});

test("queries that run at the same time and those that are stopped count too", async () => {
  restart({ dailyScanBytes: 20 * MB });
  fake.plan = () => ({ ...ONE, milliseconds: 60_000, scanned: 15 * MB });
  const controller = new AbortController();
  const answer = engine.query(SQL, "r1", { signal: controller.signal }).catch((error: Error) => error.message);
  await expect.poll(() => fake.called("GetQueryExecution").length).toBeGreaterThan(1);
  controller.abort();
  expect(await answer).toBe("it was cancelled");
  fake.plan = () => ({ ...ONE, milliseconds: 300 });
  const both = [engine.query(SQL, "r1"), engine.query(SQL, "r2")];
  both[0]?.catch(() => undefined);
  await expect(both[1]).rejects.toThrow("used up");
  expect(values((await both[0]) as QueryResult)).toEqual({ n: [1] });
});

test.each(["DROP TABLE {readings}", "INSERT INTO {readings} SELECT 1", "UNLOAD (SELECT 1) TO 's3://x/'", ""])(
  "%j is refused",
  async (sql) => {
    await expect(engine.query(sql, "r1")).rejects.toThrow("it must be a SELECT");
    expect(fake.calls).toEqual([]);
  },
);

test.each(["(SELECT 1)", "-- why\n/* and\n how */ WITH a AS (SELECT 1) SELECT * FROM a", "  select 1"])(
  "%j is taken",
  async (sql) => {
    fake.plan = () => ONE;
    expect((await engine.query(sql, "r1")).rows).toBe(1);
  },
);

test.each(["", "../r1", "r'1", "r*", "a/b"])("run id %j is refused", async (run) => {
  await expect(engine.query(SQL, run)).rejects.toThrow(UsageError);
  await expect(engine.versions(run)).rejects.toThrow(UsageError);
  expect(fake.called("StartQueryExecution")).toEqual([]);
});

test("an unknown placeholder is the query's fault", async () => {
  await expect(engine.query("SELECT * FROM {nothing}", "r1")).rejects.toThrow(/^there is no table \{nothing\}$/);
});
