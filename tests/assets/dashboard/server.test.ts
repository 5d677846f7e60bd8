import { readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { buildPage } from "../../../assets/dashboard/build.ts";
import { parseConfig } from "../../../assets/dashboard/config.ts";
import { type Dashboard, serve } from "../../../assets/dashboard/server.ts";
import { UsageError } from "../../../core/errors.ts";
import { FakeLake } from "./fake-lake.ts";
import { EventReader, get } from "./http.ts";
import { readings, toy } from "./toy.ts";

let lake: FakeLake;
let dashboard: Dashboard;

const at = (path: string) => `${dashboard.url}${path}`;
const origin = () => dashboard.url.slice(0, -1);

beforeAll(async () => {
  lake = await FakeLake.create();
  const page = join(lake.path, "../page");
  await buildPage(page);
  for (const run of ["r1", "r2"]) await lake.record({ run, job: "toy", state: "succeeded" });
  await lake.part("readings", "r1", readings(3));
  const engine = { kind: "duckdb", lake: lake.path };
  dashboard = await serve({ title: "A toy", job: toy, engine, port: 0, token: "secret-enough", page });
});

afterAll(async () => {
  await dashboard.close();
  await lake.remove();
});

afterEach(() => vi.restoreAllMocks());

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

test.each([
  "",
  "page.js",
  "api/job",
  "api/panels/values?run=r1",
  "api/events",
  "api/nothing",
  "api/panels/values?run=/",
])("/%s has the security headers", async (path) => {
  const headers = path === "api/events" ? await eventHeaders() : (await get(at(path))).headers;
  expect(headers).toMatchObject({
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
  });
  expect(headers["access-control-allow-origin"]).toBeUndefined();
});

async function eventHeaders() {
  const stream = await EventReader.open(at("api/events"));
  stream.close();
  return stream.headers;
}

test.each([
  ["127.0.0.1", 200],
  ["127.0.0.1:9999", 200],
  ["localhost", 200],
  ["localhost:8080", 200],
  ["evil.example", 403],
  ["evil.example:8080", 403],
  ["127.0.0.1.evil.example", 403],
  ["localhost.evil.example", 403],
  ["[::1]:8080", 403],
  ["0.0.0.0", 403],
])("Host %j is answered %i", async (host, status) => {
  for (const path of ["", "api/runs", "api/panels/values?run=r1"]) {
    expect((await get(at(path), { host })).status, path).toBe(status);
  }
});

test("a request without a host, or with half an address for one, is refused", async () => {
  for (const line of ["GET / HTTP/1.0", "GET / HTTP/1.1\r\nHost: evil.example/127.0.0.1", "GET / HTTP/1.1\r\nHost:"]) {
    const socket = connect(dashboard.port, "127.0.0.1");
    socket.end(`${line}\r\nConnection: close\r\n\r\n`);
    expect((await text(socket)).split("\r\n")[0], line).toMatch(/^HTTP\/1\.1 40[03] /);
  }
});

test("another origin's page gets nothing, a followed link gets the page", async () => {
  const status = async (path: string, headers: Record<string, string>) => (await get(at(path), headers)).status;
  expect(await status("api/runs", { origin: origin() })).toBe(200);
  expect(await status("api/runs", { "sec-fetch-site": "same-origin" })).toBe(200);
  expect(await status("api/runs", { origin: "http://evil.example" })).toBe(403);
  expect(await status("api/runs", { origin: "null" })).toBe(403);
  expect(await status("api/runs", { origin: `http://127.0.0.1:${dashboard.port + 1}` })).toBe(403);
  expect(await status("api/events", { "sec-fetch-site": "cross-site" })).toBe(403);
  expect(await status("page.js", { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" })).toBe(403);
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  expect(await status("", link)).toBe(200);
  expect(await status("api/runs", link)).toBe(403);
});

test("it can only be read", async () => {
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    expect((await get(at("api/runs"), {}, method)).status, method).toBe(405);
  }
  expect((await get(at("api/runs"), {}, "HEAD")).status).toBe(200);
});

test("it listens on 127.0.0.1 only", async () => {
  const others = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const own = others.find(({ family, internal }) => family === "IPv4" && !internal);
  if (!own) return;
  await expect(get(`http://${own.address}:${dashboard.port}/`, { host: "127.0.0.1" })).rejects.toThrow(/ECONNREFUSED/);
});

test("it tells who it is", async () => {
  expect((await get(at("api/identity"))).json).toEqual({
    name: "oneoff-dashboard",
    token: "secret-enough",
    pid: process.pid,
  });
});

test("the page is five files and nothing else", async () => {
  const page = await get(at(""));
  expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(page.text).toContain('<script type="module" src="page.js">');
  expect(page.text).not.toMatch(/<script(?![^>]* src=)|<style| style=| on[a-z]+=/);
  for (const name of ["page.js", "vega.js"]) {
    expect((await get(at(name))).headers["content-type"], name).toBe("text/javascript; charset=utf-8");
  }
  for (const path of [
    "built-from.txt",
    "server.ts",
    "..%2f_runs%2fr1.json",
    "%2e%2e/_runs/r1.json",
    "page.js/x",
    "constructor",
  ]) {
    expect((await get(at(path))).status, path).toBe(404);
  }
});

test("the job comes with titles and charts, and without SQL", async () => {
  const { json, text: body } = await get(at("api/job"));
  expect(json).toMatchObject({ title: "A toy", job: "toy" });
  expect(json.panels.map(({ name }: { name: string }) => name)).toEqual(["count", "values", "broken"]);
  expect(json.panels[1]).toEqual({
    name: "values",
    title: "Values",
    shows: "Every reading.",
    chart: toy.panels[1]?.chart,
    tables: ["readings"],
  });
  expect(body).not.toMatch(/select|sql/i);
});

test("runs come with the server's clock", async () => {
  const { json } = await get(at("api/runs"));
  expect(Math.abs(Date.parse(json.now) - Date.now())).toBeLessThan(5000);
  expect(json.runs.map(({ run, state }: { run: string; state: string }) => `${run} ${state}`)).toEqual([
    "r2 succeeded",
    "r1 succeeded",
  ]);
});

test("a panel's rows come column by column", async () => {
  const { json } = await get(at("api/panels/values?run=r1"));
  expect(json.columns).toEqual([
    { name: "id", type: "integer", values: [0, 1, 2] },
    { name: "value", type: "double", values: [0, 0.5, 1] },
    { name: "label", type: "string", values: ["r0", "r1", "r2"] },
  ]);
  expect(json.rows).toBe(3);
  expect(Object.keys(json.tables)).toEqual(["readings"]);
  const empty = (await get(at("api/panels/values?run=r2"))).json;
  expect(empty.columns.map(({ values }: { values: unknown[] }) => values.length)).toEqual([0, 0, 0]);
});

test.each([
  ["api/panels/nothing?run=r1", 404, 'There is no panel "nothing".'],
  ["api/panels/values?run=r3", 404, 'There is no run "r3".'],
  ["api/panels/values?run=../r1", 400, /^run is "\.\.\/r1": expected 1 to 63 letters/],
  ["api/panels/values", 400, /^run is "": expected/],
  ["api/events?run=r3", 404, 'There is no run "r3".'],
  ["api/events?run=r'", 400, /^run is "r'": expected/],
  ["api/else", 404, "There is nothing at this address."],
])("/%s is refused with a sentence", async (path, status, sentence) => {
  const answer = await get(at(path));
  expect(answer.status).toBe(status);
  expect(answer.json).toEqual({ error: typeof sentence === "string" ? sentence : expect.stringMatching(sentence) });
});

test("SQL in the address is not looked at", async () => {
  const plain = (await get(at("api/panels/count?run=r1"))).json;
  const { json } = await get(at("api/panels/count?run=r1&sql=SELECT+1&panel=values&table=monthly"));
  expect(json.columns).toEqual(plain.columns);
});

test("a failing query gives one sentence, and the log the rest", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const answer = await get(at("api/panels/broken?run=r1"));
  expect(answer.status).toBe(500);
  expect(answer.json.error).toMatch(
    /^The query of panel "broken" failed: Binder Error: Referenced column "nonsense" not found in FROM clause!$/,
  );
  expect(answer.text).not.toContain(lake.path);
  expect(log.mock.calls.join()).toMatch(/Panel "broken" of run r1 failed[\s\S]*LINE 1: SELECT nonsense/);
});

test("a panel that failed is tried again", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  await lake.record({ run: "torn", job: "toy" });
  const path = await lake.part("readings", "torn", readings(2));
  const whole = await readFile(path);
  await writeFile(path, whole.subarray(0, 100));
  expect((await get(at("api/panels/count?run=torn"))).status).toBe(500);
  expect(log).toHaveBeenCalled();
  await writeFile(path, whole);
  expect((await get(at("api/panels/count?run=torn"))).json.columns[0].values).toEqual([2]);
});

test("what has not changed costs a 304, what has changed does not", async () => {
  await lake.record({ run: "grows", job: "toy" });
  await lake.part("readings", "grows", readings(3));
  const first = await get(at("api/panels/values?run=grows"));
  const etag = first.headers.etag as string;
  expect(first.headers["cache-control"]).toBe("private, no-cache");
  const again = () => get(at("api/panels/values?run=grows"), { "if-none-match": etag });
  expect(await again()).toMatchObject({ status: 304, size: 0, headers: { etag } });
  expect((await get(at("api/panels/values?run=r1"), { "if-none-match": etag })).status).toBe(200);
  expect((await get(at("api/panels/count?run=grows"), { "if-none-match": etag })).status).toBe(200);
  await lake.part("monthly", "grows", "SELECT 1.0 AS total", "area=a/month=1");
  expect((await again()).status).toBe(304);
  await lake.part("readings", "grows", readings(1, 3));
  const grown = await again();
  expect(grown.status).toBe(200);
  expect(grown.json.rows).toBe(4);
  expect(grown.headers.etag).not.toBe(etag);
  const page = await get(at("page.js"));
  expect((await get(at("page.js"), { "if-none-match": page.headers.etag as string })).status).toBe(304);
});

test("answers are compressed for whom that suits, and are the same to all", async () => {
  await lake.record({ run: "large", job: "toy" });
  await lake.part("readings", "large", readings(20_000));
  const path = "api/panels/values?run=large";
  const plain = await get(at(path));
  const gzip = await get(at(path), { "accept-encoding": "gzip, deflate" });
  const br = await get(at(path), { "accept-encoding": "gzip, deflate, br, zstd" });
  expect([plain, gzip, br].map(({ headers }) => headers["content-encoding"])).toEqual([undefined, "gzip", "br"]);
  expect(gzip.headers.vary).toBe("Accept-Encoding");
  expect(plain.json.columns[0].values).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
  for (const packed of [gzip, br]) {
    expect(packed.size).toBeLessThan(plain.size / 2);
    expect(packed.json.columns).toEqual(plain.json.columns);
  }
});

test("many values are compressed only when that shrinks them much", async () => {
  const rows = (value: string) =>
    `SELECT range % 10 AS id, ${value} AS value, 'a' AS label, true AS good, NULL::TIMESTAMP AS at, NULL::DATE AS day FROM range(60000)`;
  for (const [run, value] of Object.entries({ even: "0.5::DOUBLE", noise: "random()" })) {
    await lake.record({ run, job: "toy" });
    await lake.part("readings", run, rows(value));
  }
  const encoding = async (run: string) =>
    (await get(at(`api/panels/values?run=${run}`), { "accept-encoding": "br" })).headers["content-encoding"];
  expect(await encoding("even")).toBe("br");
  expect(await encoding("noise")).toBeUndefined();
});

test("two runs are watched by one stream: how they stand, then what changes", async () => {
  await lake.record({ run: "live", job: "toy" });
  await lake.part("readings", "live", readings(1));
  const stream = await EventReader.open(at("api/events?run=live&run=r1"));
  expect(stream.headers["content-type"]).toBe("text/event-stream");
  await stream.next("tables");
  await expect.poll(() => stream.events.filter(({ event }) => event === "tables").length).toBe(2);
  expect(stream.events.map(({ event }) => event).slice(0, 2)).toEqual(["hello", "runs"]);
  const tables = stream.events.filter(({ event }) => event === "tables").map(({ data }) => data);
  expect(tables.map(({ run, tables: found }) => [run, ...Object.keys(found)])).toEqual([
    ["live", "readings", "monthly"],
    ["r1", "readings", "monthly"],
  ]);

  let seen = stream.events.length;
  await sleep(700);
  expect(stream.events.length).toBe(seen);

  const written = performance.now();
  await lake.part("readings", "live", readings(1, 1));
  const change = await stream.next("tables", seen);
  expect(performance.now() - written).toBeLessThan(1500);
  expect(change.data).toMatchObject({ run: "live" });
  expect(Object.keys(change.data.tables)).toEqual(["readings"]);
  expect(change.data.tables.readings.version).not.toBe(tables[0].tables.readings.version);
  // The version of the event is the version of the rows, so a page knows whether it is up to date.
  expect((await get(at("api/panels/values?run=live"))).json.tables).toEqual(change.data.tables);

  seen = stream.events.length;
  await lake.record({ run: "live", job: "toy", state: "failed", error: "no memory" });
  const { data } = await stream.next("runs", seen);
  expect(data.runs.find(({ run }: { run: string }) => run === "live")).toMatchObject({
    state: "failed",
    error: "no memory",
  });
  expect(stream.events.length).toBe(seen + 1);
  stream.close();
});

test("the lake is looked at only while somebody listens", async () => {
  await expect.poll(() => dashboard.listeners).toBe(0);
  const streams = await Promise.all([EventReader.open(at("api/events")), EventReader.open(at("api/events?run=r1"))]);
  await Promise.all(streams.map((stream) => stream.next("runs")));
  expect(dashboard.listeners).toBe(2);
  for (const stream of streams) stream.close();
  await expect.poll(() => dashboard.listeners).toBe(0);
});

const config = { job: toy, engine: { kind: "duckdb", lake: "/lake" }, port: 0, token: "t" };

test("a job may be given as it is; what the dashboard doesn't need is dropped", () => {
  const job = { ...toy, steps: [{ name: "secret" }] };
  expect(parseConfig(JSON.stringify({ ...config, job }), "c.json")).toEqual(config);
});

test.each([
  ["nothing", {}, /^c\.json: job: /],
  ["a port", { ...config, port: 70_000 }, /^c\.json: port: /],
  [
    "a relative lake",
    { ...config, engine: { kind: "duckdb", lake: "a" } },
    /^c\.json: engine: lake: expected an absolute/,
  ],
  ["an unknown engine", { ...config, engine: { kind: "sqlite" } }, /^c\.json: engine: kind: /],
  ["an unknown key", { ...config, more: 1 }, /^c\.json: Unrecognized key: "more"$/],
  ["no token", { ...config, token: "" }, /^c\.json: token: expected some text$/],
  [
    "a table that would break out of its folder",
    { ...config, job: { ...toy, tables: [{ ...toy.tables[0], name: "../x" }] } },
    /^c\.json: job: tables: 0: name: expected lower-case/,
  ],
  [
    "a panel that reads no table",
    { ...config, job: { ...toy, panels: [{ ...toy.panels[0], sql: "SELECT 1 FROM {other}" }] } },
    /^c\.json: job: panel "count" reads \{other\}, which is no table$/,
  ],
])("a configuration with %s is refused with the place", (_, given, sentence) => {
  expect(() => parseConfig(JSON.stringify(given), "c.json")).toThrow(sentence);
  expect(() => parseConfig(JSON.stringify(given), "c.json")).toThrow(UsageError);
});
