/** Cancelling a run, step by step: a real folder as the lake, and machines that do what a test has them do. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cancelRun } from "../../cli/cancel.ts";
import { Follower } from "../../cli/follow.ts";
import type { Attached, Machines } from "../../cli/platform.ts";
import { FolderStore } from "../../clients/lake/folder.ts";
import { UsageError } from "../../core/errors.ts";
import { asWritten, RunRecord } from "../../core/run.ts";

const STARTED = "2026-05-01T10:00:00.000Z";
const ASKED = "2026-05-01T10:07:00.000Z";
const ORIGIN = { version: "0.2.0", settings: {}, steps: [] };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-cancel-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(key: string, content: object): void {
  mkdirSync(dirname(join(folder, key)), { recursive: true });
  writeFileSync(join(folder, key), JSON.stringify(content));
}
const read = (key: string) => JSON.parse(readFileSync(join(folder, key), "utf8"));
const recorded = () => RunRecord.parse(read("_runs/1.json"));

const record = (state: RunRecord["state"], more: object = {}): object =>
  asWritten(
    RunRecord.parse({
      ...{ run: "1", job: "xo", state, started: STARTED, origin: ORIGIN },
      ...(state !== "running" && { ended: ASKED }),
      steps: [
        { name: "generate", state: "succeeded" },
        { name: "train", state: state === "succeeded" ? "succeeded" : state },
      ],
      ...more,
    }),
  );

/** What was done, in order. */
let done: string[];
beforeEach(() => {
  done = [];
});

function attached(end: () => void = () => {}, more: Partial<Attached> = {}): Attached {
  return {
    run: "1",
    lake: new FolderStore(folder),
    pollMs: 7,
    machines: async () => undefined,
    async cancel(run) {
      done.push(`end ${run} as was asked for by ${read("_cancels/1.json").run}`);
      end();
    },
    pages: async () => [],
    route: () => Promise.reject(new Error("no page")),
    ...more,
  };
}
const cancel = (to: Attached = attached(), { run = "1", sure = true } = {}) =>
  cancelRun("mine", to, run, {
    async agree({ state, steps }) {
      done.push(`asked of ${state} in ${steps.find(({ state }) => state === "running")?.name}`);
      if (!sure) throw new Error("no");
    },
    say: (line) => done.push(line),
  });

const AGREED = "asked of running in train";
const ENDED = "end 1 as was asked for by 1";

test("the request is there before anything is ended, and the record after", async () => {
  write("_runs/1.json", record("running"));
  const outcome = await cancel();
  expect(done).toEqual([AGREED, ENDED]);
  expect(outcome).toMatchObject({ wasOver: false, status: { state: "cancelled", job: "xo", started: STARTED } });
  const { at } = read("_cancels/1.json");
  expect(recorded()).toMatchObject({
    state: "cancelled",
    error: `cancelled: that was asked for at ${at}`,
    steps: [{ state: "succeeded" }, { state: "cancelled" }],
    origin: ORIGIN,
    tables: {},
  });
  expect(read("_runs/1.json")).toMatchObject({ state: "failed", cancelled: true });
});

test("what is endless is waited for, and has not been cancelled when it ends itself", async () => {
  const endless = (state: RunRecord["state"]) => record(state, { steps: [{ name: "train", state, endless: true }] });
  write("_runs/1.json", endless("running"));
  setTimeout(() => write("_runs/1.json", endless("succeeded")), 50);
  const outcome = await cancel();
  expect(done).toEqual([
    AGREED,
    "Run 1 is asked to end, and writes what it still has; it has 60 seconds for that.",
    ENDED,
  ]);
  expect(outcome).toMatchObject({ wasOver: false, status: { state: "succeeded" } });
});

test("who says no changes nothing", async () => {
  write("_runs/1.json", record("running"));
  await expect(cancel(attached(), { sure: false })).rejects.toThrow("no");
  expect(recorded().state).toBe("running");
  expect(() => read("_cancels/1.json")).toThrow("ENOENT");
});

test.each(["succeeded", "failed", "cancelled"] as const)("a run that has %s is over, and stays so", async (state) => {
  write("_runs/1.json", record(state));
  const before = read("_runs/1.json");
  expect(await cancel()).toMatchObject({ wasOver: true, status: { state } });
  expect([done, read("_runs/1.json")]).toEqual([[], before]);
  expect(() => read("_cancels/1.json")).toThrow("ENOENT");
});

test.each(["succeeded", "failed", "cancelled"] as const)("what a machine says last is kept: %s", async (state) => {
  write("_runs/1.json", record("running"));
  const last = record(state, { error: "as the machine says" });
  const outcome = await cancel(attached(() => write("_runs/1.json", last)));
  expect(outcome).toMatchObject({ wasOver: false, status: { state, error: "as the machine says" } });
  expect(read("_runs/1.json")).toEqual(last);
});

test("so is what somebody writes between the look at the record and the writing of it", async () => {
  write("_runs/1.json", record("running"));
  const last = record("succeeded");
  const lake = new FolderStore(folder);
  const replace = lake.replace.bind(lake);
  lake.replace = async (...args) => {
    write("_runs/1.json", last);
    return replace(...args);
  };
  expect(await cancel(attached(() => {}, { lake }))).toMatchObject({ status: { state: "succeeded" } });
  expect(read("_runs/1.json")).toEqual(last);
});

test("a command that is broken off is gone on with by the next, which asks nobody", async () => {
  write("_runs/1.json", record("running"));
  const broken = attached(() => {
    throw new Error("killed");
  });
  await expect(cancel(broken)).rejects.toThrow("killed");
  expect(recorded().state).toBe("running");
  const { at } = read("_cancels/1.json");
  expect(await cancel()).toMatchObject({ wasOver: false, status: { state: "cancelled" } });
  expect(await cancel()).toMatchObject({ wasOver: true, status: { state: "cancelled" } });
  const again = [`That was asked for at ${at} already.`, ENDED];
  expect(done).toEqual([AGREED, ENDED, ...again, ...again]);
  expect(read("_cancels/1.json").at).toBe(at);
});

test("of two who ask at once both are told of one end", async () => {
  write("_runs/1.json", record("running"));
  const both = await Promise.all([cancel(), cancel()]);
  const error = `cancelled: that was asked for at ${read("_cancels/1.json").at}`;
  const status = { state: "cancelled", error };
  expect(both).toMatchObject([{ status }, { status }]);
  expect(recorded()).toMatchObject(status);
});

test("a run that wrote nothing yet gets a record of what its machines say", async () => {
  const machines: Machines = { started: STARTED, job: "xo", steps: [{ name: "generate", state: "pending" }] };
  write("_lake.json", {});
  expect(await cancel(attached(() => {}, { machines: async () => machines, bill: [] }))).toMatchObject({
    status: { state: "cancelled" },
  });
  expect(recorded()).toMatchObject({ job: "xo", started: STARTED, steps: [{ state: "pending" }] });
  expect(Object.keys(read("_runs/1.json"))).not.toContain("cost");
});

test("what can't be cancelled is refused before anything is written", async () => {
  const nothing = () => expect(() => read("_cancels/1.json")).toThrow("ENOENT");
  await expect(cancel()).rejects.toThrow('run "1" of stack mine has not begun: there is nothing to cancel');
  await expect(cancel(attached(), { run: "9" })).rejects.toThrow(
    '--run is "9": stack mine has no such run; it has none yet',
  );
  write("_runs/1.json", record("running"));
  await expect(cancel(attached(), { run: "9" })).rejects.toThrow("stack mine has no such run; it has 1");
  for (const run of ["2", "3", "4", "5", "6"]) write(`_runs/${run}.json`, record("succeeded", { run }));
  await expect(cancel(attached(), { run: "9" })).rejects.toThrow("it has among others 2, 3, 4, 5, 6");
  const { cancel: _, ...without } = attached();
  await expect(cancel(without)).rejects.toThrow("runs of stack mine can't be cancelled: its cluster has no way to");
  nothing();
});

test("a run that was removed is told as such, and is none that there is", async () => {
  write("_runs/1.json", record("running"));
  write("_runs/2.json", record("failed", { run: "2", removed: ASKED }));
  await expect(cancel(attached(), { run: "2" })).rejects.toThrow(`run "2" of stack mine was removed at ${ASKED}`);
  write("_runs/3.json", { run: "what is no record" });
  await expect(cancel(attached(), { run: "3" })).rejects.toThrow(/has no such run; it has 1$/);
});

test("a lake that can't take the request is told of, with the cure, and nothing is ended", async () => {
  write("_runs/1.json", record("running"));
  writeFileSync(join(folder, "_cancels"), "");
  await expect(cancel()).rejects.toThrow(
    new UsageError(
      `the lake ${folder} can't be written to (ENOTDIR): a file is where one of its folders should be: remove it`,
    ),
  );
  expect(done).toEqual([AGREED]);
});

test("a request that is none is told of, and nothing is ended", async () => {
  write("_runs/1.json", record("running"));
  write("_cancels/1.json", { run: "1" });
  await expect(cancel()).rejects.toThrow(/^_cancels\/1.json in lake .* is no request to cancel a run: remove it$/);
  expect(done).toEqual([AGREED]);
});

test("machines that ended after the request, and wrote nothing, have not failed", async () => {
  write("_runs/1.json", record("running"));
  const machines = async (): Promise<Machines> => ({ started: STARTED, over: { error: "they are gone", at: ASKED } });
  const status = () => new Follower(attached(() => {}, { machines })).status("1");
  expect(await status()).toMatchObject({ state: "failed", error: "they are gone" });
  write("_cancels/1.json", { run: "1", at: ASKED });
  expect(await status()).toMatchObject({
    state: "cancelled",
    error: `cancelled: that was asked for at ${ASKED}`,
    steps: [{ state: "succeeded" }, { state: "cancelled" }],
  });
  write("_runs/1.json", record("failed", { error: "before it was asked for" }));
  expect(await status()).toMatchObject({ state: "failed", error: "before it was asked for" });
});

test("what a service says of steps that it ended does not count where the record says cancelled", async () => {
  write("_runs/1.json", record("cancelled", { error: "as it was written" }));
  const machines = async (): Promise<Machines> => ({
    started: STARTED,
    outcome: { state: "failed", error: "step ended" },
  });
  const found = await new Follower(attached(() => {}, { machines })).status("1");
  expect(found).toMatchObject({ state: "cancelled", error: "as it was written" });
});
