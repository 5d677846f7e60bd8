import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { buildPage } from "../../../assets/dashboard/build.ts";
import { type Dashboard, serve } from "../../../assets/dashboard/server.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import type { RunRecord } from "../../../core/run.ts";
import { changed, launch, open, otherPixels, panel, picture, pixels, remember, soon } from "./browser.ts";
import { FakeLake } from "./fake-lake.ts";
import { FakeXo, SIZES } from "./fake-xo.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

const BUILT = join(import.meta.dirname, "../../../.oneoff/page-tests");

let browser: Browser;
let lake: FakeLake;
let dashboard: Dashboard;

beforeAll(async () => {
  await buildPage(BUILT);
  browser = await launch();
});

afterAll(() => browser.close());

beforeEach(async () => {
  lake = await FakeLake.create();
  dashboard = await start();
});

afterEach(async () => {
  await Promise.all(browser.contexts().map((context) => context.close()));
  await dashboard.close();
  await lake.remove();
});

const start = (port = 0, change: object = {}) =>
  serve({ job: { ...xo(), ...change }, engine: { kind: "duckdb", lake: lake.path }, port, token: "t", page: BUILT });

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

type Step = RunRecord["steps"][number]["state"];
const steps = (generate: Step, train: Step) => [
  { name: "generate", state: generate },
  { name: "train", state: train },
];

const record = (run: string, rest: Partial<RunRecord> = {}) => lake.record({ run, started: ago(60), ...rest });

const succeeded = (seconds: number): Partial<RunRecord> => ({
  state: "succeeded",
  started: ago(seconds),
  ended: ago(seconds - 95),
  steps: steps("succeeded", "succeeded"),
});

/** Two runs that are over; the newer one is "second". */
async function twoRuns(sizes: readonly number[] = [5, 30, 60]): Promise<void> {
  await new FakeXo(lake, "first", 9).all(sizes.slice(0, 8), 60);
  await new FakeXo(lake, "second").all(sizes);
  await record("first", succeeded(4000));
  await record("second", succeeded(2000));
}

const canvases = (page: Page) => page.locator("canvas[role=img]");
const text = (page: Page, selector: string) => page.locator(selector).allTextContents();
const foot = (page: Page, name: string) => panel(page, name).locator(".foot").textContent();

test("it waits for the first run and fills in while the files appear", async () => {
  const { page, complaints } = await open(browser, dashboard.url);
  await page.getByText("No run yet. This page shows the first one as soon as it starts.").waitFor();
  expect(await page.title()).toBe("xo");
  expect(await page.locator("#header select").first().isVisible()).toBe(false);

  const fake = new FakeXo(lake, "live");
  await record("live", { deadline: ago(-3000), steps: steps("running", "pending") });
  await soon(() => text(page, ".state")).toEqual(["● Running"]);
  await expect
    .poll(() => text(page, ".message:visible"))
    .toEqual(Array(5).fill("No rows yet. They appear here as soon as the run has some."));
  await picture(page, "waiting");

  await fake.points(3000);
  await soon(() => foot(page, "points")).toMatch(/^3,000 rows · updated /);
  expect(await canvases(page).count()).toBe(1);
  await record("live", { deadline: ago(-3000), steps: steps("succeeded", "running") });
  await soon(() => text(page, ".steps li")).toEqual(["✓generate: succeeded", "●train: running"]);

  for (const size of [20, 5, 60]) await fake.size(size);
  await soon(() => foot(page, "accuracy")).toMatch(/^9 rows/);
  await soon(() => canvases(page).count()).toBe(4);
  await picture(page, "filling");

  // The picture changes, and the canvas it is on stays: nothing flickers.
  const before = await pixels(page, "accuracy");
  const canvas = await panel(page, "accuracy").locator("canvas").elementHandle();
  await fake.size(30);
  await otherPixels(page, "accuracy", before);
  expect(await canvas?.evaluate((element) => element.isConnected)).toBe(true);
  expect(await foot(page, "accuracy")).toMatch(/^12 rows/);

  // Elapsed time goes on by itself.
  const elapsed = await page.locator(".elapsed").textContent();
  await soon(() => page.locator(".elapsed").textContent()).not.toBe(elapsed);

  await fake.optimum(30);
  await record("live", succeeded(60));
  await soon(() => text(page, ".state")).toEqual(["✓ Succeeded"]);
  await soon(() => text(page, ".text dd")).toEqual(["30", "94.12%", "0.41%"]);
  expect(complaints).toEqual([]);
});

test("what made a run is told when it is asked for, and of two runs what differs first", async () => {
  await twoRuns();
  const made = (rows: string, digest: string, changed: boolean) => ({
    version: "0.1.0",
    settings: { "oneoff:rows": rows, "oneoff:seeds": "3", "oneoff:token": null },
    steps: [{ name: "train", arguments: ["--rows", rows, "{models}"], files: { "train.py": digest } }],
    commit: "0123456789abcdef",
    changed,
  });
  await record("first", { ...succeeded(4000), origin: made("20000", "aaaaaaaabbbb", false) });
  await record("second", { ...succeeded(2000), origin: made("50000", "ccccccccdddd", true) });
  await record("old", succeeded(9000));
  const { page, complaints } = await open(browser, dashboard.url);
  const told = () => page.locator("#header tbody tr").evaluateAll((rows) => rows.map((row) => row.textContent));
  await page.getByText("What made this run").click();
  await soon(told).toEqual([
    ...["oneoff:rows50000", "oneoff:seeds3", "oneoff:tokensecret"],
    ...["train: arguments--rows 50000 {models}", "train: train.pycontent cccccccc"],
    ...["commit0123456789, and files changed since", "pulumi-oneoff0.1.0"],
  ]);
  await page.getByLabel("Compare with").selectOption("first");
  await soon(told).toEqual([
    ...["oneoff:rows5000020000", "train: arguments--rows 50000 {models}--rows 20000 {models}"],
    ...["train: train.pycontent cccccccccontent aaaaaaaa", "commit0123456789, and files changed since0123456789"],
    ...["oneoff:seeds33", "oneoff:tokensecretsecret", "pulumi-oneoff0.1.00.1.0"],
  ]);
  expect(await page.locator("#header .origin-name.differs").count()).toBe(4);
  await picture(page, "origins");
  await page.getByLabel("Compare with").selectOption("");
  await page.getByLabel("Run", { exact: true }).selectOption("old");
  await page.getByText("It was not recorded what made this run.").waitFor();
  expect(JSON.stringify(await (await fetch(`${dashboard.url}/api/runs`)).json())).not.toContain("oneoff:rows");
  expect(complaints).toEqual([]);
});

test("only the panels that read what changed are fetched again, once", async () => {
  await record("live");
  const { page } = await open(browser, "about:blank");
  const fetched: Record<string, number> = {};
  page.on("request", (request) => {
    const name = new URL(request.url()).pathname.match(/^\/api\/panels\/(.+)/)?.[1];
    if (name) fetched[name] = (fetched[name] ?? 0) + 1;
  });
  await page.goto(dashboard.url);
  const fake = new FakeXo(lake, "live");
  await soon(() => fetched).toEqual({ optimum: 1, points: 1, surface: 1, accuracy: 1, seconds: 1 });
  await soon(() => dashboard.listeners).toBe(1);
  await fake.points(50);
  await soon(() => foot(page, "points")).toMatch(/^50 rows/);
  await fake.optimum(30);
  await soon(() => text(page, ".text dd")).toHaveLength(3);
  // Longer than the server takes to look again.
  await page.waitForTimeout(700);
  expect(fetched).toEqual({ optimum: 2, points: 2, surface: 2, accuracy: 2, seconds: 1 });
});

test("the choice of network changes the picture, starts with the optimum and is kept", async () => {
  const fake = new FakeXo(lake, "live");
  await record("live");
  for (const size of [5, 30]) await fake.size(size);
  const { page, complaints } = await open(browser, dashboard.url);
  const select = panel(page, "surface").getByLabel("Neurons", { exact: true });
  const chosen = () => select.evaluate((element) => element.selectedOptions[0]?.text);
  await soon(chosen).toBe("5");
  await soon(() => canvases(page).count()).toBe(3);
  await remember(page, "surface");
  await fake.optimum(30);
  await soon(chosen).toBe("30 (preferred)");
  await soon(() => changed(page, "surface")).toBeGreaterThan(0.05);
  await select.selectOption("5");
  await soon(() => changed(page, "surface")).toBeLessThan(0.001);
  await fake.size(10);
  await soon(() => select.locator("option").allTextContents()).toEqual(["5", "10", "30 (preferred)"]);
  expect(await chosen()).toBe("5");
  expect(await changed(page, "surface")).toBeLessThan(0.001);
  await expect
    .poll(() => panel(page, "surface").locator("canvas").getAttribute("aria-label"))
    .toBe(
      "Decision surface. What a network of the chosen size takes each point of the plane for: the first of those trained at that size. Neurons: 5. 5,000 rows.",
    );
  expect(complaints).toEqual([]);
});

test("a run is compared with another, side by side on the same axes", async () => {
  await twoRuns(SIZES);
  const { page, complaints } = await open(browser, dashboard.url);
  await soon(() => canvases(page).count()).toBe(4);
  await picture(page, "light");
  await page.getByLabel("Compare with").selectOption("first");
  await soon(() => canvases(page).count()).toBe(8);
  expect(await text(page, ".run-name")).toEqual(["second", "first"]);
  expect(new URL(page.url()).search).toBe("?with=first");
  const places = await Promise.all([0, 1].map((i) => panel(page, "accuracy").locator("canvas").nth(i).boundingBox()));
  expect(places[0]?.y).toBeCloseTo(places[1]?.y ?? 0, -1); // lines of text may differ by a pixel
  expect(places[1]?.x).toBeGreaterThan((places[0]?.x ?? 0) + (places[0]?.width ?? 0));
  // The runs have other accuracies, and the labels of the axis are the same.
  await soon(() => axisLabels(page, 0)).toBe(await axisLabels(page, 1));
  expect(await pixels(page, "accuracy", 0)).not.toBe(await pixels(page, "accuracy", 1));
  const compared = await axisLabels(page, 0);
  await picture(page, "compare");
  await page.getByLabel("Compare with").selectOption("no other run");
  await soon(() => canvases(page).count()).toBe(4);
  await soon(() => axisLabels(page, 0)).not.toBe(compared);
  expect(new URL(page.url()).search).toBe("");
  expect(complaints).toEqual([]);
});

/** The pixels at the left edge of the accuracy chart, where the labels of its y axis are. */
const axisLabels = (page: Page, figure: number): Promise<string> =>
  panel(page, "accuracy")
    .locator("canvas")
    .nth(figure)
    .evaluate((canvas) => canvas.getContext("2d").getImageData(0, 0, 50, canvas.height).data.join());

test("an older run can be chosen, and the newest is followed otherwise", async () => {
  await twoRuns();
  const { page } = await open(browser, dashboard.url);
  const run = page.getByLabel("Run", { exact: true });
  await soon(() => run.inputValue()).toBe("second");
  await record("third", { started: ago(1) });
  await soon(() => run.inputValue()).toBe("third");
  await run.selectOption("first");
  await soon(() => text(page, ".run-name")).toEqual(["first"]);
  expect(new URL(page.url()).search).toBe("?run=first");
  await record("fourth", { started: ago(0) });
  await soon(() => run.locator("option").count()).toBe(4);
  expect(await run.inputValue()).toBe("first");
  await page.reload();
  await soon(() => text(page, ".run-name")).toEqual(["first"]);
});

test("when the lake is destroyed it waits for a run again", async () => {
  await record("live");
  await new FakeXo(lake, "live").points(10);
  const { page } = await open(browser, dashboard.url);
  await soon(() => canvases(page).count()).toBe(1);
  await lake.remove();
  await page.getByText("No run yet.").waitFor();
  expect(await page.locator("#panels").isVisible()).toBe(false);
  expect(await page.locator("#header select").first().isVisible()).toBe(false);
  expect(await text(page, ".strip")).toEqual([]);
  await record("next");
  await new FakeXo(lake, "next").points(20);
  await soon(() => foot(page, "points")).toMatch(/^20 rows/);
});

test("it is dark when the system is, and changes with it", async () => {
  await twoRuns(SIZES);
  const { page, complaints } = await open(browser, dashboard.url, { colorScheme: "dark" });
  await soon(() => canvases(page).count()).toBe(4);
  const ground = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
  expect(await ground()).toBe("rgb(14, 17, 22)");
  const dark = await pixels(page, "accuracy");
  await picture(page, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  expect(await ground()).toBe("rgb(245, 246, 248)");
  await otherPixels(page, "accuracy", dark);
  await page.emulateMedia({ colorScheme: "dark" });
  await soon(() => pixels(page, "accuracy")).toBe(dark);
  expect(complaints).toEqual([]);
});

test("everything can be done with the keyboard, and the data read as a table", async () => {
  await twoRuns(SIZES);
  const { page, complaints } = await open(browser, dashboard.url);
  await soon(() => canvases(page).count()).toBe(4);
  const focused = () =>
    page.locator(":focus").evaluate((element) => ({
      name: (element.labels?.[0] ?? element).textContent,
      outlined: element.ownerDocument.defaultView.getComputedStyle(element).outlineStyle !== "none",
    }));
  const seen = [];
  for (let i = 0; i < 9; i++) {
    await page.keyboard.press("Tab");
    seen.push(await focused());
  }
  expect(seen).toEqual(
    [
      ...["Skip to the panels", "Run", "Compare with", "✓generate: succeeded", "✓train: succeeded"],
      "What made this run",
      ...["Data as a table", "Data as a table", "Neurons"],
    ].map((name) => ({ name, outlined: true })),
  );
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  const rows = panel(page, "points").locator("tbody tr");
  await soon(() => rows.count()).toBe(200);
  expect(await panel(page, "points").locator("th").allTextContents()).toEqual(["x", "y", "label"]);
  expect(await panel(page, "points").locator(".table p").textContent()).toBe(
    "The first 200 rows; there are 4,800 more.",
  );
  await page.keyboard.press("Tab");
  expect(await page.locator(":focus").getAttribute("aria-label")).toBe("Data of Points");
  await picture(page, "table");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await soon(() => rows.count()).toBe(0);
  expect(complaints).toEqual([]);
});

test("pictures have names, regions have headings, states are announced", async () => {
  await twoRuns();
  const { page } = await open(browser, dashboard.url);
  await soon(() => canvases(page).count()).toBe(4);
  for (const name of ["points", "surface", "accuracy", "seconds"]) {
    const labels = await panel(page, name).locator("[role=img]").all();
    expect(labels).toHaveLength(1);
    expect(await labels[0]?.getAttribute("aria-label")).toMatch(/^[A-Z].+\. .+\. [\d,]+ rows\.$/);
  }
  await page.getByRole("region", { name: "Decision surface", exact: true }).waitFor();
  expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("xo");
  expect(await page.getByRole("heading", { level: 2 }).count()).toBe(5);
  expect(await page.getByRole("status").first().textContent()).toBe("✓ Succeededsecond");
});

test("a query that fails says so, and can be tried again", async () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const fake = new FakeXo(lake, "live");
  await record("live");
  await fake.points(100);
  const path = await lake.part(
    "models",
    "live",
    "SELECT 5 AS hidden, 1 AS seed, 0.9 AS accuracy, 0.1 AS accuracy_se, 1.0 AS seconds",
  );
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, 60));
  const { page } = await open(browser, dashboard.url);
  const alert = panel(page, "seconds").getByRole("alert");
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(
    /^The query of panel "seconds" failed: Invalid Input Error: No magic bytes found at end of file 'models\/run=live\/part-\d+\.snappy\.parquet'$/,
  );
  await soon(() => text(page, ".message button")).toEqual(["Try again", "Try again"]);
  // The others are none the worse for it.
  expect(await foot(page, "points")).toMatch(/^100 rows/);
  await picture(page, "failed-query");
  await writeFile(path, whole);
  await panel(page, "seconds").getByRole("button").click();
  await soon(() => foot(page, "seconds")).toMatch(/^1 row ·/);
  expect(await alert.count()).toBe(0);
  vi.restoreAllMocks();
});

test("numbers that are none are told apart, and a chart says how many rows it leaves out", async () => {
  const measure = (field: string, scale: object) => ({ field, type: "quantitative", scale });
  const chart = (scale: object) => ({
    mark: "point",
    encoding: { x: measure("seed", {}), y: measure("accuracy", scale) },
  });
  const common = { shows: "Odd numbers.", sql: "SELECT seed, accuracy FROM {models} ORDER BY seed" };
  const figure = { mark: "text", encoding: { text: { field: "accuracy", title: "Accuracy", format: ".1%" } } };
  const panels = [
    { ...common, name: "even", title: "Even", chart: chart({}) },
    { ...common, name: "ratio", title: "Ratio", chart: chart({ type: "log" }) },
    { ...common, name: "words", title: "Words", chart: figure },
  ];
  const other = await start(0, { panels });
  await record("live", { ...succeeded(60), state: "failed", error: `step "train" failed (exit 1): ${ERROR}` });
  const odd = [0.5, "NaN", "NaN", "NaN", null, 0.4, "inf", "-inf", 0];
  const values = odd.map((value, i) => `(${i}, ${value === null ? "NULL" : `'${value}'::DOUBLE`})`).join(", ");
  const select = "SELECT 5 AS hidden, seed, accuracy, 0.1 AS accuracy_se, 1.0 AS seconds";
  await lake.part("models", "live", `${select} FROM (VALUES ${values}) AS odd(seed, accuracy)`);
  const { page, complaints } = await open(browser, other.url, { colorScheme: "dark" });
  await soon(() => canvases(page).count()).toBe(2);
  expect(await text(page, ".undrawn")).toEqual([
    "6 of 9 rows are not drawn: accuracy is NaN in 3, has no value in 1 and is infinite in 2.",
    "7 of 9 rows are not drawn: accuracy is NaN in 3, has no value in 1, is infinite in 2 and is not above zero in 1.",
    "",
  ]);
  expect(await foot(page, "even")).toMatch(/^9 rows ·/);
  expect(await panel(page, "even").locator("canvas").getAttribute("aria-label")).toBe(
    "Even. Odd numbers. 9 rows. 6 of 9 rows are not drawn: accuracy is NaN in 3, has no value in 1 and is infinite in 2.",
  );
  expect(await text(page, ".text dd")).toEqual([...["50.0%", "NaN", "NaN", "NaN", "–", "40.0%", "∞", "−∞", "0.0%"]]);
  await panel(page, "even").getByText("Data as a table").click();
  const cells = panel(page, "even").locator("td:nth-child(2)");
  await soon(() => cells.allTextContents()).toEqual(["0.5", "NaN", "NaN", "NaN", "–", "0.4", "∞", "−∞", "0"]);
  expect(await cells.locator("[title='no value']").count()).toBe(1);
  await picture(page, "odd-numbers-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 390, height: 800 });
  await picture(page, "odd-numbers-narrow");
  expect(complaints).toEqual([]);
  await other.close();
});

/** As a step's runner makes it of a traceback. */
const ERROR =
  "pyspark.errors.exceptions.captured.AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `usage` cannot be resolved. Did you mean one of the following? [`id`].; 'Project ['usage] +- Range (0, 3, step=1, splits=Some(1))";

test("a chart that can't be drawn says so, and its rows can be read", async () => {
  const job = xo();
  const transform = [{ calculate: "nonsense(datum.seconds)", as: "z" }];
  const panels = job.panels.map((each) =>
    each.name === "seconds" ? { ...each, chart: { ...each.chart, transform } } : each,
  );
  const other = await start(0, { panels });
  await new FakeXo(lake, "live").all([5, 10], 10);
  await record("live");
  const { page } = await open(browser, other.url);
  const alert = panel(page, "seconds").getByRole("alert");
  await alert.waitFor();
  expect(await alert.textContent()).toBe("The chart can't be drawn: Unrecognized function: nonsense");
  await panel(page, "seconds").getByText("Data as a table").click();
  await soon(() => panel(page, "seconds").locator("tbody tr").count()).toBe(6);
  await soon(() => canvases(page).count()).toBe(3);
  await other.close();
});

test("a failed run, a cancelled and a lost one are told apart, and text is never markup", async () => {
  const error = 'step train: <img src=x onerror="document.title=1"> ran out of memory';
  await record("bad", {
    state: "failed",
    started: ago(600),
    ended: ago(500),
    error,
    steps: steps("succeeded", "failed"),
  });
  await record("gone", { started: ago(7200), deadline: ago(1800), steps: steps("succeeded", "running") });
  await record("stopped", {
    ...{ state: "failed", cancelled: true, error: "cancelled: that was asked for" }, // as a lake has it
    ...{ started: ago(3600), ended: ago(3500), steps: steps("succeeded", "failed") },
  });
  const { page } = await open(browser, dashboard.url);
  await soon(() => text(page, ".trouble")).toEqual([error]);
  expect(await page.locator("img[src=x]").count()).toBe(0);
  await soon(() => text(page, ".message:visible")).toEqual(
    Array(5).fill("The run ended before it had rows for this panel."),
  );
  await picture(page, "failed-run");
  await page.getByLabel("Run", { exact: true }).selectOption("gone");
  await soon(() => text(page, ".state")).toEqual(["? Lost"]);
  expect((await text(page, ".trouble"))[0]).toMatch(/^Its cluster ended at .+ at the latest, and the run never said/);
  expect(await text(page, ".steps li")).toEqual(["✓generate: succeeded", "●train: not finished"]);
  await page.getByLabel("Run", { exact: true }).selectOption("stopped");
  await soon(() => text(page, ".state")).toEqual(["■ Cancelled"]);
  expect(await text(page, ".steps li")).toEqual(["✓generate: succeeded", "■train: cancelled"]);
  expect(await page.locator(".trouble").isVisible()).toBe(false);
  expect(await text(page, ".message:visible")).toContain("The run ended before it had rows for this panel.");
});

const logText = (page: Page) => page.locator(".log-text");
/** How far a log's text is from being shown at its end. */
const below = (page: Page) => logText(page).evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);

test("a failed run shows the end of the log of the step it failed in, and what is before on demand", async () => {
  const lines = Array.from({ length: 4000 }, (_, i) => `line ${i} of what the step printed`);
  const hostile = `\x1b[31mred\x1b[0m <img src=x onerror="document.title=1">\0 ${"x".repeat(20_000)}`;
  await lake.log("bad", "train", [...lines, hostile, "step.py: error: it failed", ""].join("\n"));
  const failed = { state: "failed", started: ago(600), ended: ago(500), steps: steps("succeeded", "failed") } as const;
  await record("bad", { ...failed, error: 'step "train" failed (exit 1): it failed' });
  const { page, complaints } = await open(browser, dashboard.url);
  const log = page.getByRole("region", { name: "Log of step train, run bad" });
  await log.getByText("step.py: error: it failed").waitFor();
  expect(await text(page, ".trouble")).toEqual(['step "train" failed (exit 1): it failed']);
  const shown = (await logText(page).textContent()) as string;
  expect(shown).toMatch(
    /^line \d+ of what the step printed\n[\s\S]*\nred <img src=x onerror="document.title=1">␀ x+… \(18,0\d\d more characters\)\nstep\.py: error: it failed\n$/,
  );
  expect(await below(page)).toBeLessThan(2);
  expect(await page.locator("img[src=x]").count()).toBe(0);
  expect(await text(page, ".log-where code")).toEqual([
    `${lake.path}/_logs/bad/train.log`,
    "npx --no oneoff logs --step train --run bad",
  ]);
  const train = page.getByRole("button", { name: /^train ?: failed$/ });
  expect(await train.getAttribute("aria-expanded")).toBe("true");
  await picture(page, "log");

  const before = await logText(page).evaluate((box) => box.scrollHeight);
  await logText(page).evaluate((box) => {
    box.scrollTop = 20;
  });
  const place = await below(page);
  await log.getByRole("button", { name: "Earlier lines" }).focus();
  await page.keyboard.press("Enter");
  await soon(async () => (await logText(page).textContent())?.startsWith("line 0 of")).toBe(true);
  expect(await below(page)).toBe(place); // what was read stays before the reader's eyes
  expect(await logText(page).evaluate((box) => box.scrollHeight)).toBeGreaterThan(2 * before);
  expect(await log.getByRole("button", { name: "Earlier lines" }).count()).toBe(0);
  expect(await page.locator(":focus").getAttribute("class")).toBe("log-text"); // not lost with the button
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    log.getByRole("link", { name: /^Download all \(\d+ kB\)$/ }).click(),
  ]);
  expect(download.suggestedFilename()).toBe("bad-train.log");
  expect(await readFile(await download.path(), "utf8")).toBe(
    [...lines, hostile, "step.py: error: it failed", ""].join("\n"),
  );

  // By the keyboard: the step closes its log, and another opens its own.
  await train.focus();
  await page.keyboard.press("Enter");
  await soon(() => page.locator(".log").isVisible()).toBe(false);
  expect(await train.getAttribute("aria-expanded")).toBe("false");
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Space");
  await soon(() => text(page, ".log-note")).toEqual(["There is no log of it."]);
  expect(await page.locator(".log-title").textContent()).toBe("Log of step generate");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await log.getByText("step.py: error: it failed").waitFor();
  const names = [];
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press("Tab");
    names.push(await page.locator(":focus").evaluate((each) => each.getAttribute("aria-label") ?? each.textContent));
  }
  expect(names).toEqual(["Earlier lines", "To the end", expect.stringMatching(/^Download all/), "Log of step train"]);
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 390, height: 800 });
  expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(390);
  await picture(page, "log-dark-phone");
  expect(complaints).toEqual([]);
});

test("a step's log is followed while the run goes on, and stays where somebody reads in it", async () => {
  await record("live", { deadline: ago(-3000), steps: steps("succeeded", "running") });
  const { page, complaints } = await open(browser, dashboard.url);
  await page.getByRole("button", { name: /^train ?: running$/ }).click();
  await soon(() => text(page, ".log-note")).toEqual(["There is no log yet. It appears here as soon as there is one."]);
  await lake.log("live", "train", "begun\n");
  await soon(() => logText(page).textContent()).toBe("begun\n");
  const many = Array.from({ length: 100 }, (_, i) => `line ${i}\n`).join("");
  await lake.log("live", "train", many);
  await soon(() => logText(page).textContent()).toBe(`begun\n${many}`);
  expect(await below(page)).toBeLessThan(2);

  await logText(page).evaluate((box) => {
    box.scrollTop = 0;
  });
  await lake.log("live", "train", "later\n");
  await page.waitForTimeout(1500);
  expect(await logText(page).evaluate((box) => box.scrollTop)).toBe(0);
  expect(await text(page, ".log-note")).toEqual(["What is added is shown at the end alone."]);
  await page.getByRole("button", { name: "To the end" }).click();
  await soon(() => logText(page).textContent()).toBe(`begun\n${many}later\n`);

  await page.setViewportSize({ width: 390, height: 800 });
  await soon(() => below(page)).toBeLessThan(2); // also where the same lines are more

  await rm(join(lake.path, "_logs"), { recursive: true });
  await soon(() => text(page, ".log-note")).toEqual(["The log is no longer in the lake; this was read of it before."]);
  await lake.log("live", "train", "anew\n");
  await soon(() => logText(page).textContent()).toBe("anew\n");
  // What was open stays so when the run is over, and the last of it comes.
  await record("live", { ...succeeded(96), state: "failed", error: "it failed", steps: steps("succeeded", "failed") });
  await page.getByRole("button", { name: /^train ?: failed$/ }).waitFor();
  await lake.log("live", "train", "the last\n");
  await soon(() => logText(page).textContent()).toBe("anew\nthe last\n");
  expect(complaints).toEqual([]);
});

test("where no step was begun, the log of what they require is shown if there is one", async () => {
  await lake.log("bad", "requirements", "ERROR: No matching distribution\n");
  const none = { state: "failed", error: "it failed", steps: steps("pending", "pending") } as const;
  await record("bad", { ...none, started: ago(600), ended: ago(500) });
  await record("worse", { ...none, started: ago(700), ended: ago(500) });
  const { page, complaints } = await open(browser, dashboard.url);
  await page.getByRole("region", { name: "Log of installing what the steps require, run bad" }).waitFor();
  await soon(() => logText(page).textContent()).toBe("ERROR: No matching distribution\n");
  await page.getByLabel("Run", { exact: true }).selectOption("worse");
  await soon(() => text(page, ".run-name")).toEqual(["worse"]);
  await soon(() => page.locator(".log").isVisible()).toBe(false);
  expect(complaints).toEqual([]);
});

test("a step of an odd name has a log too, and lines without end or number are no burden", async () => {
  const name = "it's <b>odd #1 %2F";
  await record("odd", { ...succeeded(600), steps: [{ name, state: "succeeded" }] });
  await lake.log("odd", name, `begin\n${"\n".repeat(400_000)}${"x".repeat(100_000)}\nend\n`);
  const { page, complaints } = await open(browser, dashboard.url);
  await page.locator(".steps button").click();
  await soon(async () => (await logText(page).textContent())?.endsWith("end\n")).toBe(true);
  expect(await page.locator(".steps b, .log b").count()).toBe(0);
  expect(await text(page, ".log-where code:last-child")).toEqual([
    `npx --no oneoff logs --step 'it'\\''s <b>odd #1 %2F' --run odd`,
  ]);
  const earlier = page.getByRole("button", { name: "Earlier lines" });
  expect(await earlier.isDisabled()).toBe(false);
  await earlier.click();
  await soon(() => text(page, ".log-note")).toEqual([
    "303 kB are before this. That is as much as a page shows: download all of it.",
  ]);
  expect(await logText(page).textContent()).toMatch(
    /^… \([\d,]+ more lines\)\n{19000,}x+… \(98,000 more characters\)\nend\n$/,
  );
  expect(await earlier.isDisabled()).toBe(true);
  expect(complaints).toEqual([]);
});

test("when the connection is lost it says so, and catches up by itself", async () => {
  const fake = new FakeXo(lake, "live");
  await record("live");
  await fake.size(5);
  const { page } = await open(browser, dashboard.url);
  await soon(() => foot(page, "accuracy")).toMatch(/^3 rows/);
  const { port } = dashboard;
  await dashboard.close();
  await page.getByText("Connection lost.").waitFor();
  await picture(page, "connection-lost");
  expect(await foot(page, "accuracy")).toMatch(/^3 rows/);
  await fake.size(10);
  dashboard = await start(port);
  await soon(() => page.locator("#banner").isVisible()).toBe(false);
  await soon(() => foot(page, "accuracy")).toMatch(/^6 rows/);
});

test("a server that comes back with another job gets its own page", async () => {
  await record("live");
  const { page } = await open(browser, dashboard.url);
  await soon(() => text(page, "h2")).toHaveLength(5);
  const { port } = dashboard;
  await dashboard.close();
  const job = xo();
  dashboard = await start(port, { panels: job.panels.slice(0, 2) });
  await soon(() => text(page, "h2")).toHaveLength(2);
});

test("it fits a phone", async () => {
  await twoRuns(SIZES);
  const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const { page, complaints } = await open(browser, `${dashboard.url}?with=first`, phone);
  await soon(() => canvases(page).count()).toBe(8);
  const width = () => page.evaluate<number>("document.documentElement.scrollWidth");
  expect(await width()).toBe(360);
  const places = await Promise.all([0, 1].map((i) => panel(page, "points").locator("canvas").nth(i).boundingBox()));
  expect(places[0]?.x).toBe(places[1]?.x);
  expect(places[1]?.y).toBeGreaterThan(places[0]?.y ?? 0);
  for (const place of places) expect((place?.x ?? 0) + (place?.width ?? 0)).toBeLessThanOrEqual(360);
  await picture(page, "phone");
  await page.setViewportSize({ width: 900, height: 740 });
  await expect
    .poll(async () => (await panel(page, "points").locator("canvas").first().boundingBox())?.width)
    .toBeGreaterThan(350);
  expect(complaints).toEqual([]);
});

test("words without an end stay on a phone's page", async () => {
  await twoRuns();
  const endless = "x".repeat(300);
  await record("second", { ...succeeded(2000), steps: [{ name: endless, state: "succeeded" }] });
  await dashboard.close();
  const panels = xo().panels.map((each) => ({ ...each, title: endless, shows: endless }));
  const surface = panels.find(({ choice }) => choice);
  const sql = `SELECT * REPLACE ('${endless}' || ${surface?.choice?.column} AS ${surface?.choice?.column}) FROM (${surface?.sql})`;
  dashboard = await start(0, { panels: panels.map((each) => (each === surface ? { ...each, sql } : each)) });
  const { page } = await open(browser, dashboard.url, { viewport: { width: 360, height: 740 } });
  await soon(() => page.locator("select option").allTextContents()).toContainEqual(expect.stringContaining(endless));
  expect(await page.evaluate<number>("document.documentElement.scrollWidth")).toBe(360);
});

test("the pictures of the plane are true to scale", async () => {
  await twoRuns();
  for (const width of [360, 1400]) {
    const { page } = await open(browser, dashboard.url, { viewport: { width, height: 900 } });
    await soon(() => canvases(page).count()).toBe(4);
    const { across, down } = await extent(page);
    // The fake points fill a plane twice as wide as it is high.
    expect(across / down, `at ${width}`).toBeGreaterThan(1.94);
    expect(across / down, `at ${width}`).toBeLessThan(2.06);
  }
});

/** How far the cells of the surface reach on its canvas: from the first to the last pixel of a line in the grey of B. */
const extent = (page: Page) =>
  panel(page, "surface")
    .locator("canvas")
    .evaluate((canvas) => {
      const { width, height } = canvas;
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
      const isGrey = (x: number, y: number) =>
        [195, 202, 210].every((value, i) => data[4 * (y * width + x) + i] === value);
      const reach = (count: number, at: (i: number) => boolean) => {
        const grey = [...Array(count).keys()].filter(at);
        return (grey.at(-1) ?? 0) - (grey[0] ?? 0);
      };
      const lines = (from: number, to: number) => [...Array(to - from).keys()].map((i) => from + i);
      return {
        across: Math.max(...lines(height >> 2, height >> 1).map((y) => reach(width, (x) => isGrey(x, y)))),
        down: Math.max(...lines(width >> 1, width - (width >> 2)).map((x) => reach(height, (y) => isGrey(x, y)))),
      };
    });

test("a script that isn't the page's own is not run", async () => {
  await record("live");
  const { page, complaints } = await open(browser, dashboard.url);
  await soon(() => text(page, "h2")).toHaveLength(5);
  expect(complaints).toEqual([]);
  const ran = await page.evaluate<string>(`{
    const script = document.createElement("script");
    script.textContent = "document.title = 'inline'";
    document.body.append(script);
    document.title;
  }`);
  expect(ran).toBe("xo");
  expect(complaints.join()).toContain("Content Security Policy");
});
