/** The page of scoring in a browser, in each state that the service can be in. */
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { launch } from "../chromium.ts";

const FOLDER = new URL("../../assets/scoring/page/", import.meta.url);
const TYPES = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" } as const;
const MARKUP = '<img src=x onerror="document.title=1">';
const NOW = 1_800_000_000;

const model = {
  ...{
    name: "classifier",
    run: "7",
    sha256: "ab".repeat(32),
    bytes: 1,
    threshold: 0.75,
    licence: "trained on x: terms",
  },
  ...{ families: ["DoS", "Normal"], since: "2026-11-30T10:00:00Z", swaps: 2 },
};
const quiet = {
  ...{ model: null as typeof model | null, refused: null as object | null, place: "/lake/networks", sources: {} },
  ...{ now: NOW, since: "2026-11-30T10:00:00Z", seconds: 900, flows: 0, alarms: 0, faults: 0, batches: 0, rate: 0 },
  ...{ times: [] as number[][], families: {}, latest: [] as object[], unread: [] as object[] },
};
const busy = {
  ...quiet,
  ...{ model, rate: 1234.5, flows: 9000, alarms: 30, faults: 1, families: { DoS: 20, [MARKUP]: 10 } },
  times: [
    [NOW - 20, 5000, 10, 0],
    [NOW - 12, 4000, 20, 1],
  ],
  sources: { "Kafka flows": "connected" },
  latest: [
    {
      ...{
        at: "2027-01-15T07:59:48Z",
        score: 0.987654,
        family: "DoS",
        srcip: MARKUP,
        sport: 1,
        dstip: null,
        dsport: null,
      },
      ...{ protocol: "tcp", service: "-", state: "FIN" },
    },
  ],
  unread: [{ at: "2027-01-15T07:59:48Z", source: "POST /flows", fault: `line 4: expected a flow, found ${MARKUP}` }],
};

let browser: Browser;
let server: Server;
let page: Page;
let state: object = quiet;
const errors: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const name = request.url === "/" ? "index.html" : (request.url ?? "").slice(1);
    const type = TYPES[name.split(".").at(-1) as keyof typeof TYPES];
    const csp = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:";
    response.setHeader("Content-Security-Policy", csp);
    if (name === "state") return void response.end(JSON.stringify(state));
    response.setHeader("Content-Type", type);
    response.end(readFileSync(new URL(name, FOLDER)));
  }).listen(0, "127.0.0.1");
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  server.close();
});
beforeEach(async () => {
  errors.length = 0;
  page = await browser.newPage({ viewport: { width: 360, height: 780 } });
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
});

async function show(shown: object): Promise<void> {
  state = shown;
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.locator("#tiles dd").first().waitFor();
  expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth"), "wider than a phone").toBe(0);
  expect(errors).toEqual([]);
}
const text = (id: string) => page.locator(`#${id}`).textContent();

test("no model yet", async () => {
  await show(quiet);
  expect(await text("state")).toBe("no model yet");
  expect(await text("licence")).toBe("It is looked for at /lake/networks, until it is there.");
  expect(await text("times")).toContain("no flows");
  expect(await text("latest")).toBe("No alarm yet.");
});

test("flows, alarms and what could not be read; what flows say is text", async () => {
  await show(busy);
  expect(await text("state")).toBe("scores");
  expect(await text("name")).toBe("classifier abababababab of run 7");
  expect(await text("since")).toContain("number 3 since the start");
  expect(await text("licence")).toBe("Model trained on x: terms. An alarm is a score above 0.75.");
  expect(await page.locator("#tiles dd").allTextContents()).toEqual(["1,235", "30", "9,000", "30", "1"]);
  expect(await text("times")).toContain("up to 1,000 flows a second");
  expect(await page.locator("#times path.alarms").getAttribute("d")).toMatch(/^(M[^M]+z){2}$/);
  expect(await text("families")).toContain(MARKUP);
  expect(await text("latest")).toMatch(/DoS0\.988/);
  expect(await text("unread")).toContain(`found ${MARKUP}`);
  expect(await page.locator("img").count()).toBe(0);
  expect(await page.title()).toBe("Scoring: classifier");
});

test("a model that is refused, and a service that is gone", async () => {
  const refused = { model: "classifier 0123", why: "expected an ONNX file", at: "2026-11-30T10:05:00Z" };
  await show({ ...busy, refused });
  expect(await text("state")).toBe("a model was refused");
  expect(await text("trouble")).toMatch(
    /^classifier 0123 was not let in at [\d:]{8}: expected an ONNX file\. The one above goes on\.$/,
  );
  state = null as unknown as object; // no state at all
  await page.locator("#banner").waitFor();
  expect(await text("banner")).toMatch(/^The service doesn't answer\. This is what it said at [\d:]{8}\.$/);
  expect(await text("state")).toBe("doesn't answer");
  state = busy;
  await page.locator("#banner").waitFor({ state: "hidden" });
  expect(await text("state")).toBe("scores");
});
