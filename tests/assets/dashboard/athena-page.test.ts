import { join } from "node:path";
import { expect, test } from "vitest";
import { buildPage } from "../../../assets/dashboard/build.ts";
import { size } from "../../../assets/dashboard/page/size.ts";
import { serve } from "../../../assets/dashboard/server.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { fleetKeys } from "../../../core/fleet-lake.ts";
import { fake, over, PLACE, part, record, started } from "./athena-toy.ts";
import { launch, open, panel, picture, soon } from "./browser.ts";
import { planOf, xoPlans } from "./fake-athena-xo.ts";

const BUILT = join(import.meta.dirname, "../../../.oneoff/page-tests");

test("each panel says what was scanned for it", async () => {
  const [plans, browser] = await Promise.all([xoPlans(), launch(), buildPage(BUILT)]);
  const job = xo();
  record("1", { ...over(60), job: "xo" });
  for (const { name } of job.tables) part(`${name}/run=1/part-1.parquet`);
  fake.plan = (sql) => planOf(plans, sql);
  const dashboard = await serve({ job, engine: { kind: "athena", ...PLACE }, port: 0, token: "t", page: BUILT });
  try {
    const { page, complaints } = await open(browser, dashboard.url);
    const foots = () =>
      Promise.all(job.panels.map(async ({ name }) => (await panel(page, name).locator(".foot").textContent()) ?? ""));
    const scanned = () => foots().then((texts) => texts.map((text) => text.split(" · ").at(-1)));
    await soon(scanned).toEqual([
      "40 kB scanned",
      "360 kB scanned",
      "3.24 MB scanned",
      "29.2 MB scanned",
      "262 MB scanned",
    ]);
    expect((await foots())[2]).toMatch(/^50,000 rows · updated .+ · 3\.24 MB scanned$/);
    await soon(() => page.locator("canvas[role=img]").count()).toBe(4);
    await picture(page, "athena");
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
    await dashboard.close();
  }
});

test("an hour before its fleet ends, or is stopped, the page says so", async () => {
  const [browser] = await Promise.all([launch(), buildPage(BUILT)]);
  const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
  const idle = { idleSince: null, why: [], workersGo: null, nodesStop: null };
  const clock = { off: inMinutes(30), on: inMinutes(600) };
  const report = { looked: inMinutes(0), ends: inMinutes(90), ...idle, clock };
  fake.put(`lake/${fleetKeys("fleet").reaper}`, JSON.stringify(report));
  const engine = { kind: "athena", ...PLACE, fleet: "fleet" } as const;
  const dashboard = await serve({ job: xo(), engine, port: 0, token: "t", page: BUILT });
  try {
    const { page } = await open(browser, dashboard.url);
    const warning = page.locator("#ends");
    await soon(() => warning.textContent()).toMatch(
      /^In (30|29) min, at [^,]+, all machines of this fleet are stopped, with whoever is on; disks and HDFS stay\.$/,
    );
    expect(await warning.isVisible()).toBe(true);
    await picture(page, "fleet-ends");
  } finally {
    await browser.close();
    await dashboard.close();
  }
});

test("queries of a run that is no longer looked at are stopped", async () => {
  const [browser] = await Promise.all([launch(), buildPage(BUILT)]);
  const job = xo();
  for (const run of ["1", "2"]) {
    record(run, { ...over(60 - Number(run)), job: "xo" });
    for (const { name } of job.tables) part(`${name}/run=${run}/part-1.parquet`);
  }
  fake.plan = () => ({ milliseconds: 60_000 });
  const dashboard = await serve({ job, engine: { kind: "athena", ...PLACE }, port: 0, token: "t", page: BUILT });
  try {
    const { page } = await open(browser, dashboard.url);
    await soon(() => fake.running).toBe(job.panels.length);
    const first = new Set(started().map(({ QueryString }) => String(QueryString)));
    await page.getByLabel("Run", { exact: true }).selectOption("1");
    await soon(() => fake.called("StopQueryExecution").length).toBe(job.panels.length);
    await soon(() => fake.running).toBe(job.panels.length);
    const others = started().filter(({ QueryString }) => !first.has(String(QueryString)));
    expect(others).toHaveLength(job.panels.length);
  } finally {
    await browser.close();
    await dashboard.close();
  }
});

test.each([
  [0, "0 B"],
  [1, "1 B"],
  [999, "999 B"],
  [1000, "1 kB"],
  [10_485_760, "10.5 MB"],
  [5_000_000_000, "5 GB"],
  [3e15, "3,000 TB"],
])("%i bytes are %s", (bytes, text) => {
  expect(size(bytes)).toBe(text);
});
