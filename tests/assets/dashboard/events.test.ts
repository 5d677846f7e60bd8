/** Streams of events whose readers are slow, or read nothing at all. */
import { Hono } from "hono";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { TableVersions } from "../../../assets/dashboard/engine.ts";
import { EventStreams, MOST_STREAMS } from "../../../assets/dashboard/events.ts";
import { Feeds } from "../../../assets/dashboard/feeds.ts";
import type { LakeWatch, Listener } from "../../../assets/dashboard/watch.ts";
import type { RunRecord } from "../../../core/run.ts";

const listeners = new Set<Listener>();
const watch = {
  subscribe(listener: Listener) {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
} as unknown as LakeWatch;

let streams: EventStreams;
let feeds: Feeds;
const destroy = vi.fn();
beforeEach(() => {
  vi.useFakeTimers();
  feeds = new Feeds([{ live: { feed: "points", key: [], time: "at", rows: 3 } }]);
  streams = new EventStreams(watch, feeds);
});
afterEach(() => {
  streams.close();
  expect(listeners.size).toBe(0);
  destroy.mockReset();
  vi.useRealTimers();
});

async function open(method = "GET") {
  const app = new Hono().get("/events", (context) => streams.open(context, ["r1"], "v"));
  return app.request("/events", { method }, { outgoing: { destroy } });
}

const runs = (state: number): readonly RunRecord[] => [{ run: String(state) } as RunRecord];
const versions = (of: Readonly<Record<string, string>>): TableVersions =>
  Object.fromEntries(Object.entries(of).map(([table, version]) => [table, { version }]));

/** The next event that a reader takes. */
async function take(reader: ReadableStreamDefaultReader<Uint8Array>) {
  const { value, done } = await reader.read();
  if (done) return undefined;
  const [, event, data] = /^event: (.+)\ndata: (.+)\n/.exec(new TextDecoder().decode(value)) ?? [];
  return [event, JSON.parse(data as string)];
}

test("who reads late is told how things stand, once, and not all that was", async () => {
  const response = await open();
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const [listener] = listeners as Set<Listener> & Iterable<Listener>;
  for (let state = 0; state < 1000; state++) {
    listener?.runs(runs(state));
    listener?.tables("r1", versions({ [state % 2 === 0 ? "points" : "lines"]: String(state) }));
  }
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  expect(await take(reader)).toEqual(["hello", { version: "v" }]);
  expect(await take(reader)).toMatchObject(["runs", { runs: [{ run: "999" }] }]);
  expect(await take(reader)).toEqual(["tables", { run: "r1", tables: versions({ points: "998", lines: "999" }) }]);
  const waiting = take(reader);
  listener?.tables("r1", versions({ points: "1000" }));
  expect(await waiting).toEqual(["tables", { run: "r1", tables: versions({ points: "1000" }) }]);
  const silent = take(reader);
  vi.advanceTimersByTime(10_000);
  expect(await silent).toMatchObject(["beat", {}]);
  const last = take(reader);
  streams.close();
  expect(await last).toBeUndefined();
});

test("who takes nothing for a minute loses the connection", async () => {
  const [taking, stuck] = [await open(), await open()];
  const reader = (taking.body as ReadableStream<Uint8Array>).getReader();
  for (let second = 0; second < 60; second += 10) {
    expect(destroy).not.toHaveBeenCalled();
    const next = take(reader);
    vi.advanceTimersByTime(10_000);
    expect(await next).toBeDefined();
  }
  void take(reader);
  vi.advanceTimersByTime(10_000);
  expect(destroy).toHaveBeenCalledTimes(1);
  expect(listeners.size).toBe(1);
  expect(stuck.body).not.toBeNull();
});

test("there are no more streams than may be: one more is refused in a sentence, until another has ended", async () => {
  const all = await Promise.all(Array.from({ length: MOST_STREAMS }, () => open()));
  expect((await open("HEAD")).status).toBe(503);
  const refused = await open();
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "2"]);
  expect(await refused.json()).toEqual({
    error:
      "64 pages are listening to this dashboard, which is the most: close one of them, and this one goes on by itself.",
  });
  await all[0]?.body?.cancel();
  expect((await open()).status).toBe(200);
  expect(listeners.size).toBe(MOST_STREAMS);
});

test("a question for the head alone takes no place", async () => {
  expect((await open("HEAD")).status).toBe(200);
  expect(listeners.size).toBe(0);
});

test("who reads late is told of the last of what happened, and skips the rest", async () => {
  const response = await open();
  for (let n = 0; n < 100; n++) {
    feeds.put("r1", [{ feed: "points", row: { n } }]);
    vi.advanceTimersByTime(50);
  }
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  expect(await take(reader)).toEqual(["hello", { version: "v" }]);
  expect(await take(reader)).toEqual(["rows", { run: "r1", feeds: { points: [97, 98, 99].map((n) => ({ n })) } }]);
  const waiting = take(reader);
  feeds.put("r1", [{ feed: "points", row: { n: 100 } }]);
  vi.advanceTimersByTime(50);
  expect(await waiting).toEqual(["rows", { run: "r1", feeds: { points: [{ n: 100 }] } }]);
  await reader.cancel();
});
