import { setTimeout as sleep } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { QueryEngine } from "../../../assets/dashboard/engine.ts";
import { LakeWatch, type Listener } from "../../../assets/dashboard/watch.ts";
import type { End } from "../../../core/ends.ts";

/** An engine whose tables change when told to, and that counts what it is asked. */
function fakeEngine() {
  const state = { version: "0", fails: false, ends: [] as readonly End[] };
  const runs = vi.fn(async () => []);
  const versions = vi.fn(async () => {
    if (state.fails) throw new Error("the bucket is away");
    return { readings: { version: state.version }, monthly: { version: "0" } };
  });
  const engine: QueryEngine = {
    pollMilliseconds: 10,
    runs,
    versions,
    run: vi.fn(),
    ends: async () => state.ends,
    query: vi.fn(),
    log: vi.fn(),
    close: vi.fn(),
  };
  return { engine, state, runs, versions };
}

const listener = (...runIds: string[]) =>
  ({ runIds, runs: vi.fn(), tables: vi.fn(), ends: vi.fn() }) satisfies Listener;

test("listeners share one look, and nobody looks when nobody listens", async () => {
  const { engine, runs, versions } = fakeEngine();
  const watch = new LakeWatch(engine);
  await sleep(50);
  expect(runs).not.toHaveBeenCalled();
  const stops = [listener("a"), listener("a", "b"), listener("b")].map((each) => watch.subscribe(each));
  await expect.poll(() => runs.mock.calls.length).toBeGreaterThan(5);
  // The first look may have been before the others came.
  const looks = runs.mock.calls.length;
  expect(versions.mock.calls.length).toBeLessThanOrEqual(2 * looks);
  for (const stop of stops) stop();
  expect(watch.listeners).toBe(0);
  await sleep(30);
  const after = runs.mock.calls.length;
  await sleep(60);
  expect(runs.mock.calls.length).toBe(after);
  const again = listener("a");
  watch.subscribe(again)();
  const stop = watch.subscribe(again);
  await expect.poll(() => again.tables.mock.calls.length).toBe(1);
  stop();
});

test("each listener is told how things stand and then of changes only", async () => {
  const { engine, state } = fakeEngine();
  const watch = new LakeWatch(engine);
  const early = listener("a");
  const stopEarly = watch.subscribe(early);
  await expect.poll(() => early.tables.mock.calls.length).toBe(1);
  state.version = "1";
  await expect.poll(() => early.tables.mock.calls.length).toBe(2);
  const late = listener("a");
  const stopLate = watch.subscribe(late);
  await expect.poll(() => late.tables.mock.calls.length).toBe(1);
  await sleep(60);
  expect(early.tables.mock.calls).toEqual([
    ["a", { readings: { version: "0" }, monthly: { version: "0" } }],
    ["a", { readings: { version: "1" } }],
  ]);
  expect(late.tables.mock.calls).toEqual([["a", { readings: { version: "1" }, monthly: { version: "0" } }]]);
  expect(early.runs).toHaveBeenCalledTimes(1);
  expect(early.ends).not.toHaveBeenCalled();
  state.ends = [{ at: "2026-01-01T18:00:00Z", what: "it ends" }];
  await expect.poll(() => late.ends.mock.calls).toEqual([[state.ends]]);
  stopEarly();
  stopLate();
});

test("a look that fails is logged and tried again", async () => {
  const log = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const { engine, state } = fakeEngine();
  state.fails = true;
  const watch = new LakeWatch(engine);
  const told = listener("a");
  const stop = watch.subscribe(told);
  await expect.poll(() => log.mock.calls.join()).toContain("the bucket is away");
  expect(told.tables).not.toHaveBeenCalled();
  state.fails = false;
  await expect.poll(() => told.tables.mock.calls.length).toBe(1);
  stop();
  log.mockRestore();
});
