import { createRequire } from "node:module";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import type { QueryResult } from "../../../assets/dashboard/engine.ts";
import { BigQueryEngine } from "../../../assets/dashboard/engines/bigquery/engine.ts";
import { type FakeStorage, startStorage } from "../../google/storage.ts";
import { FakeBigQuery, type Plan } from "./fake-bigquery.ts";
import { toy } from "./toy.ts";

/** BigQuery, a bucket and the engine that queries them, new for each test of the file that imports this. */
export let fake: FakeBigQuery;
export let engine: BigQueryEngine;
let storage: FakeStorage;
let bucket: string;
let buckets = 0;

export const PLACE = {
  project: "test-project",
  location: "EU",
  dataset: "ds",
  dailyScanBytes: 1e12,
  queryLimitBytes: 1e10,
} as const;

/** The lake of the test that runs. */
export const lake = () => `gs://${bucket}`;

/** Puts another engine in place. */
export function restart(change: object = {}): void {
  engine = new BigQueryEngine({ ...PLACE, lake: lake(), job: toy, ...change });
}

/** The client library waits for seconds before it tries something again. */
const require = createRequire(import.meta.url);
const common = createRequire(createRequire(require.resolve("@google-cloud/bigquery")).resolve("@google-cloud/common"));
const { defaults } = common("retry-request") as { readonly defaults: { maxRetryDelay: number } };
defaults.maxRetryDelay = 0.05;

beforeAll(async () => {
  storage = await startStorage();
});

afterAll(() => storage.close());

beforeEach(async () => {
  fake = await FakeBigQuery.start();
  Object.assign(process.env, fake.env, storage.env);
  buckets += 1;
  bucket = `lake-${buckets}`;
  await storage.makeBucket(bucket);
  restart();
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await engine.close();
  fake.close();
});

const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString();

export const put = (path: string, text: string): Promise<void> => storage.put(bucket, path, text);

/** Writes a run's record, in place of an older one. */
export const record = (run: string, rest: object = {}): Promise<void> =>
  put(
    `_runs/${run}.json`,
    JSON.stringify({ run, job: "toy", state: "running", started: ago(600), steps: [], ...rest }),
  );

/** Of a run that ended so many minutes ago. */
export const over = (minutes: number) => ({ state: "succeeded", ended: ago(minutes) });

/** Says that tables of a run are in the dataset. */
export const loads = (run: string, tables: readonly string[] = toy.tables.map(({ name }) => name)): Promise<void> =>
  put(
    `_loads/${run}.json`,
    JSON.stringify({ run, tables: Object.fromEntries(tables.map((name) => [name, { job: "j", rows: 1 }])) }),
  );

/** A run that is over and in the dataset. */
export async function loaded(run: string): Promise<void> {
  await record(run, over(60));
  await loads(run);
}

/** Adds a file to the lake. */
export const part = (path: string): Promise<void> => put(path, "PAR1");

/** A query that counts, and what becomes of it. */
export const SQL = "SELECT count(*) AS n FROM {readings}";
export const ONE: Plan = { columns: { n: "INTEGER" }, rows: [["1"]], scanned: 100 };

export const values = ({ columns }: QueryResult) =>
  Object.fromEntries(columns.map((column) => [column.name, column.values]));
