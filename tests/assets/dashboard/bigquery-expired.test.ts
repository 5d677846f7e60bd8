/** Runs whose rows were in the dataset, and are there no more: their files stay. */
// @module-tag go
import { createServer, request } from "node:http";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { engine, fake, loads, ONE, over, part, put, record, restart, SQL } from "./bigquery-toy.ts";
import type { Fault } from "./fake-bigquery.ts";
import { toy } from "./toy.ts";

const fault = (message: string): Fault => ({ code: 404, reason: "notFound", message });
const NO_TABLE = fault("Not found: Table test-project:ds.readings was not found in location EU");
const NO_DATASET = fault("Not found: Dataset test-project:ds was not found in location EU");
const LOADED = "2026-10-01T12:00:00Z";

const isOverDataset = (sql: string) => sql.includes("test-project.ds.");
/** Of each query that was begun, whether it read tables. */
const begun = () => fake.begun.map(({ query }) => isOverDataset(query));

/** What Google says of tables: when it was made, ISO 8601, or what is wrong. */
let made: Record<string, string | Fault>;
/** Tables that were asked about. */
let asked: string[];
/** Knows of tables too, which stands before the fake that knows of queries. */
let front: ReturnType<typeof createServer>;

beforeEach(async () => {
  made = Object.fromEntries(toy.tables.map(({ name }) => [name, "2026-09-01T00:00:00Z"]));
  asked = [];
  const { CLOUDSDK_API_ENDPOINT_OVERRIDES_BIGQUERY: behind } = fake.env;
  front = createServer((incoming, outgoing) => {
    const table = /\/datasets\/ds\/tables\/(\w+)/.exec(incoming.url ?? "")?.[1];
    if (table === undefined) {
      const { method, headers } = incoming;
      const passed = request(`${behind}${incoming.url}`, { method, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
        answer.pipe(outgoing);
      });
      incoming.pipe(passed);
      return;
    }
    asked.push(table);
    const at = made[table];
    const { code, ...error } = typeof at === "object" ? at : { code: 200 };
    outgoing.writeHead(code, { "Content-Type": "application/json" });
    const body = typeof at === "string" ? { creationTime: String(Date.parse(at)) } : { error: { code, ...error } };
    outgoing.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  process.env.CLOUDSDK_API_ENDPOINT_OVERRIDES_BIGQUERY = `http://127.0.0.1:${(front.address() as { port: number }).port}`;
  await engine.close();
  restart();
  await record("r1", over(60));
  await part("readings/run=r1/part-1.parquet");
});
afterEach(() => {
  front.close();
  front.closeAllConnections();
});

/** Says that all tables of a run were loaded then. */
const loadedThen = (run: string) =>
  put(
    `_loads/${run}.json`,
    JSON.stringify({ run, loaded: LOADED, tables: Object.fromEntries(toy.tables.map(({ name }) => [name, {}])) }),
  );

test.each([
  ["table", NO_TABLE],
  ["dataset", NO_DATASET],
])("a run whose %s is gone is read from its files, which is remembered for a while", async (_, error) => {
  vi.useFakeTimers({ toFake: ["Date"] });
  await loads("r1");
  fake.plan = (sql) => (isOverDataset(sql) ? { error } : ONE);
  const { columns } = await engine.query(SQL, "r1");
  expect(columns[0]?.values).toEqual([1]);
  await engine.query(SQL, "r1");
  expect(begun()).toEqual([true, false, false]);
  vi.setSystemTime(Date.now() + 11 * 60_000);
  fake.plan = () => ONE;
  await engine.query(SQL, "r1");
  expect(begun().at(-1)).toBe(true);
});

test("the query that found nothing is not billed for", async () => {
  await engine.close();
  // Room for one query of ten megabytes, and not for two.
  restart({ dailyScanBytes: 11e6, queryLimitBytes: 11e6 });
  await loads("r1");
  fake.plan = (sql) => (isOverDataset(sql) ? { error: NO_TABLE } : ONE);
  await expect(engine.query(SQL, "r1")).resolves.toMatchObject({ rows: 1 });
});

test("other runs go on to be read from the dataset", async () => {
  await record("r2", over(60));
  for (const run of ["r1", "r2"]) await loads(run);
  fake.plan = (sql) => (sql.includes("'r1'") ? { error: NO_TABLE } : ONE);
  await engine.query(SQL, "r1");
  await engine.query(SQL, "r2");
  expect(begun()).toEqual([true, false, true]);
});

test.each<[string, Record<string, string | Fault>, boolean]>([
  ["was there before", {}, true],
  ["was made by the loading itself", { readings: LOADED }, true],
  ["was made anew since", { readings: "2026-11-01T00:00:00Z" }, false],
  ["has expired", { readings: NO_TABLE }, false],
  ["can't be asked about", { readings: { ...NO_TABLE, code: 403, message: "Access Denied: Table" } }, true],
])("of a run whose table %s, the right rows are read", async (_, change, isThere) => {
  Object.assign(made, change);
  await loadedThen("r1");
  fake.plan = () => ONE;
  await Promise.all([engine.query(SQL, "r1"), engine.query(SQL, "r1")]);
  await engine.query(SQL, "r1");
  expect(begun()).toEqual([isThere, isThere, isThere]);
  // Once for all.
  expect(asked.sort()).toEqual(toy.tables.map(({ name }) => name).sort());
});

test("what else a query fails with is told, and no file is read", async () => {
  await loads("r1");
  fake.plan = () => ({ error: { code: 400, reason: "invalidQuery", message: "Unrecognized name: nonsense" } });
  await expect(engine.query(SQL, "r1")).rejects.toThrow("Unrecognized name: nonsense");
  fake.plan = () => ({ error: fault("Not found: Function nonsense") });
  await expect(engine.query(SQL, "r1")).rejects.toThrow("Not found: Function nonsense");
  expect(begun()).toEqual([true, true]);
});
