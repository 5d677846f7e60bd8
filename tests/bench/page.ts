/** What a viewer waits for: a panel's rows from the server, and the first chart after opening the page. */
import { fileURLToPath } from "node:url";
import { serve } from "../../assets/dashboard/server.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import { launch } from "../chromium.ts";
import { FakeLake } from "../dashboard/fake-lake.ts";
import { FakeXo } from "../dashboard/fake-xo.ts";
import type { Figure } from "./index.ts";

const POINTS = 100_000;
const REQUESTS = 60;
const OPENINGS = 7;

export async function page(): Promise<readonly Figure[]> {
  const lake = await FakeLake.create();
  const job = xo();
  // Beside the job's own panels one that hands over every point: the most that a panel of this table can ask for.
  const all = {
    name: "all",
    title: "All",
    shows: "All.",
    sql: "SELECT x, y, label FROM {points}",
    chart: { mark: "point" },
  };
  const panels = [...job.panels, all];
  const run = new FakeXo(lake, "1");
  await run.all();
  await run.points(POINTS - 20_000);
  await lake.record({ run: "1", state: "succeeded" });
  const dashboard = await serve({
    job: { ...job, panels },
    engine: { kind: "duckdb", lake: lake.path },
    port: 0,
    token: "bench",
    page: fileURLToPath(new URL("../../.oneoff/page", import.meta.url)),
  });
  try {
    const figures: Figure[] = [];
    for (const { name } of panels) {
      const times: number[] = [];
      for (let i = 0; i < REQUESTS; i++) {
        // A part more makes the answer a new one: nothing is cached.
        if (i % 10 === 0)
          await lake.part("points", "1", `SELECT ${POINTS + i} AS id, 0.0 AS x, 0.0 AS y, 'B' AS label`);
        const before = performance.now();
        const response = await fetch(`${dashboard.url}api/panels/${name}?run=1`, {
          headers: { "cache-control": "no-cache" },
        });
        await response.arrayBuffer();
        times.push(performance.now() - before);
      }
      figures.push({ what: `panel ${name}, ${POINTS} points`, measured: percentiles(times), aim: "p95 < 150 ms" });
    }
    figures.push({
      what: "first chart after opening the page",
      measured: percentiles(await openings(dashboard.url)),
      aim: "< 1 s",
    });
    return figures;
  } finally {
    await dashboard.close();
    await lake.remove();
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
