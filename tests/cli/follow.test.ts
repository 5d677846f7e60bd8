/** How a run does by what its lake and its machines say: a real folder as the lake, and machines that say what a test has them say. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Follower, runStatus, spentOn } from "../../cli/follow.ts";
import { overdue, replaced } from "../../cli/machines.ts";
import type { Attached, Machines } from "../../cli/platform.ts";
import { FolderStore } from "../../clients/lake/folder.ts";
import { TransientError } from "../../core/errors.ts";
import { failedStatus, type RunStatus } from "../../core/run.ts";

const T0 = Date.parse("2026-05-01T10:00:00Z");
const iso = (minutes: number) => new Date(T0 + minutes * 60_000).toISOString();
const NOW = new Date(T0 + 60 * 60_000);

const STATUS = "_clusters/1/status.json";
const RECORD = "_runs/1.json";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-follow-"));
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

function write(key: string, content: unknown): void {
  const file = join(folder, key);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
}

/** A follower of machines that are asked, with what they were asked about. */
function follower(machines: Machines | undefined | Attached["machines"], more: Partial<Attached> = {}) {
  const asked: [run: string, recorded: RunStatus | undefined][] = [];
  const attached: Attached = {
    run: "1",
    lake: new FolderStore(folder),
    pollMs: 7,
    async machines(run, recorded) {
      asked.push([run, recorded]);
      return typeof machines === "function" ? machines(run, recorded) : machines;
    },
    pages: async () => [],
    route: () => Promise.reject(new Error("no page")),
    ...more,
  };
  return Object.assign(new Follower(attached), { asked });
}

type Step = RunStatus["steps"][number];
const generate: Step = { name: "generate", state: "succeeded" };
const train = (state: Step["state"], more: Partial<Step> = {}): Step => ({ name: "train", state, ...more });
/** As its cluster tells. */
const status = (state: RunStatus["state"], more: Partial<RunStatus> = {}): RunStatus => ({
  ...{ run: "1", job: "xo", state, started: iso(1) },
  ...(state !== "running" && { ended: iso(31) }),
  steps: [generate, train(state, { started: iso(2) })],
  ...more,
});
/** As the job writes it, without the times of its steps. */
const record = (state: RunStatus["state"], more: Partial<RunStatus> = {}): RunStatus => ({
  ...{ run: "1", job: "xo", state, started: iso(0) },
  ...(state !== "running" && { ended: iso(30) }),
  ...(state === "failed" && { error: "no luck" }),
  steps: [generate, train(state)],
  ...more,
});
const written = (record: RunStatus) => ({ ...record, tables: { points: { rows: 3, digest: "d" } } });
const started = iso(-5);
const OVER = { error: "they ended", at: iso(40) };

interface Case {
  readonly status?: RunStatus;
  readonly record?: RunStatus;
  readonly machines?: Machines;
  readonly attached?: Partial<Attached>;
  readonly is: RunStatus | undefined;
}
const pending = train("pending");

const CASES: Readonly<Record<string, Case>> = {
  "nothing is known": { is: undefined },
  "the lake alone says something: its status": { status: status("running"), is: status("running") },
  "its record, without its tables": { record: record("running"), is: record("running") },
  "the status of a run that goes on is newer than its record": {
    ...{ status: status("running"), record: record("running") },
    is: status("running"),
  },
  "a status that has ended is newer than a record that says that it goes on": {
    ...{ status: status("succeeded"), record: record("running") },
    is: status("succeeded"),
  },
  "a record that has ended is the last word": {
    ...{ status: status("running"), record: record("succeeded") },
    is: record("succeeded"),
  },
  "a record that has failed is too, where the status says otherwise": {
    ...{ status: status("succeeded"), record: record("failed") },
    is: record("failed"),
  },
  "of both that have ended alike the status has more": {
    ...{ status: status("failed", { error: "no luck at all" }), record: record("failed") },
    is: status("failed", { error: "no luck at all" }),
  },
  "while tables are loaded the status goes on after the record has ended": {
    ...{ status: status("running"), record: record("succeeded"), attached: { statusIsLast: true } },
    is: status("running"),
  },
  "and it may fail then": {
    ...{ status: status("failed", { error: "no table" }), record: record("succeeded") },
    ...{ attached: { statusIsLast: true }, is: status("failed", { error: "no table" }) },
  },
  "a record without such a status is what there is": {
    ...{ record: record("succeeded"), attached: { statusIsLast: true } },
    is: record("succeeded"),
  },
  "the machines alone say something": {
    machines: { started },
    is: { run: "1", job: "the job", state: "running", started, steps: [] },
  },
  "they know the job, its deadline and its steps": {
    machines: { started, job: "forecast", deadline: iso(90), steps: [pending] },
    is: { run: "1", job: "forecast", state: "running", started, deadline: iso(90), steps: [pending] },
  },
  "they say when it began, and the lake the rest": {
    ...{ status: status("running", { deadline: iso(80) }), machines: { started, job: "forecast" } },
    is: status("running", { started, deadline: iso(80) }),
  },
  "their deadline and their steps count more than the lake's": {
    status: status("running", { deadline: iso(80) }),
    machines: { started, deadline: iso(90), steps: [pending] },
    is: status("running", { started, deadline: iso(90), steps: [pending] }),
  },
  "steps that they have none of are the lake's": {
    ...{ status: status("running"), machines: { started, steps: [] } },
    is: status("running", { started }),
  },
  "a success in the record stands when the machines are over": {
    ...{ record: record("succeeded"), machines: { started, over: OVER } },
    is: record("succeeded", { started }),
  },
  "a failure in the record stands when the machines are over": {
    ...{ record: record("failed"), machines: { started, over: OVER } },
    is: record("failed", { started }),
  },
  "a failure in the record stands when all steps ended well": {
    ...{ record: record("failed"), machines: { started, outcome: { state: "succeeded", at: iso(29) } } },
    is: record("failed", { started }),
  },
  "a success in the record stands while a service doesn't know of it yet": {
    ...{ record: record("succeeded"), machines: { started } },
    is: record("succeeded", { started }),
  },
  "its steps ended with it, whatever a service that knows their times says of them": {
    record: record("succeeded"),
    machines: { started, steps: [train("running", { started: iso(2) }), { name: "mine", state: "running" }] },
    is: record("succeeded", {
      started,
      steps: [train("succeeded", { started: iso(2) }), { name: "mine", state: "running" }],
    }),
  },
  "a step that failed fails its run whatever the record says": {
    record: record("succeeded"),
    machines: { started, outcome: { state: "failed", error: "exit 1", at: iso(29) } },
    is: record("failed", { started, error: "exit 1", steps: record("succeeded").steps }),
  },
  "why it failed is told by the record, if it says so": {
    ...{ record: record("failed"), machines: { started, outcome: { state: "failed", error: "exit 1", at: iso(29) } } },
    is: record("failed", { started }),
  },
  "a service that runs the steps knows first that one failed": {
    record: record("running"),
    machines: { started, steps: [train("failed")], outcome: { state: "failed", error: "exit 1", at: iso(29) } },
    is: record("failed", { started, error: "exit 1", ended: iso(29), steps: [train("failed")] }),
  },
  "a failure at no known time is one of now": {
    ...{ record: record("running"), machines: { started, outcome: { state: "failed", error: "exit 1" } } },
    is: { ...record("running", { started, error: "exit 1", ended: NOW.toISOString() }), state: "failed" },
  },
  "or that all ended well": {
    record: record("running"),
    machines: { started, steps: [train("succeeded")], outcome: { state: "succeeded", at: iso(29) }, over: OVER },
    is: record("succeeded", { started, ended: iso(29), steps: [train("succeeded")] }),
  },
  "at a time that nobody knows": {
    ...{ record: record("running"), machines: { started, outcome: { state: "succeeded" } } },
    is: { ...record("running", { started, ended: NOW.toISOString() }), state: "succeeded" },
  },
  "machines that are over fail what goes on, with its steps": {
    status: status("running", { cluster: { state: "RUNNING" } }),
    machines: { started, over: OVER },
    is: {
      ...status("running", { started, ended: iso(40), error: "they ended" }),
      ...{ state: "failed", steps: [generate, train("failed", { started: iso(2) })] },
    },
  },
  "what was not begun then is not": {
    ...{ machines: { started, steps: [generate, pending], over: { error: "gone" } } },
    is: {
      ...{ run: "1", job: "the job", state: "failed", error: "gone", started, ended: NOW.toISOString() },
      steps: [generate, pending],
    },
  },
  "what they are at is the lake's where they don't say": {
    ...{ status: status("running", { cluster: { state: "CREATING" } }), machines: { started } },
    is: status("running", { started, cluster: { state: "CREATING" } }),
  },
  "theirs where they do": {
    status: status("running", { cluster: { state: "CREATING" } }),
    machines: { started, cluster: ({ state }) => ({ state: `still ${state}` }) },
    is: status("running", { started, cluster: { state: "still running" } }),
  },
  "and nothing where they are at nothing": {
    status: status("running", { cluster: { state: "CREATING" } }),
    machines: { started, cluster: () => undefined },
    is: status("running", { started }),
  },
  "they are told how the run does, once that is known": {
    record: record("running"),
    machines: { started, over: OVER, cluster: ({ state, ended }) => ({ state, reason: String(ended) }) },
    is: {
      ...record("failed", { started, error: "they ended", ended: iso(40) }),
      cluster: { state: "failed", reason: iso(40) },
    },
  },
};

test.each(Object.entries(CASES))("%s", async (_, { status, record, machines, attached, is }) => {
  if (status) write(STATUS, status);
  if (record) write(RECORD, written(record));
  expect(await follower(machines, attached).status("1")).toEqual(is);
});

test("machines are told what the lake says, and asked about the run that was asked for", async () => {
  const one = follower({ started });
  expect(one.pollMs).toBe(7);
  expect(await one.status("2")).toMatchObject({ run: "2", state: "running" });
  write(RECORD, written(record("succeeded")));
  await one.status("1");
  expect(one.asked).toEqual([
    ["2", undefined],
    ["1", record("succeeded")],
  ]);
});

test.each(["", ".", "../1", "a/b", "-1", "a b", "x".repeat(64)])(
  "run %j is refused before anything is asked",
  async (run) => {
    const one = follower({ started });
    await expect(one.status(run)).rejects.toThrow(/^runId is /);
    await expect(one.log(run, "train", 0)).rejects.toThrow(/^runId is /);
    expect(one.asked).toEqual([]);
  },
);

test.each([
  ["half", '{"run": "1", "job": "xo", "sta'],
  ["empty", ""],
  ["of another shape", { run: "1", state: "running" }],
  ["a list", []],
  ["in a state that nobody knows", { ...status("running"), state: "paused" }],
])("a file that is %s counts as none", async (_, content) => {
  write(STATUS, content);
  write(RECORD, content);
  expect(await follower(undefined).status("1")).toBeUndefined();
  write(RECORD, written(record("running")));
  expect(await follower(undefined).status("1")).toEqual(record("running"));
  write(STATUS, status("running"));
  write(RECORD, content);
  expect(await follower(undefined).status("1")).toEqual(status("running"));
});

test("what the machines can't tell now is not taken for an end, nor a lake that can't be read", async () => {
  const silent = follower(() => Promise.reject(new TransientError("asked too often")));
  write(RECORD, written(record("running")));
  await expect(silent.status("1")).rejects.toThrow("asked too often");
  const lake = Object.assign(new FolderStore(folder), {
    bytes: () => Promise.reject(new TransientError("no network")),
  });
  const blind = follower({ started, over: OVER }, { lake });
  await expect(blind.status("1")).rejects.toThrow("no network");
  expect(blind.asked).toEqual([]);
});

const ends = (change: () => void) => async (): Promise<Machines> => {
  change();
  return { started, over: OVER };
};

test("what was written while the machines were asked is read when they are over", async () => {
  write(STATUS, status("running"));
  expect(await follower(ends(() => write(STATUS, status("succeeded")))).status("1")).toEqual(
    status("succeeded", { started }),
  );
  write(STATUS, status("running"));
  expect(await follower(ends(() => write(RECORD, written(record("failed"))))).status("1")).toEqual(
    record("failed", { started }),
  );
});

test("a run that was not known before is, if it was written meanwhile", async () => {
  expect(await follower(ends(() => write(RECORD, written(record("succeeded"))))).status("1")).toEqual(
    record("succeeded", { started }),
  );
});

test("progress that was made meanwhile is not lost with the machines", async () => {
  write(STATUS, status("running"));
  const later = { name: "later", state: "running" } as const;
  const found = await follower(ends(() => write(STATUS, status("running", { steps: [generate, later] })))).status("1");
  expect(found?.steps).toEqual([generate, { ...later, state: "failed" }]);
});

test("what is written takes as long to be seen as its machines say, and no longer is it waited for", async () => {
  const LAG = 150;
  const after = async (writtenMs: number | undefined, lagMs: number) => {
    write(STATUS, status("running"));
    let timer: NodeJS.Timeout | undefined;
    const late = ends(() => {
      if (writtenMs !== undefined) timer = setTimeout(() => write(STATUS, status("succeeded")), writtenMs);
    });
    const began = performance.now();
    const found = await follower(late, { lagMs }).status("1");
    clearTimeout(timer);
    return [found?.state, performance.now() - began] as const;
  };
  expect((await after(20, LAG))[0]).toBe("succeeded");
  const [state, took] = await after(undefined, LAG);
  expect(state).toBe("failed");
  expect(took).toBeGreaterThanOrEqual(LAG - 2);
  expect((await after(LAG * 4, 0))[0]).toBe("failed");
});

test("a last word is not waited for, nor read again", async () => {
  write(RECORD, written(record("succeeded")));
  const began = performance.now();
  const found = await follower(
    ends(() => write(RECORD, written(record("failed")))),
    { lagMs: 60_000 },
  ).status("1");
  expect(found).toEqual(record("succeeded", { started }));
  expect(performance.now() - began).toBeLessThan(30_000);
});

test("machines that go on are not waited for", async () => {
  write(STATUS, status("running"));
  const going = async (): Promise<Machines> => {
    write(STATUS, status("succeeded"));
    return { started };
  };
  const began = performance.now();
  expect(await follower(going, { lagMs: 60_000 }).status("1")).toEqual(status("running", { started }));
  expect(performance.now() - began).toBeLessThan(30_000);
});

test("progress is read from the logs of steps that run, on from where it was, where it is nowhere else", async () => {
  const told = { what: "models", done: 1, total: 30 };
  write(
    STATUS,
    status("running", { steps: [generate, train("running", { progress: told }), { name: "load", state: "pending" }] }),
  );
  for (const step of ["generate", "load"]) write(`_logs/1/${step}.log`, "[oneoff] rows 9/9\n");
  write("_logs/1/train.log", "starting\n[oneoff] models 3/30\n[oneoff] mod");
  const progress = async (one: Follower) => (await one.status("1"))?.steps.map(({ progress }) => progress);
  expect(await progress(follower({ started }))).toEqual([undefined, told, undefined]);
  const reads: [string, string, number][] = [];
  const lake = new FolderStore(folder);
  const logs = follower(
    { started },
    {
      progressInLogs: true,
      async log(run, step, from) {
        reads.push([run, step, from]);
        const text = new TextDecoder().decode(await lake.bytes(`_logs/${run}/${step}.log`, from));
        return { text, next: from + text.length };
      },
    },
  );
  expect(await progress(logs)).toEqual([undefined, { ...told, done: 3 }, undefined]);
  write("_logs/1/train.log", "starting\n[oneoff] models 3/30\n[oneoff] models 4/30\n");
  expect(await progress(logs)).toEqual([undefined, { ...told, done: 4 }, undefined]);
  expect(reads).toEqual([
    ["1", "train", 0],
    ["1", "train", 42],
  ]);
  // A log that says nothing leaves what the status says.
  write("_logs/1/train.log", "");
  expect(await progress(follower({ started }, { progressInLogs: true }))).toEqual([undefined, told, undefined]);
});

test("runs of one follower have their own progress", async () => {
  for (const [run, done] of [
    ["1", 3],
    ["2", 5],
  ] as const) {
    write(`_clusters/${run}/status.json`, status("running", { run }));
    write(`_logs/${run}/train.log`, `[oneoff] models ${done}/30\n`);
  }
  const one = follower({ started }, { progressInLogs: true });
  const done = async (run: string) => (await one.status(run))?.steps[1]?.progress?.done;
  expect([await done("1"), await done("2"), await done("1")]).toEqual([3, 5, 3]);
});

test("a log is the lake's, or what the machines have of it", async () => {
  write("_logs/1/train.log", "one\ntwo\n");
  expect(await follower(undefined).log("1", "train", 4)).toEqual({ text: "two\n", next: 8 });
  expect(await follower(undefined).log("1", "load", 4)).toEqual({ text: "", next: 4 });
  const own = follower(undefined, { log: async (run, step, from) => ({ text: `${run} ${step}`, next: from + 5 }) });
  expect(await own.log("1", "train", 4)).toEqual({ text: "1 train", next: 9 });
  expect(await own.evidence("1")).toBeUndefined();
  const evident = follower(undefined, { evidence: async (run) => ({ what: "them", text: run }) });
  expect(await evident.evidence("1")).toEqual({ what: "them", text: "1" });
});

const bill = [
  { what: "2 workers", usdPerHour: 6, hours: 2, usd: 12 },
  { what: "Athena", usdPerHour: 0, hours: 0, usd: 9 },
];

test.each<[string, RunStatus, Omit<Machines, "started">, number]>([
  ["while it runs, until now", status("running"), { ended: iso(10) }, 60],
  ["after its end, while its machines are there", status("succeeded"), { areThere: true, ended: iso(10) }, 60],
  ["until they ended, where that is known", status("succeeded"), { ended: iso(41) }, 40],
  ["else with the run", status("failed"), {}, 30],
  ["with the run where they are not there", status("succeeded"), { areThere: false }, 30],
  ["until now where nobody knows an end", status("failed", { ended: undefined }), {}, 60],
  ["nothing where two clocks differ", status("succeeded", { ended: iso(0) }), {}, 0],
])("a run costs %s", (_, of, machines, minutes) => {
  const now = new Date(T0 + 61 * 60_000);
  expect(spentOn(of, { started, ...machines }, bill, now)).toBeCloseTo((6 * minutes) / 60);
});

test("what it costs is said where there are machines and a bill", async () => {
  write(STATUS, status("succeeded"));
  const cost = async (machines: Machines | undefined, more: Partial<Attached>) =>
    (await follower(machines, more).status("1")) as RunStatus;
  expect((await cost({ started: iso(1) }, { bill })).cost).toBeCloseTo(3);
  expect((await cost({ started: iso(1), areThere: true }, { bill })).cost).toBeCloseTo(5.9);
  expect((await cost({ started: iso(1) }, { bill: [] })).cost).toBe(0);
  expect(await cost({ started: iso(1) }, {})).not.toHaveProperty("cost");
  expect(await cost(undefined, { bill })).not.toHaveProperty("cost");
});

test("a run whose place another took ended at its deadline at the latest, unless it said how", () => {
  const going = status("running", { deadline: iso(50) });
  expect(replaced(going)).toEqual({
    started: iso(1),
    over: { error: "another run took its place before it ended", at: iso(50) },
  });
  expect(runStatus("1", going, replaced(going), NOW)).toMatchObject({ state: "failed", ended: iso(50) });
  const open = status("running");
  expect(runStatus("1", open, replaced(open), NOW)).toMatchObject({ state: "failed", ended: NOW.toISOString() });
  const done = status("succeeded");
  expect(runStatus("1", done, replaced(done), NOW)).toEqual(done);
});

test("a run is overdue once its grace has passed, and not before", () => {
  const GRACE = 5 * 60_000;
  const due = status("running", { deadline: iso(55) }); // with its grace: now
  const at = (ms: number) => {
    vi.setSystemTime(NOW.getTime() + ms);
    return overdue(due, GRACE, "silent");
  };
  expect(at(-1)).toBeUndefined();
  expect(at(0)).toBeUndefined();
  expect(at(1)).toEqual({ error: "silent", at: iso(55) });
  expect(overdue(status("running"), 0, "silent")).toBeUndefined();
});

test("a failed run's end is written as others are, whatever it was told as", () => {
  const end = "2026-05-01T12:00:00+02:00";
  expect(failedStatus(status("running"), "gone", end).ended).toBe(iso(0));
  expect(failedStatus(status("running"), "gone", new Date(T0)).ended).toBe(iso(0));
  expect(failedStatus(status("running"), "gone").ended).toBe(NOW.toISOString());
});
