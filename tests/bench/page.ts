/** What a viewer waits for: a panel's rows from the server, and the first chart after opening the page. */
import { fileURLToPath } from "node:url";
import { SQL_TYPE } from "../../assets/dashboard/engines/duckdb/relation.ts";
import { serve } from "../../assets/dashboard/server.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import type { Job } from "../../core/job.ts";
import type { Panel } from "../../core/panel.ts";
import { FakeLake } from "../assets/dashboard/fake-lake.ts";
import { FakeXo } from "../assets/dashboard/fake-xo.ts";
import { launch } from "../chromium.ts";
import type { Figure } from "./index.ts";

const POINTS = 100_000;
const REQUESTS = 40;
const OPENINGS = 7;
const RUN = "1";

export async function page(): Promise<readonly Figure[]> {
  const lake = await FakeLake.create();
  const job = xo();
  const run = new FakeXo(lake, RUN);
  await run.all();
  await run.points(POINTS - 20_000);
  await lake.record({ run: RUN, state: "succeeded" });
  try {
    // Beside the job's own panels one that hands over every point: the most that a panel of this table can ask for.
    const every = { name: "every-point", title: "", shows: "", sql: "SELECT x, y, label FROM {points}", chart: {} };
    const figures = await withDashboard({ ...job, panels: [...job.panels, every] }, lake, async (url) => {
      const rows: Figure[] = [];
      for (const panel of [...job.panels, every]) {
        const changed = await answers(`${url}api/panels/${panel.name}?run=${RUN}`, () =>
          addEmptyParts(lake, job, panel),
        );
        const unchanged = await answers(`${url}api/panels/${panel.name}?run=${RUN}`);
        rows.push({ what: `panel ${panel.name} after a change`, measured: percentiles(changed), aim: "p95 < 150 ms" });
        rows.push({ what: `panel ${panel.name} unchanged`, measured: percentiles(unchanged), aim: "p95 < 150 ms" });
      }
      return rows;
    });
    const opened = await withDashboard(job, lake, openings);
    return [...figures, { what: "first chart after opening the page", measured: percentiles(opened), aim: "< 1 s" }];
  } finally {
    await lake.remove();
  }
}

async function withDashboard<T>(job: Job, lake: FakeLake, use: (url: string) => Promise<T>): Promise<T> {
  const folder = fileURLToPath(new URL("../../.oneoff/page", import.meta.url));
  const engine = { kind: "duckdb", lake: lake.path };
  const dashboard = await serve({ job, engine, port: 0, token: "bench", page: folder });
  try {
    return await use(dashboard.url);
  } finally {
    await dashboard.close();
  }
}

/** Milliseconds until the whole answer is there, of many requests one after another. */
async function answers(address: string, before: () => Promise<void> = async () => {}): Promise<readonly number[]> {
  const times: number[] = [];
  for (let i = 0; i < REQUESTS; i++) {
    await before();
    const start = performance.now();
    await (await fetch(address)).arrayBuffer();
    times.push(performance.now() - start);
  }
  return times;
}

/** Makes the panel's tables new ones to the server, which then can't answer from what it kept. */
async function addEmptyParts(lake: FakeLake, job: Job, panel: Panel): Promise<void> {
  for (const { name, columns } of job.tables) {
    if (!panel.sql.includes(`{${name}}`)) continue;
    const nulls = columns.map((column) => `NULL::${SQL_TYPE[column.type]} AS ${column.name}`);
    await lake.part(name, RUN, `SELECT ${nulls.join(", ")} WHERE false`);
  }
}

/** Milliseconds from opening the page to the first chart, each in a browser profile of its own: nothing is cached. */
async function openings(url: string): Promise<readonly number[]> {
  const browser = await launch();
  try {
    const times: number[] = [];
    for (let i = 0; i < OPENINGS; i++) {
      const context = await browser.newContext();
      const tab = await context.newPage();
      const before = performance.now();
      await tab.goto(url, { waitUntil: "commit" });
      await tab.waitForSelector("canvas, svg.marks");
      times.push(performance.now() - before);
      await context.close();
    }
    return times;
  } finally {
    await browser.close();
  }
}

function percentiles(times: readonly number[]): string {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms`;
}
