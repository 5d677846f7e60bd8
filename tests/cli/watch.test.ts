/** What `oneoff watch` shows of a run, whatever its cluster is; only the clock is a fake. */
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Watched, watch } from "../../cli/watch.ts";
import { Exit } from "../../core/errors.ts";
import type { RunStatus } from "../../core/run.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"], now: new Date("2026-11-21T12:00:00Z") }));
afterEach(() => void vi.useRealTimers());

class Screen extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
const screen = (terminal: object = {}) => Object.assign(new Screen(), terminal) as Screen & NodeJS.WriteStream;

type Progress = RunStatus["steps"][number]["progress"];

/** A cluster that says so much of its one step, each so many seconds after the one before, and then that it is over. */
function cluster(moments: readonly (readonly [after: number, progress: Progress])[]): Watched {
  const started = new Date().toISOString();
  let next = 0;
  return {
    pollMs: 1,
    async status(run) {
      const moment = moments[next++];
      vi.setSystemTime(Date.now() + (moment?.[0] ?? 1) * 1000);
      const state = moment ? "running" : "succeeded";
      const step = { name: "convert", state, started, ...(moment?.[1] && { progress: moment[1] }) } as const;
      const ended = moment ? {} : { ended: new Date().toISOString() };
      return { run, job: "power", state, started, ...ended, steps: [{ ...step, ...ended }] };
    },
    log: async () => ({ text: "", next: 0 }),
    evidence: async () => undefined,
  };
}

const rows = (done: number): Progress => ({ what: "rows", done, total: 5_000_000 });

async function lines(...moments: readonly (readonly [number, Progress])[]): Promise<readonly string[]> {
  const output = screen();
  expect(await watch(cluster(moments), "1", { logs: false, output })).toBe(Exit.ok);
  return output.text.split("\n").slice(0, -1);
}

test("a step that counts is shown with how many it does in a second", async () => {
  expect(await lines([0, rows(0)], [2, rows(600_000)], [2, rows(1_240_000)])).toEqual([
    "[0 s] convert: rows 0/5,000,000",
    "[2 s] convert: rows 600,000/5,000,000 (300,000/s)",
    "[4 s] convert: rows 1,240,000/5,000,000 (310,000/s)",
    "[5 s] convert: succeeded in 5 s",
    "Run 1 of power succeeded after 5 s.",
  ]);
});

test("the rate is that of the last ten seconds, also where a cluster is asked more seldom", async () => {
  expect(await lines([0, rows(0)], [10, rows(1000)], [10, rows(3000)], [60, rows(9000)])).toMatchObject([
    "[0 s] convert: rows 0/5,000,000",
    "[10 s] convert: rows 1,000/5,000,000 (100/s)",
    "[20 s] convert: rows 3,000/5,000,000 (200/s)",
    "[1 min 20 s] convert: rows 9,000/5,000,000 (100/s)",
    expect.any(String),
    expect.any(String),
  ]);
});

test("there is no rate of what is slow, has just begun, or begins anew; one that changes alone makes no line", async () => {
  const models = (done: number): Progress => ({ what: "models", done, total: 30 });
  const text = await lines(
    ...[[0, undefined] as const, [1, rows(0)] as const, [1, rows(50_000)] as const, [5, rows(50_000)] as const],
    ...[[1, models(1)] as const, [5, models(2)] as const, [5, rows(10)] as const],
  );
  expect(text.slice(0, -2)).toEqual([
    "[0 s] convert: running",
    "[1 s] convert: rows 0/5,000,000",
    "[2 s] convert: rows 50,000/5,000,000",
    "[8 s] convert: models 1/30",
    "[13 s] convert: models 2/30",
    "[18 s] convert: rows 10/5,000,000",
  ]);
});

test("on a terminal it stands beside the bar", async () => {
  const output = screen({ isTTY: true, columns: 120, rows: 40 });
  await watch(cluster([[0, rows(0)] as const, [10, rows(2_500_000)] as const]), "1", { logs: false, output });
  expect(output.text).toContain(
    `  convert  ${"█".repeat(12)}${"░".repeat(12)}  rows 2,500,000/5,000,000 (250,000/s)\n`,
  );
});

test("a run that was cancelled ends the watching, and is none to be mended", async () => {
  const output = screen();
  const ended = { state: "cancelled", error: "cancelled: that was asked for", ended: "2026-11-21T12:07:00Z" } as const;
  const status: RunStatus = {
    ...{ run: "1", job: "power", started: "2026-11-21T12:00:00Z", cost: 0.471, ...ended },
    steps: [{ name: "convert", state: "cancelled" }],
  };
  const stopped: Watched = { ...cluster([]), status: async () => status };
  expect(await watch(stopped, "1", { logs: false, output, stack: "mine" })).toBe(8);
  expect(output.text.split("\n").slice(-3, -1)).toEqual([
    "Run 1 of power was cancelled after 7 min, for about 0.47 USD.",
    '"npx --no oneoff run mine" starts a new run; this one stays as it is.',
  ]);
});

test("a run without an end is left once it does what it does, where nobody would wait for more", async () => {
  const output = screen();
  const status = (state: "pending" | "running"): RunStatus => ({
    ...{ run: "1", job: "stream", state: "running", started: "2026-11-21T12:00:00Z", deadline: "2026-11-21T20:00:00Z" },
    steps: [{ name: "learn", state, endless: true, progress: { what: "records", done: 1200, total: 0 } }],
  });
  const states = [status("pending"), status("running")];
  const stream: Watched = { ...cluster([]), status: async () => states.shift() };
  expect(await watch(stream, "1", { logs: false, output, stack: "mine", leavesEndless: true })).toBe(Exit.ok);
  expect(output.text).toBe(
    `[0 s] learn: records 1,200
Run 1 of stream goes on until "npx --no oneoff cancel mine" asks it to end, or until 2026-11-21 20:00:00 UTC.
`,
  );
});
