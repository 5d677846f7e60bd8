// @module-tag go
import { join } from "node:path";
import { expect, test } from "vitest";
import { buildPage } from "../../../assets/dashboard/build.ts";
import { scanned } from "../../../assets/dashboard/page/size.ts";
import { serve } from "../../../assets/dashboard/server.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { fake, lake, loads, over, PLACE, part, record } from "./bigquery-toy.ts";
import { launch, open, panel, picture, soon } from "./browser.ts";
import { planOf, xoPlans } from "./fake-bigquery-xo.ts";

const BUILT = join(import.meta.dirname, "../../../.oneoff/page-tests");

const job = xo();
const config = () => ({
  job,
  engine: { kind: "bigquery", ...PLACE, lake: lake() },
  port: 0,
  token: "t",
  page: BUILT,
});

test("each panel says what was scanned for it, what a dry run expected, and what was cached", async () => {
  const [plans, browser] = await Promise.all([xoPlans(), launch(), buildPage(BUILT)]);
  await record("1", { ...over(60), job: "xo" });
  await loads(
    "1",
    job.tables.map(({ name }) => name),
  );
  for (const { name } of job.tables) await part(`${name}/run=1/part-1.parquet`);
  fake.plan = (sql) => ({ ...planOf(plans, sql), pageRows: 20_000 });
  const dashboards = [];
  try {
    for (const expected of [
      [
        "40 kB scanned (40 kB expected)",
        "360 kB scanned (360 kB expected)",
        "3.24 MB scanned (3.24 MB expected)",
        "29.2 MB scanned (29.2 MB expected)",
        "262 MB scanned (262 MB expected)",
      ],
      // Another dashboard, of another day: BigQuery still has the results.
      [
        "0 B scanned (cached, else 40 kB)",
        "0 B scanned (cached, else 360 kB)",
        "0 B scanned (cached, else 3.24 MB)",
        "0 B scanned (cached, else 29.2 MB)",
        "0 B scanned (cached, else 262 MB)",
      ],
    ]) {
      const dashboard = await serve(config());
      dashboards.push(dashboard);
      const { page, complaints } = await open(browser, dashboard.url);
      const foots = () =>
        Promise.all(job.panels.map(async ({ name }) => (await panel(page, name).locator(".foot").textContent()) ?? ""));
      await soon(() => foots().then((texts) => texts.map((text) => text.split(" · ").at(-1)))).toEqual(expected);
      expect((await foots())[2]).toMatch(/^50,000 rows · updated .+ · /);
      await soon(() => page.locator("canvas[role=img]").count()).toBe(4);
      if (dashboards.length === 1) await picture(page, "bigquery");
      expect(complaints).toEqual([]);
    }
  } finally {
    await browser.close();
    for (const dashboard of dashboards) await dashboard.close();
  }
});

test("queries of a run that is no longer looked at are stopped", async () => {
  const [browser] = await Promise.all([launch(), buildPage(BUILT)]);
  for (const run of ["1", "2"]) {
    await record(run, { ...over(60 - Number(run)), job: "xo" });
    for (const { name } of job.tables) await part(`${name}/run=${run}/part-1.parquet`);
  }
  fake.plan = () => ({ milliseconds: 60_000 });
  const dashboard = await serve(config());
  try {
    const { page } = await open(browser, dashboard.url);
    await soon(() => fake.running).toBe(job.panels.length);
    await page.getByLabel("Run", { exact: true }).selectOption("1");
    await soon(() => fake.called("cancel").length).toBe(job.panels.length);
    await soon(() => fake.running).toBe(job.panels.length);
    const runs = fake.called("insert").map(({ input }) => input.configuration.labels["oneoff-run"]);
    expect(runs.slice(job.panels.length)).toEqual(job.panels.map(() => "1"));
  } finally {
    await browser.close();
    await dashboard.close();
  }
});

test.each([
  [{}, ""],
  [{ bytesScanned: 1000 }, "1 kB scanned"],
  [{ bytesScanned: 0 }, "0 B scanned"],
  [{ bytesScanned: 0, bytesExpected: 0 }, "0 B scanned (0 B expected)"],
  [{ bytesScanned: 1000, bytesExpected: 2000 }, "1 kB scanned (2 kB expected)"],
])("%j is told as %j", (statistics, text) => {
  expect(scanned({ milliseconds: 1, ...statistics })).toBe(text);
});
