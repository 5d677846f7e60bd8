/**
 * What a client of Athena adds to a query's own time, on an endpoint that takes exactly as long as it is told: ours beside
 * awswrangler's and PyAthena's. And how long the whole page takes to refresh.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { AthenaEngine } from "../../assets/dashboard/athena.ts";
import { serve } from "../../assets/dashboard/server.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import { xoPlans } from "../dashboard/fake-athena-xo.ts";
import { FakeLake } from "../dashboard/fake-lake.ts";
import type { Order } from "./athena-endpoint.ts";
import type { Figure } from "./index.ts";
import { benchPython } from "./venv.ts";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const ROWS = 100;
const PANEL = "SELECT id, x, label FROM {points} LIMIT 100";
const PLAIN = 'SELECT id, x, label FROM "lake"."points" LIMIT 100';
const ENGINE = { region: "us-west-2", lake: "s3://lake", database: "lake", workgroup: "primary", dailyScanBytes: 1e15 };
/** Milliseconds that queries take, and how they are called. Those drawn are the same for all, spread evenly. */
const TIMES: Readonly<Record<string, readonly number[]>> = {
  "T = 0.3 s": Array(20).fill(300),
  "T = 1 s": Array(20).fill(1000),
  "T = 4 s": Array(8).fill(4000),
  "T from 0.3 to 4 s": Array.from({ length: 20 }, (_, i) => Math.round(300 + 3700 * ((i * 0.618034 + 0.37) % 1))),
};
const REFRESHES = 8;
/** An answer of the page that is not there after this long is late. */
const AIM = "<= 1.5 s";

type Client = (sql: { readonly panel: string; readonly plain: string }) => Promise<number>;

export async function athena(): Promise<readonly Figure[]> {
  const python = benchPython();
  const endpoint = await Endpoint.start();
  Object.assign(process.env, endpoint.env);
  const engine = new AthenaEngine({ ...ENGINE, job: xo() });
  const others = spawn(python, [at("athena_clients.py")], {
    env: { ...process.env, ...endpoint.env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    await endpoint.order({ put: { "lake/_runs/1.json": record("running"), ...(await parquet()) } });
    const clients = { ours: ours(engine), ...theirs(others) };
    const figures = await overheads(endpoint, clients);
    return [...figures, ...(await refreshes(endpoint))];
  } finally {
    others.kill();
    await engine.close();
    endpoint.close();
  }
}

/** Clients in turn, so that what else the machine does hits all of them. */
async function overheads(endpoint: Endpoint, clients: Readonly<Record<string, Client>>): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const milliseconds of [50, 50]) await round(endpoint, clients, milliseconds); // to warm up
  for (const [what, times] of Object.entries(TIMES)) {
    const rounds: Readonly<Record<string, number>>[] = [];
    for (const milliseconds of times) rounds.push(await round(endpoint, clients, milliseconds));
    const of = (name: string) => rounds.map((seconds, i) => (seconds[name] as number) * 1000 - (times[i] as number));
    for (const name of Object.keys(clients)) {
      const [mine, its] = [of("ours"), of(name)];
      const ratio = (share: number) => (percentile(its, share) / percentile(mine, share)).toFixed(1);
      figures.push({
        what: `${what}: overhead of ${name}`,
        measured: `p50 ${Math.round(percentile(its, 0.5))} ms, p95 ${Math.round(percentile(its, 0.95))} ms${name === "ours" ? "" : `; theirs / ours: p50 ${ratio(0.5)}, p95 ${ratio(0.95)}`}`,
        ...(name !== "ours" && { aim: ">= 2" }),
      });
    }
  }
  return figures;
}

async function round(endpoint: Endpoint, clients: Readonly<Record<string, Client>>, milliseconds: number) {
  const seconds: Record<string, number> = {};
  for (const [name, client] of Object.entries(clients)) {
    await endpoint.order({ plan: { ...RESULT, milliseconds } });
    seconds[name] = await client({ panel: PANEL, plain: PLAIN });
  }
  return seconds;
}

const RESULT = {
  columns: { id: "bigint", x: "double", label: "varchar" },
  rows: Array.from({ length: ROWS }, (_, i) => [String(i), String(i / 7), "XOB"[i % 3] as string]),
  scanned: 12_345_678,
  manifest: "s3://lake/_results/ctas-manifest.csv",
};

const ours =
  (engine: AthenaEngine): Client =>
  async ({ panel }) => {
    const before = performance.now();
    const { rows } = await engine.query(panel, "1");
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
    async ({ plain }) => {
      const answer = once(lines, "line");
      python.stdin?.write(`${JSON.stringify({ client: name, sql: plain })}\n`);
      const [line] = (await Promise.race([answer, ended])) as [string];
      const { seconds, rows } = JSON.parse(line) as { seconds: number; rows: number };
      if (rows !== ROWS) throw new Error(`${name}: ${rows} rows`);
      return seconds;
    };
  const names = ["PyAthena", "awswrangler", "awswrangler, ctas_approach=False"];
  return Object.fromEntries(names.map((name) => [name, client(name)]));
}

/** Milliseconds until the last panel is answered after all tables changed, through the server and as a browser asks. */
async function refreshes(endpoint: Endpoint): Promise<readonly Figure[]> {
  const job = xo();
  await endpoint.order({ xo: await xoPlans(), milliseconds: 1000 });
  const page = at("../../.oneoff/page");
  const dashboard = await serve({ job, engine: { kind: "athena", ...ENGINE }, port: 0, token: "bench", page });
  const times: number[] = [];
  try {
    await fetch(`${dashboard.url}api/runs`); // as the page does before it knows what to ask for
    for (let i = 0; i <= REFRESHES; i++) {
      const parts = job.tables.map(({ name }) => [`lake/${name}/run=1/part-${i}.parquet`, ""]);
      await endpoint.order({ put: Object.fromEntries(parts) });
      await sleep(1100); // until the server looks again
      const before = performance.now();
      await Promise.all(job.panels.map(({ name }) => rows(`${dashboard.url}api/panels/${name}?run=1`)));
      times.push(performance.now() - before);
    }
  } finally {
    await dashboard.close();
  }
  const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(2)} s`;
  const [first, ...later] = times as [number, ...number[]];
  return [
    { what: "refresh of all panels of xo, T = 1 s: the first", measured: seconds(first), aim: AIM },
    {
      what: "refresh of all panels of xo, T = 1 s: later ones",
      measured: `p50 ${seconds(percentile(later, 0.5))}, the longest ${seconds(Math.max(...later))}`,
      aim: AIM,
    },
  ];
}

async function rows(url: string): Promise<void> {
  const response = await fetch(url, { headers: { "accept-encoding": "gzip, deflate, br" } });
  const answer = (await response.json()) as { rows?: number };
  if (!answer.rows) throw new Error(`${url}: ${JSON.stringify(answer)}`);
}

class Endpoint {
  readonly env: Readonly<Record<string, string>>;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, env: Readonly<Record<string, string>>) {
    this.#child = child;
    this.env = env;
  }

  static async start(): Promise<Endpoint> {
    const child = fork(at("athena-endpoint.ts"));
    const [env] = await once(child, "message");
    return new Endpoint(child, env);
  }

  async order(order: Order): Promise<void> {
    const done = once(this.#child, "message");
    this.#child.send(order);
    await done;
  }

  close(): void {
    this.#child.disconnect();
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

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] as number; // nearest rank
}
