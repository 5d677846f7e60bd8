// @module-tag go
import { expect, test } from "vitest";
import { engine, fake, lake, loaded, ONE, part, record, restart, SQL, values } from "./bigquery-toy.ts";
import type { Fault } from "./fake-bigquery.ts";

const fault = (code: number, reason: string, message: string): Fault => ({ code, reason, message });

test.each<[string, Fault, RegExp]>([
  [
    "bad SQL",
    fault(400, "invalidQuery", "Syntax error: Expected end of input but got keyword FROM at [1:15]"),
    /^Syntax error: Expected end of input but got keyword FROM at \[1:15\]$/,
  ],
  [
    "an unknown column",
    fault(400, "invalidQuery", "Unrecognized name: nonsense; Did you mean value? at [1:8]"),
    /^Unrecognized name: nonsense; Did you mean value\? at \[1:8\]$/,
  ],
  [
    "a quota that is used up",
    fault(
      403,
      "quotaExceeded",
      "Custom quota exceeded: Your usage exceeded the custom quota for QueryUsagePerDay. More.",
    ),
    /^a quota of project test-project is used up: Custom quota exceeded: .*QueryUsagePerDay$/,
  ],
  [
    "no right to run queries",
    fault(
      403,
      "accessDenied",
      "Access Denied: Project p: User does not have bigquery.jobs.create permission in project p.",
    ),
    /^access was denied: the dashboard's service account lacks bigquery\.jobs\.create$/,
  ],
  [
    "no right to a table",
    fault(
      403,
      "accessDenied",
      "Access Denied: Table p:ds.readings: User does not have permission to query table p:ds.readings, or perhaps it does not exist.",
    ),
    /lacks bigquery\.tables\.getData$/,
  ],
  [
    "no right to the files",
    fault(
      403,
      "accessDenied",
      "Access Denied: BigQuery BigQuery: Permission denied while globbing file pattern. a@b.iam.gserviceaccount.com does not have storage.objects.list access to the Google Cloud Storage bucket.",
    ),
    /lacks storage\.objects\.list$/,
  ],
  [
    "an API that is off",
    fault(
      403,
      "accessNotConfigured",
      "BigQuery API has not been used in project 1 before or it is disabled. Enable it.",
    ),
    /^an API that it needs is not enabled in project test-project: BigQuery API has not been used in project 1/,
  ],
  [
    "a table that has expired",
    fault(404, "notFound", "Not found: Table test-project:ds.readings was not found in location EU"),
    /^the dataset's tables have expired: "ds" has no table "readings" any more; pulumi up --refresh makes it anew$/,
  ],
  [
    "no dataset",
    fault(404, "notFound", "Not found: Dataset test-project:ds was not found in location EU"),
    /^there is no dataset "ds" in location EU; pulumi up makes it$/,
  ],
  [
    "files that are gone",
    fault(404, "notFound", "Not found: URI gs://lake/readings/run=r1/*.parquet"),
    /^its files are no longer in the lake$/,
  ],
  [
    "its time over",
    fault(400, "timeout", "Operation timed out after 2.0 minutes."),
    /^it took too long and was stopped$/,
  ],
  ["a stop elsewhere", fault(400, "stopped", "Job execution was cancelled: User requested"), /^it was cancelled$/],
])("a query that ends with %s says so", async (_, error, message) => {
  await loaded("r1");
  fake.plan = () => ({ error });
  const thrown = await engine.query(SQL, "r1").catch((caught: Error) => caught);
  expect(thrown).toMatchObject({ name: "QueryError", message: expect.stringMatching(message) });
  expect((thrown as Error).cause).toMatchObject({ message: error.message });
  expect(fake.called("cancel")).toHaveLength(0);
});

test("a query that fails after a while says so too, and is free", async () => {
  restart({ dailyScanBytes: 15_000_000, queryLimitBytes: 12_000_000 });
  await part("readings/run=r1/part-1.parquet");
  for (let i = 0; i < 3; i++) {
    fake.plan = () => ({ milliseconds: 100, error: fault(400, "invalidQuery", "Division by zero: 1 / 0"), scanned: 1 });
    await expect(engine.query(SQL, "r1")).rejects.toThrow(/^Division by zero: 1 \/ 0$/);
  }
  expect(fake.called("results")).toHaveLength(3);
  fake.plan = () => ONE;
  expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
});

test("a query that was begun and cannot be followed is not left to run", async () => {
  await part("readings/run=r1/part-1.parquet");
  fake.plan = () => ({ ...ONE, milliseconds: 60_000 });
  fake.refuse("results", fault(403, "accessDenied", "Access Denied: no"));
  await expect(engine.query(SQL, "r1")).rejects.toThrow(/lacks bigquery\.jobs\.get$/);
  expect(fake.running).toBe(0);
});

test("that there is no lake is told as such", async () => {
  restart({ lake: "gs://elsewhere" });
  await expect(engine.runs()).rejects.toThrow("the lake's bucket is not there; pulumi up makes it");
  await expect(engine.versions("r1")).rejects.toMatchObject({ name: "QueryError" });
  restart({ lake: lake() });
  expect(await engine.runs()).toEqual([]);
});

test("when Google is not reached it says so", async () => {
  await record("r1");
  await engine.runs();
  fake.close();
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^Google was not reached \(ECONNREFUSED, bigquery\.jobs\.create\)$/,
  );
});

test("what is throttled is tried again, and given up in the end", async () => {
  await loaded("r1");
  fake.plan = () => ONE;
  fake.refuse("query", { ...fault(403, "rateLimitExceeded", "Exceeded rate limits: too many"), times: 1 });
  expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
  // One and the same query, however often it is asked for.
  expect(new Set(fake.called("query").map(({ input }) => input.requestId)).size).toBe(1);
  expect(fake.called("query")).toHaveLength(2);
  fake.refuse("query", fault(429, "rateLimitExceeded", "Exceeded rate limits: too many"));
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^Google takes no more requests for the moment \(rateLimitExceeded, bigquery\.jobs\.create\); try again in a minute$/,
  );
});

test("a job whose first answer was lost is not begun twice", async () => {
  await part("readings/run=r1/part-1.parquet");
  fake.plan = () => ONE;
  fake.loseAnswers("insert", 1);
  expect(values(await engine.query(SQL, "r1"))).toEqual({ n: [1] });
  expect(new Set(fake.called("insert").map(({ input }) => input.jobReference.jobId)).size).toBe(1);
  expect(fake.called("insert")).toHaveLength(2);
});
