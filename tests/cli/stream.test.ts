/** What `oneoff watch` tells of a stream, from what its page is told. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FeedRow } from "../../assets/dashboard/api.ts";
import { JsonLines } from "../../cli/answer.ts";
import { StreamMeter, streamJson, streamLine } from "../../cli/stream.ts";
import { StreamReader } from "../../cli/stream-events.ts";
import { type Watched, watch } from "../../cli/watch.ts";
import { Exit } from "../../core/errors.ts";
import type { RunStatus } from "../../core/run.ts";

const NOW = Date.parse("2026-11-29T20:00:00Z");
const iso = (ms: number) => new Date(ms).toISOString();

const errors = (train: number, test: number): readonly FeedRow[] => [
  { topic: "train", error: 0.0102, mean_error: 1, noise: 0.01, predicted: train, ended: iso(NOW) },
  { topic: "test", error: 0.01057, mean_error: 1, noise: 0.01, predicted: test, ended: iso(NOW) },
];
const delay = (seconds: number, at: number): readonly FeedRow[] => [
  { moment: iso(at), what: "batch", took: 9 },
  { moment: iso(at), what: "delay", took: seconds },
];
const seen = (...times: readonly number[]): readonly FeedRow[] =>
  times.map((time) => ({ topic: "train", event_time: iso(time), pred: 1 }));

test("rows a second, lag, errors, and when an event is on the page", () => {
  const meter = new StreamMeter();
  expect(meter.figures(NOW)).toBeUndefined();
  meter.note({ errors: errors(800, 200), predictions: seen(NOW - 60_000) }, false, NOW);
  expect(meter.figures(NOW)).toEqual({
    ...{ records: 1000, perSecond: undefined, lag: undefined, seen: undefined },
    errors: { train: 0.0102, test: 0.01057 },
  });
  for (let second = 1; second <= 20; second++) {
    const now = NOW + 1000 * second;
    const rows = { errors: errors(800 + 80 * second, 200 + 20 * second), batches: delay(second / 100, now) };
    meter.note({ ...rows, predictions: seen(now - 900, now - 10 * second) }, true, now);
  }
  const figures = meter.figures(NOW + 20_000);
  expect(figures).toMatchObject({ records: 3000, perSecond: 100, lag: 0.2, seen: 0.2 });
  expect(streamLine(figures as never)).toBe(
    "records 3,000 (100/s); lag 0.20 s; error train 0.0102, test 0.0106; 95 % on the page within 0.20 s",
  );
  // Nothing comes any more: it is not told as if it did.
  expect(meter.figures(NOW + 25_000)?.perSecond).toBeLessThan(70);
  expect(meter.figures(NOW + 40_000)).toMatchObject({ records: 3000, perSecond: 0, seen: undefined });
});

test("a batch that is told late doesn't hide a newer one", () => {
  const meter = new StreamMeter();
  meter.note({ errors: errors(1, 1), batches: delay(0.5, NOW) }, true, NOW);
  meter.note({ batches: delay(7, NOW - 5000) }, true, NOW);
  expect(meter.figures(NOW)?.lag).toBe(0.5);
});

/** A page's server: says what it is given, to each that listens. */
let server: Server;
let page: string;
let listeners: ServerResponse[];
let asked: string[];
beforeEach(async () => {
  [listeners, asked] = [[], []];
  server = createServer((request, response) => {
    asked.push(request.url ?? "");
    listeners.push(response.writeHead(200, { "Content-Type": "text/event-stream" }));
    response.write('event: hello\ndata: {"version":"1"}\nretry: 1000\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  page = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

test("it listens as a page does, and says where the page tells nothing any more, once", async () => {
  const said: string[] = [];
  const reader = new StreamReader(`${page}/`, "1", "start it", (line) => said.push(line));
  try {
    await expect.poll(() => listeners.length).toBe(1);
    expect(asked).toEqual(["/api/events?run=1"]);
    const event = `event: rows\ndata: ${JSON.stringify({ run: "1", feeds: { errors: errors(8, 2) } })}\n\n`;
    listeners[0]?.write(event.slice(0, 30));
    listeners[0]?.write(event.slice(30));
    await expect.poll(() => reader.figures()?.records).toBe(10);
    expect(said).toEqual([]);
    listeners[0]?.end();
    await expect.poll(() => said).toEqual([expect.stringMatching(`The page at ${page}/ tells nothing .*: start it`)]);
    expect(reader.figures()).toBeUndefined();
    await expect.poll(() => listeners.length).toBe(2);
    listeners[1]?.write(event);
    await expect.poll(() => reader.figures()?.records).toBe(10);
    expect(said).toHaveLength(1);
  } finally {
    reader.stop();
  }
});

const FIGURES = { records: 3000, perSecond: 99.87654, lag: 0.2, errors: { train: 0.0102, test: 0.0106 }, seen: 0.25 };

/** A run that goes on for so many looks, half a second apart by the clock. */
function stream(looks: number): Watched {
  let left = looks;
  return {
    pollMs: 1,
    async status(run): Promise<RunStatus> {
      vi.setSystemTime(Date.now() + 500);
      const state = left-- > 0 ? "running" : "succeeded";
      const ended = state === "succeeded" ? { ended: iso(Date.now()) } : {};
      const step = { name: "learn", state, endless: true, progress: { what: "records", done: 3, total: 0 } } as const;
      return { run, job: "streaming-regression", state, started: iso(NOW), ...ended, steps: [step] };
    },
    log: async () => ({ text: "", next: 0 }),
    evidence: async () => undefined,
  };
}

class Screen extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
const screen = (terminal: object = {}) => Object.assign(new Screen(), terminal) as Screen & NodeJS.WriteStream;

async function watched(looks: number, options: Partial<Parameters<typeof watch>[2]> = {}): Promise<string> {
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  const output = screen(options.output ?? {});
  const told = { figures: () => FIGURES };
  try {
    expect(await watch(stream(looks), "1", { logs: false, stream: told, ...options, output })).toBe(Exit.ok);
    return output.text;
  } finally {
    vi.useRealTimers();
  }
}

test("where there is no terminal a line is printed every ten seconds", async () => {
  const line = "records 3,000 (99.9/s); lag 0.20 s; error train 0.0102, test 0.0106; 95 % on the page within 0.25 s";
  expect((await watched(41)).split("\n").slice(0, -2)).toEqual([
    ...[`[1 s] ${line}`, `[11 s] ${line}`, `[21 s] ${line}`],
    "[21 s] learn: succeeded",
  ]);
});

test("on a terminal one line is renewed", async () => {
  const text = await watched(3, { output: { isTTY: true, columns: 160, rows: 40 } as NodeJS.WriteStream });
  expect(text).toContain("  records 3,000 (99.9/s); lag 0.20 s; error train 0.0102, test 0.0106; 95 % on the page");
  expect(text).toContain("0.25 s; 1 s elapsed");
});

test("the schema of a stream that is watched is what it was", async () => {
  let out = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  await watched(3, { json: new JsonLines("watch/1", { stack: "streaming-local", run: "1" }), isBilled: false });
  await expect(out).toMatchFileSnapshot(fileURLToPath(new URL("golden/watch-stream.jsonl", import.meta.url)));
  expect(streamJson({ ...FIGURES, perSecond: undefined }).perSecond).toBeNull();
});
