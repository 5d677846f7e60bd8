/**
 * What a client of Athena adds to a query's own time, on an endpoint that takes exactly as long as it is told: ours beside
 * awswrangler's and PyAthena's. And how long the whole page takes to refresh.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { AthenaEngine } from "../../assets/dashboard/engines/athena/engine.ts";
import { serve } from "../../assets/dashboard/server.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import { xoPlans } from "../assets/dashboard/fake-athena-xo.ts";
import { FakeLake } from "../assets/dashboard/fake-lake.ts";
import type { Order } from "./athena-endpoint.ts";
import { type Client, overheads, refreshes } from "./clients.ts";
import { Endpoint } from "./endpoint.ts";
import type { Figure } from "./index.ts";
import { benchPython } from "./venv.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const ROWS = 100;
const PANEL = "SELECT id, x, label FROM {points} LIMIT 100";
const PLAIN = 'SELECT id, x, label FROM "lake"."points" LIMIT 100';
const ENGINE = { region: "us-west-2", lake: "s3://lake", database: "lake", workgroup: "primary", dailyScanBytes: 1e15 };
export async function athena(): Promise<readonly Figure[]> {
  const python = benchPython();
  const endpoint = await Endpoint.start<Order>("athena-endpoint.ts");
  Object.assign(process.env, endpoint.env);
  const engine = new AthenaEngine({ ...ENGINE, job: xo() });
  const others = spawn(python, [at("athena_clients.py")], {
    env: { ...process.env, ...endpoint.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    await endpoint.order({ put: { "lake/_runs/1.json": record("running"), ...(await parquet()) } });
    const clients = { ours: ours(engine), ...theirs(others) };
    const prepare = (milliseconds: number) => endpoint.order({ plan: { ...RESULT, milliseconds } });
    const figures = await overheads({
      clients,
      prepare,
      aim: ">= 2",
      comparison: "theirs / ours",
      compare: (mine, its) => (its / mine).toFixed(1),
    });
    return [...figures, ...(await refreshed(endpoint))];
  } finally {
    others.kill();
    await engine.close();
    endpoint.close();
  }
}

const RESULT = {
  columns: { id: "bigint", x: "double", label: "varchar" },
  rows: Array.from({ length: ROWS }, (_, i) => [String(i), String(i / 7), "XOB"[i % 3] as string]),
  scanned: 12_345_678,
  manifest: "s3://lake/_results/ctas-manifest.csv",
};

const ours =
  (engine: AthenaEngine): Client =>
  async () => {
    const before = performance.now();
    const { rows } = await engine.query(PANEL, "1");
    const seconds = (performance.now() - before) / 1000;
    if (rows !== ROWS) throw new Error(`${rows} rows`);
    return seconds;
  };

function theirs(python: ChildProcess): Readonly<Record<string, Client>> {
  const lines = createInterface(python.stdout as NodeJS.ReadableStream);
  const ended = once(python, "exit").then(() => Promise.reject(new Error("the other clients have ended")));
  ended.catch(() => undefined);
  const client =
    (name: string): Client =>
    async () => {
      const answer = once(lines, "line");
      python.stdin?.write(`${JSON.stringify({ client: name, sql: PLAIN })}\n`);
      const [line] = (await Promise.race([answer, ended])) as [string];
      const { seconds, rows } = JSON.parse(line) as { seconds: number; rows: number };
      if (rows !== ROWS) throw new Error(`${name}: ${rows} rows`);
      return seconds;
    };
  const names = ["PyAthena", "awswrangler", "awswrangler, ctas_approach=False"];
  return Object.fromEntries(names.map((name) => [name, client(name)]));
}

async function refreshed(endpoint: Endpoint<Order>): Promise<readonly Figure[]> {
  const job = xo();
  await endpoint.order({ xo: await xoPlans(), milliseconds: 1000 });
  const page = at("../../.oneoff/page");
  const dashboard = await serve({ job, engine: { kind: "athena", ...ENGINE }, port: 0, token: "bench", page });
  try {
    return await refreshes(dashboard, job, (i) =>
      endpoint.order({
        put: Object.fromEntries(job.tables.map(({ name }) => [`lake/${name}/run=1/part-${i}.parquet`, ""])),
      }),
    );
  } finally {
    await dashboard.close();
  }
}

/** What awswrangler reads by default: it has the result written as a table first. */
async function parquet(): Promise<Readonly<Record<string, string>>> {
  const lake = await FakeLake.create();
  const path = await lake.part(
    "points",
    "1",
    `SELECT range AS id, range / 7.0::DOUBLE AS x, 'X' AS label FROM range(${ROWS})`,
  );
  const content = await readFile(path, "base64");
  await lake.remove();
  const manifest = Buffer.from("s3://lake/_results/ctas.parquet\n").toString("base64");
  return { "lake/_results/ctas.parquet": content, "lake/_results/ctas-manifest.csv": manifest };
}

function record(state: string): string {
  const content = { run: "1", job: "xo", state, started: "2026-03-01T10:00:00Z", steps: [] };
  return Buffer.from(JSON.stringify(content)).toString("base64");
}
