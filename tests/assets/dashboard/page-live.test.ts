/** The page of a run that sends what happens: in a real browser. */
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { buildPage } from "../../../assets/dashboard/build.ts";
import { type Dashboard, serve } from "../../../assets/dashboard/server.ts";
import { launch, open, otherPixels, panel, picture, pixels, soon } from "./browser.ts";
import { FakeLake } from "./fake-lake.ts";
import { toy } from "./toy.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

const TOKEN = "0123456789abcdef";
const BUILT = join(import.meta.dirname, "../../../.oneoff/page-tests");
const job = {
  ...toy,
  panels: [
    {
      name: "values",
      title: "Values",
      shows: "The last readings.",
      sql: "SELECT id, value FROM {readings} ORDER BY id NULLS LAST",
      chart: {
        mark: "point",
        encoding: { x: { field: "id", type: "quantitative" }, y: { field: "value", type: "quantitative" } },
      },
      live: { feed: "readings", key: ["id"], time: "at", rows: 50 },
    },
  ],
};

let browser: Browser;
let lake: FakeLake;
let dashboard: Dashboard;
beforeAll(async () => {
  await buildPage(BUILT);
  browser = await launch();
  lake = await FakeLake.create();
  await lake.record({ run: "r1", job: "toy" });
  const engine = { kind: "duckdb", lake: lake.path };
  dashboard = await serve({ job, engine, port: 0, token: "t", page: BUILT, feedToken: TOKEN });
});
afterAll(async () => {
  await browser.close();
  await dashboard.close();
  await lake.remove();
});

async function send(...ids: readonly number[]): Promise<void> {
  const at = new Date().toISOString();
  const body = ids.map((id) => `${JSON.stringify({ feed: "readings", row: { id, value: id % 7, at } })}\n`).join("");
  const headers = { Authorization: `Bearer ${TOKEN}` };
  const response = await fetch(`${dashboard.url}api/feeds/r1`, { method: "POST", body, headers });
  expect(response.status).toBe(204);
}

test("what happens is drawn within a second, without the lake, and the page says how soon", async () => {
  const { page, complaints } = await open(browser, dashboard.url);
  await page.getByText("No rows yet.").waitFor();
  await send(1, 2, 3);
  const foot = panel(page, "values").locator(".foot");
  await soon(() => foot.textContent()).toBe("3 rows");
  let before = await pixels(page, "values");
  for (let id = 4; id < 60; id++) await send(id);
  before = await otherPixels(page, "values", before);
  await soon(() => foot.textContent()).toBe("50 rows");
  const seen = page.getByText(/^Live: 95 % seen within \d\.\d\d s$/);
  await seen.waitFor();
  expect(Number(/[\d.]+(?= s)/.exec((await seen.textContent()) ?? "")?.[0])).toBeLessThan(5); // and not 50 years
  await picture(page, "live");

  // Who comes later sees the same.
  const late = await open(browser, dashboard.url);
  await soon(() => panel(late.page, "values").locator(".foot").textContent()).toBe("50 rows");
  expect([...complaints, ...late.complaints]).toEqual([]);
});
