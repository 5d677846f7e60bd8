/**
 * What the dashboard adds to a query's own time, on an endpoint that takes exactly as long as it is told, beside bare calls
 * of the client library that it uses too. And how long the whole page takes to refresh.
 */
import type { BigQuery } from "@google-cloud/bigquery";
import { BigQueryEngine } from "../../assets/dashboard/engines/bigquery/engine.ts";
import { serve } from "../../assets/dashboard/server.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import { bigQueryClient } from "../../clients/google.ts";
import { xoPlans } from "../assets/dashboard/fake-bigquery-xo.ts";
import { type FakeStorage, startStorage } from "../google/storage.ts";
import type { Order } from "./bigquery-endpoint.ts";
import { type Client, overheads, percentile, refreshes } from "./clients.ts";
import { Endpoint } from "./endpoint.ts";
import type { Figure } from "./index.ts";

const ROWS = 100;
const MANY_ROWS = 50_000;
const REPEATS = 20;
const PANEL = "SELECT id, x, label FROM {points} LIMIT 100";
const PLAIN = "SELECT id, x, label FROM `p.d.points` LIMIT 100";
const ENGINE = {
  project: "test-project",
  location: "EU",
  lake: "gs://lake",
  dataset: "d",
  dailyScanBytes: 1e15,
  queryLimitBytes: 1e12,
};
const FILES = {
  t: {
    sourceFormat: "PARQUET",
    sourceUris: ["gs://lake/points/run=1/*.parquet"],
  },
};

export async function bigquery(): Promise<readonly Figure[]> {
  const endpoint = await Endpoint.start<Order>("bigquery-endpoint.ts");
  const storage = await startStorage();
  Object.assign(process.env, endpoint.env, storage.env);
  const engine = new BigQueryEngine({ ...ENGINE, job: xo() });
  const client = bigQueryClient(ENGINE.project, ENGINE.location);
  try {
    await fill(storage);
    const figures: Figure[] = [];
    const compared: readonly (readonly [string, Readonly<Record<string, Client>>])[] = [
      ["a run in the dataset", { ours: ours(engine, "2"), "bare query()": bare(client) }],
      ["a run's files", { ours: ours(engine, "1"), "bare createQueryJob(), getQueryResults()": bareOfFiles(client) }],
    ];
    for (const [what, clients] of compared) {
      const prepare = (milliseconds: number) => endpoint.order({ plan: { ...result(ROWS), milliseconds } });
      const found = await overheads({
        clients,
        prepare,
        aim: "<= 5 ms",
        comparison: "ours less theirs",
        compare: (mine, its) => `${(mine - its).toFixed(1)} ms`,
      });
      figures.push(...found.map((figure) => ({ ...figure, what: `${what}, ${figure.what}` })));
    }
    figures.push(...(await manyRows(endpoint, engine, client)));
    return [...figures, ...(await refreshed(endpoint, storage))];
  } finally {
    await engine.close();
    storage.close();
    endpoint.close();
  }
}

/** Run 1 goes on; run 2 is over and was loaded. */
async function fill(storage: FakeStorage): Promise<void> {
  await storage.makeBucket("lake");
  const record = (run: string, rest: object) =>
    storage.put("lake", `_runs/${run}.json`, JSON.stringify({ run, job: "xo", steps: [], started: STARTED, ...rest }));
  await record("1", { state: "running" });
  await record("2", { state: "succeeded", ended: STARTED });
  const tables = Object.fromEntries(xo().tables.map(({ name }) => [name, {}]));
  await storage.put("lake", "_loads/2.json", JSON.stringify({ run: "2", tables }));
  await storage.put("lake", "points/run=1/part-0.parquet", "PAR1");
}

const STARTED = "2026-03-01T10:00:00Z";

const result = (rows: number) => ({
  columns: { id: "INTEGER", x: "FLOAT", label: "STRING" },
  rows: Array.from({ length: rows }, (_, i) => [String(i), String(i / 7), "XOB"[i % 3] as string]),
  scanned: 12_345_678,
});

const ours =
  (engine: BigQueryEngine, run: string, rows = ROWS): Client =>
  () =>
    timed(async () => (await engine.query(PANEL, run)).rows, rows);

const bare =
  (client: BigQuery, rows = ROWS): Client =>
  () =>
    timed(async () => (await client.query({ query: PLAIN, useQueryCache: false }))[0].length, rows);

/** As its documentation has it; one call does not take files. */
const bareOfFiles =
  (client: BigQuery): Client =>
  () =>
    timed(async () => {
      const [job] = await client.createQueryJob({ query: PLAIN, tableDefinitions: FILES, useQueryCache: false });
      return (await job.getQueryResults())[0].length;
    }, ROWS);

async function timed(query: () => Promise<number>, expected: number): Promise<number> {
  const before = performance.now();
  const rows = await query();
  const seconds = (performance.now() - before) / 1000;
  if (rows !== expected) throw new Error(`${rows} rows`);
  return seconds;
}

/** A query that takes no time and has as many rows as the largest panel. */
async function manyRows(
  endpoint: Endpoint<Order>,
  engine: BigQueryEngine,
  client: BigQuery,
): Promise<readonly Figure[]> {
  const clients = { ours: ours(engine, "2", MANY_ROWS), "bare query()": bare(client, MANY_ROWS) };
  const times: Record<string, number[]> = { ours: [], "bare query()": [] };
  for (let i = 0; i < REPEATS; i++) {
    for (const [name, one] of Object.entries(clients)) {
      await endpoint.order({ plan: result(MANY_ROWS) });
      times[name]?.push((await one()) * 1000);
    }
  }
  return Object.entries(times).map(([name, milliseconds]) => ({
    what: `${MANY_ROWS} rows at once: ${name}`,
    measured: `p50 ${Math.round(percentile(milliseconds, 0.5))} ms, p95 ${Math.round(percentile(milliseconds, 0.95))} ms`,
  }));
}

async function refreshed(endpoint: Endpoint<Order>, storage: FakeStorage): Promise<readonly Figure[]> {
  const job = xo();
  await endpoint.order({ xo: await xoPlans(), milliseconds: 1000 });
  const dashboard = await serve({ job, engine: { kind: "bigquery", ...ENGINE }, port: 0, token: "bench" });
  const change = async (i: number) => {
    for (const { name } of job.tables) await storage.put("lake", `${name}/run=1/part-${i + 1}.parquet`, "PAR1");
  };
  try {
    return await refreshes(dashboard, job, change);
  } finally {
    await dashboard.close();
  }
}
