/** What a step sends as it happens: who may, and what readers are told. */
import { Hono } from "hono";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Feeds, takeRows } from "../../../assets/dashboard/feeds.ts";
import { guard } from "../../../assets/dashboard/guard.ts";

const TOKEN = "0123456789abcdef";
const shows = (feed: string, rows: number) => ({ live: { feed, key: ["n"], time: "at", rows } });
const line = (n: number, feed = "points") => JSON.stringify({ feed, row: { n } });

let feeds: Feeds;
beforeEach(() => {
  vi.useFakeTimers();
  feeds = new Feeds([shows("points", 2), shows("points", 3), shows("sums", 1), {}]);
});
afterEach(() => {
  feeds.close();
  vi.useRealTimers();
});

async function send(body: string, headers: Record<string, string> = {}, token: string | undefined = TOKEN, run = "r1") {
  const app = new Hono().post("/", (context) => takeRows(context, feeds, run, token));
  const all = { authorization: `Bearer ${TOKEN}`, "content-length": String(Buffer.byteLength(body)), ...headers };
  return (await app.request("/", { method: "POST", body, headers: all })).status;
}

function listen(...runs: readonly string[]) {
  const told: unknown[] = [];
  feeds.subscribe(runs, (run, feed, rows) => told.push([run, feed, rows.map(({ n }) => n)]));
  return told;
}

test("pages that are open are told of what comes, of a moment at once; those that come, of the last", async () => {
  const open = listen("r1");
  expect(await send([1, 2].map((n) => line(n)).join("\n"))).toBe(204);
  expect(await send(`${line(3)}\n${line(7, "sums")}\n${line(1, "nobody's")}\n`)).toBe(204);
  expect(open).toEqual([]);
  vi.runAllTimers();
  expect(open).toEqual([
    ["r1", "points", [1, 2, 3]],
    ["r1", "sums", [7]],
  ]);
  await send(line(4));
  expect(listen("r1", "r2")).toEqual([
    ["r1", "points", [2, 3, 4]],
    ["r1", "sums", [7]],
  ]);
  expect(listen("r2")).toEqual([]);
});

test("the last runs' rows are kept, and no more", async () => {
  for (let run = 0; run < 9; run++) await send(line(run), {}, TOKEN, `r${run}`);
  expect(listen(...Array.from({ length: 9 }, (_, run) => `r${run}`))).toHaveLength(4);
});

test.each([
  ["another token", 401, line(1), { authorization: "Bearer 0123456789abcdeF" }, TOKEN],
  ["no token", 401, line(1), { authorization: "" }, TOKEN],
  ["a dashboard that takes none", 401, line(1), {}, undefined],
  ["too much", 413, line(1), { "content-length": String(5 << 20) }, TOKEN],
  ["no length", 413, line(1), { "content-length": "" }, TOKEN],
  ["what is no JSON", 400, "points", {}, TOKEN],
  ["no row", 400, '{"feed": "points"}', {}, TOKEN],
  ["more than a row", 400, '{"feed": "points", "row": {}, "run": "r2"}', {}, TOKEN],
  ["a value that is none", 400, '{"feed": "points", "row": {"n": [1]}}', {}, TOKEN],
  ["a novel", 400, JSON.stringify({ feed: "points", row: { n: "x".repeat(1001) } }), {}, TOKEN],
  [
    "too many columns",
    400,
    JSON.stringify({ feed: "points", row: Object.fromEntries([...Array(65).keys()].map((n) => [`c${n}`, n])) }),
    {},
    TOKEN,
  ],
] as const)("%s is refused with %i", async (_, status, body, headers, token) => {
  const app = new Hono().post("/", (context) => takeRows(context, feeds, "r1", token));
  const all = { authorization: `Bearer ${TOKEN}`, "content-length": String(body.length), ...headers };
  expect((await app.request("/", { method: "POST", body, headers: all })).status).toBe(status);
  expect(listen("r1")).toEqual([]);
});

test("rows may be sent under another name than that of this machine, by no page of another site, and nothing else is answered", async () => {
  const app = new Hono().use(guard).all("*", (context) => context.body(null, 204));
  const ask = async (method: string, path: string, headers: Record<string, string> = {}) =>
    (await app.request(path, { method, headers: { host: "page:8765", ...headers } })).status;
  expect(await ask("POST", "/api/feeds/1")).toBe(204);
  expect(await ask("POST", "/api/feeds/1", { origin: "http://evil.example" })).toBe(403);
  expect(await ask("POST", "/api/feeds/1", { "sec-fetch-site": "cross-site" })).toBe(403);
  expect(await ask("GET", "/api/feeds/1")).toBe(403);
  expect(await ask("POST", "/api/runs")).toBe(403);
});
