/** The verbs that read runs, and the one that removes them, on a lake in a folder; Pulumi's answers are given. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LakeIndex } from "../../assets/dashboard/lake/lake-index.ts";
import { FolderStore } from "../../clients/lake/folder.ts";
import { UsageError } from "../../core/errors.ts";
import { RunRecord } from "../../core/run.ts";
import { findRun } from "../../provider/cluster.ts";
import { identify } from "../../provider/process.ts";
import { exported } from "./attached.ts";
import { oneoff } from "./in-process.ts";

const NOW = new Date("2026-11-29T20:00:00Z");
const GOLDEN = new URL("golden/", import.meta.url);

/** What Pulumi says of stacks: outputs by their names, the first of which is selected. */
let stacks: Record<string, Record<string, unknown>>;
let lake: string;
let pulumiEnds = 0;

vi.mock(import("../../cli/pulumi.ts"), async (original) => {
  const real = await original();
  const outputsOf = async (stack: string) => {
    const outputs = stacks[stack];
    if (!outputs) throw new real.NoStackError(`there is no stack ${stack}: make it`);
    return real.outputsIn(exported(outputs), stack);
  };
  const selected = () => Object.keys(stacks)[0] as string;
  const pulumiText = async (args: readonly string[]) => {
    if (args === real.STATE) return exported(await outputsOf(selected()));
    if (args.join(" ") === "stack ls --json") return JSON.stringify(Object.keys(stacks).map((name) => ({ name })));
    return selected();
  };
  return { ...real, outputsOf, pulumiText, ensureStack: async () => {}, pulumi: async () => pulumiEnds };
});

beforeEach(() => {
  lake = mkdtempSync(join(tmpdir(), "oneoff-runs-"));
  vi.useFakeTimers({ toFake: ["Date"], now: NOW });
  vi.stubEnv("PULUMI_BACKEND_URL", "file:///where/stacks/are");
  vi.stubEnv("PULUMI_STACK", undefined);
  stacks = { local: { cluster: "local", run: "monday", lake, dashboard: "http://127.0.0.1:8800" } };
  record("monday", {
    started: "2026-11-29T19:11:43.120Z",
    ended: "2026-11-29T19:22:50.000Z",
    tables: { models: { rows: 30, digest: "cd34" }, points: { rows: 18_204, digest: "ab12" } },
    origin: {
      version: "0.2.0",
      settings: { "oneoff:models": "30", "oneoff:token": null },
      steps: [],
      commit: "0a1b2c",
    },
  });
  record("2026-11-28", {
    state: "failed",
    started: "2026-11-28T08:15:02Z",
    ended: "2026-11-28T08:26:00Z",
    error: "no luck",
  });
  record("2026-11-27", { state: "running", started: "2026-11-27T17:09:30Z", deadline: "2026-11-27T18:09:30Z" });
  write("_logs/monday/points.log", "made 18204\npoints");
  write("_logs/monday/models.log", "[oneoff] models 30/30\ndone\n");
  for (const run of ["monday", "2026-11-28"]) write(`points/run=${run}/part-0.parquet`, "PAR1");
  write("models/run=monday/part-0.parquet", "PAR1");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  rmSync(lake, { recursive: true, force: true });
});

function write(key: string, content: string): void {
  const file = join(lake, key);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function record(run: string, more: object): void {
  const steps = ["points", "models"].map((name) => ({ name, state: "succeeded" }));
  write(`_runs/${run}.json`, JSON.stringify({ run, job: "xo", state: "succeeded", steps, tables: {}, ...more }));
}

/** Has a run go on for as long as this test does. */
const register = (run: string): void => write(`_clusters/${run}/process.json`, JSON.stringify(identify(process.pid)));

/** With the paths that differ by test. */
const told = (text: string): string => text.replaceAll(lake, "LAKE");

test.each([
  ["status", "status", "--json"],
  ["stacks", "status", "--all", "--json"],
  ["runs", "runs", "--json"],
  ["run", "runs", "show", "mon", "--json"],
  ["logs", "logs", "--json", "--tail", "3"],
  ["watch", "watch", "--json", "--logs"],
  ["follow", "status", "--follow", "--json"],
  ["cancel", "cancel", "--json"],
  ["get", "get", "--json"],
  ["error", "logs", "--run", "9", "--json"],
  ["up", "up", "local", "--json"],
])("the schema of %s is what it was", async (name, ...words) => {
  if (name === "stacks") stacks = { ...stacks, swarm: {}, dataproc: { cluster: "mine" } };
  const { out, err } = await oneoff(...words);
  await expect(told(name === "error" ? err : out)).toMatchFileSnapshot(new URL(`${name}.jsonl`, GOLDEN).pathname);
});

test("where Pulumi fails a program is told so, with Pulumi's code", async () => {
  pulumiEnds = 255;
  const { code, out, err } = await oneoff("up", "local", "--json");
  pulumiEnds = 0;
  expect([code, out]).toEqual([255, ""]);
  expect(JSON.parse(err.trimEnd().split("\n").at(-1) as string)).toMatchObject({
    schema: "oneoff.error/1",
    message: "pulumi up of stack local ended with 255",
    exit: 255,
  });
});

interface Case {
  readonly code?: number;
  readonly out?: readonly string[];
  readonly err?: string;
}

const STARTED = "2026-11-29 19:11";
const CASES: Readonly<Record<string, Case>> = {
  status: {
    out: [
      "Stack    local (selected), this machine, asked 2026-11-29 20:00 UTC",
      "Run      monday of xo: succeeded after 11 min 7 s",
      "Steps    points succeeded, models succeeded",
    ],
    err: "Next     npx --no oneoff open | npx --no oneoff get | npx --no oneoff run\n",
  },
  "status nosuch": { code: 6, err: "oneoff: there is no stack nosuch: make it\n" },
  "down nosuch": { code: 6, err: "oneoff: there is no stack nosuch: make it\n" },
  "status local --all": { code: 2, err: "oneoff: --all is for all stacks, and stack local is given: leave one out\n" },
  "status --all": {
    out: ["STACK  RUN     STATE      STARTED (UTC)      USD  NOTE", `local  monday  succeeded  ${STARTED}  0.00`],
  },
  runs: {
    out: [
      "RUN         JOB  STATE      STARTED (UTC)     TOOK",
      `monday      xo   succeeded  ${STARTED}  11m`,
      "2026-11-28  xo   failed     2026-11-28 08:15  10m",
      "2026-11-27  xo   lost       2026-11-27 17:09",
    ],
  },
  "runs -n 1": { out: ["RUN     JOB  STATE      STARTED (UTC)     TOOK", `monday  xo   succeeded  ${STARTED}  11m`] },
  "runs -n 0": {
    code: 2,
    err: "oneoff: option '-n, --number <n>' argument '0' is invalid. expected a whole number from 1; oneoff runs --help tells more\n",
  },
  "runs show mon": {
    out: [
      "Run      monday of xo: succeeded after 11 min 7 s",
      `Started  ${STARTED} UTC`,
      "Ended    2026-11-29 19:22 UTC",
      "Steps    points  succeeded",
      "         models  succeeded",
      "Tables   models  30 rows, digest cd34, in LAKE/models/run=monday/",
      "         points  18,204 rows, digest ab12, in LAKE/points/run=monday/",
      "Made by  pulumi-oneoff 0.2.0, commit 0a1b2c",
      "         oneoff:models=30",
      "         oneoff:token=[secret]",
      "Logs     LAKE/_logs/monday/",
    ],
  },
  "runs show 2026-11-27": {
    out: [
      "Run      2026-11-27 of xo: lost: its cluster was killed, or the machine restarted, before the run ended",
      "Started  2026-11-27 17:09 UTC",
      "Steps    points  succeeded",
      "         models  succeeded",
      "Tables   none",
      "Logs     LAKE/_logs/2026-11-27/",
    ],
  },
  "runs show 2026": { code: 6, err: 'oneoff: run "2026" fits 2026-11-27 and 2026-11-28: give more of it\n' },
  "runs show 9": {
    code: 6,
    err: 'oneoff: stack local has no run "9": there are monday, 2026-11-28 and 2026-11-27\n',
  },
  "runs show a/b": {
    code: 2,
    err: 'oneoff: ID is "a/b": expected 1 to 63 letters, digits, dots, dashes or underscores, a letter or digit first\n',
  },
  logs: { out: ["points | made 18204", "points | points", "models | [oneoff] models 30/30", "models | done"] },
  "logs --step points --tail 1": { out: ["points"] },
  "logs -f --step models": {
    out: ["[oneoff] models 30/30", "done"],
    err: "Run monday of xo succeeded after 11 min 7 s.\n",
  },
  "logs -f --run 2026-11-28": {
    code: 1,
    err: "No step of run 2026-11-28 has printed anything.\nRun 2026-11-28 of xo failed after 10 min 58 s: no luck\n",
  },
  "logs --step model": {
    code: 6,
    err: 'oneoff: run "monday" has no step "model"; did you mean "models"? It has points and models\n',
  },
  "watch --run mon": {
    out: [
      "Dashboard  http://127.0.0.1:8800",
      "points | made 18204",
      "points | points",
      "models | [oneoff] models 30/30",
      "models | done",
      "[11 min 7 s] points: succeeded",
      "[11 min 7 s] models: succeeded",
      "Run monday of xo succeeded after 11 min 7 s.",
    ],
  },
  "watch --run 2026-11-28 --no-logs": {
    code: 1,
    out: [
      "Dashboard  http://127.0.0.1:8800",
      "[10 min 58 s] points: succeeded",
      "[10 min 58 s] models: succeeded",
      "Run 2026-11-28 of xo failed after 10 min 58 s: no luck",
      'Mend it, then "npx --no oneoff run local" starts a new run; this one stays as it is.',
    ],
  },
  "watch --timeout soon": {
    code: 2,
    err: `oneoff: option '--timeout <time>' argument 'soon' is invalid. expected a time up to 20 days, such as "90s", "10m" or "1h"; oneoff watch --help tells more\n`,
  },
  get: { out: ["TABLE     ROWS  DIGEST", "models      30  cd34", "points  18,204  ab12"] },
  "get --run 2026-11-28": { out: ["TABLE   ROWS  DIGEST", "points"] },
  "get --run 9": { code: 6, err: 'oneoff: stack local has no run "9": there are monday, 2026-11-28 and 2026-11-27\n' },
  "get runs": {
    code: 6,
    err: "oneoff: run monday has no table runs in LAKE: there are models and points; to list runs: npx --no oneoff runs\n",
  },
  "get point": {
    code: 6,
    err: "oneoff: run monday has no table point in LAKE: there are models and points; did you mean points?\n",
  },
  "get points --json": {
    code: 2,
    err: `${JSON.stringify({
      ...{ schema: "oneoff.error/1", code: "usage" },
      message: '--json is for the list of tables, and table "points" is given: leave one out',
      exit: 2,
      cure: null,
    })}\n`,
  },
  "get --out x.csv": { code: 2, err: 'oneoff: --out is "x.csv", and no table is given: name the one to write\n' },
};

test.each(Object.entries(CASES))("oneoff %s", async (words, { code = 0, out = [], err = "" }) => {
  const ended = await oneoff(...words.split(" "));
  expect({ code: ended.code, out: told(ended.out), err: told(ended.err) }).toEqual({
    code,
    out: out.map((line) => `${line}\n`).join(""),
    err,
  });
});

test("a narrow terminal leaves out the least columns, and keeps ids whole", async () => {
  const { isTTY, columns } = process.stdout;
  Object.assign(process.stdout, { isTTY: true, columns: 30 });
  const { out } = await oneoff("runs");
  Object.assign(process.stdout, { isTTY, columns });
  expect(out).toBe("RUN         STATE\nmonday      succeeded\n2026-11-28  failed\n2026-11-27  lost\n");
});

test("a stack without runs has an empty list, and says so to people", async () => {
  rmSync(join(lake, "_runs"), { recursive: true });
  expect(await oneoff("runs")).toEqual({
    code: 0,
    out: "RUN  JOB  STATE  STARTED (UTC)  TOOK\n",
    err: 'stack local has no run yet: "npx --no oneoff run local" makes one\n',
  });
  expect(JSON.parse((await oneoff("runs", "--json")).out)).toEqual({
    schema: "oneoff.runs/1",
    stack: "local",
    runs: [],
  });
});

test("a stack that isn't up has a status, and no runs", async () => {
  stacks = { local: {} };
  expect(await oneoff("status")).toEqual({
    code: 0,
    out: "Stack    local (selected), not up, asked 2026-11-29 20:00 UTC\n",
    err: "Next     npx --no oneoff up\n",
  });
  expect(await oneoff("runs")).toMatchObject({ code: 6, out: "" });
});

test("what is billed is listed with what it cost", async () => {
  const bill = [{ what: "2 workers", usdPerHour: 0.6, hours: 2, usd: 1.2 }];
  const { StackRuns } = await import("../../cli/runs.ts");
  const { contextOf } = await import("./attached.ts");
  const runs = await StackRuns.of(contextOf("local", stacks.local));
  Object.assign(runs, { isBilled: true, attached: { ...runs.attached, bill } });
  expect((await runs.list()).map(({ usd }) => usd?.toFixed(3))).toEqual([undefined, "0.110", undefined]);
});

const REMOVED = "2026-11-29T20:00:00.000Z";

test("a run is removed with all it wrote, and its id stays used", async () => {
  const rm = (...more: readonly string[]) => oneoff("runs", "rm", "2026-11-28", ...more);
  write("_logs/2026-11-28/points.log", "x");
  write("_clusters/2026-11-28/status.json", "{}");
  const told = "Run 2026-11-28 of stack local (selected): table points, 3 files with its logs.\n";
  expect(await rm("--dry-run")).toEqual({ code: 0, out: "", err: `${told}That would be removed, and nothing was.\n` });
  expect(await rm()).toMatchObject({ code: 2, err: expect.stringContaining("it removes results") });
  expect(existsSync(join(lake, "points/run=2026-11-28"))).toBe(true);
  expect(await rm("--yes")).toEqual({ code: 0, out: "Run 2026-11-28 is removed; its id stays used.\n", err: told });
  const left = await new FolderStore(lake).keys("");
  expect(left.filter((key) => key.includes("2026-11-28"))).toEqual(["_runs/2026-11-28.json"]);
  expect(left.filter((key) => key.includes("monday"))).toHaveLength(5);
  // What any version takes for a run that has ended, and so never computes again.
  const record = JSON.parse(readFileSync(join(lake, "_runs/2026-11-28.json"), "utf8"));
  expect(record).toEqual({
    ...{
      run: "2026-11-28",
      job: "xo",
      state: "failed",
      started: "2026-11-28T08:15:02Z",
      ended: "2026-11-28T08:26:00Z",
    },
    error: `it was removed at ${REMOVED}, and what it wrote with it: a new run id starts a new run`,
    ...{ steps: [], tables: {}, removed: REMOVED },
  });
  expect(RunRecord.safeParse(record).success).toBe(true);
  expect(findRun(lake, "2026-11-28")).toMatchObject({ orphaned: false, status: { state: "failed" } });
  expect((await oneoff("runs")).out).not.toContain("2026-11-28");
  expect((await new LakeIndex(new FolderStore(lake)).runs()).map(({ run }) => run)).toEqual(["monday", "2026-11-27"]);
  const gone = `oneoff: run "2026-11-28" of stack local was removed at ${REMOVED}`;
  expect(await oneoff("get", "points", "--run", "2026-11-28")).toEqual({ code: 6, out: "", err: `${gone}\n` });
  expect(await rm("--yes")).toEqual({ code: 6, out: "", err: `${gone}, and nothing is left of it\n` });
  stacks.local = { ...stacks.local, run: "2026-11-28" };
  for (const command of ["watch", "logs", "get"])
    expect(await oneoff(command)).toMatchObject({ code: 6, err: `${gone}\n` });
  expect((await oneoff("status")).out).toContain("Run      none\n");
});

test("what could not be removed is told with what was, and goes on", async () => {
  const remove = vi.spyOn(FolderStore.prototype, "remove");
  remove
    .mockImplementationOnce(async () => {})
    .mockRejectedValueOnce(new UsageError("you may not: ask for the permission"));
  expect(await oneoff("runs", "rm", "monday", "--yes")).toMatchObject({
    code: 4,
    out: "",
    err: expect.stringContaining(
      'run "monday" could not be removed: you may not: ask for the permission; removed are table models; "npx --no oneoff runs rm monday --stack local" goes on\n',
    ),
  });
  remove.mockRestore();
  expect(existsSync(join(lake, "_logs/monday"))).toBe(true);
  expect(await oneoff("runs", "rm", "monday", "--yes")).toMatchObject({ code: 0 });
  expect((await new FolderStore(lake).keys("")).filter((key) => key.includes("monday"))).toEqual(["_runs/monday.json"]);
});

test("nothing is removed of a run that goes on or is not there, or where one of several can't be", async () => {
  record("tuesday", { state: "running", started: "2026-11-29T19:59:00Z" });
  register("tuesday");
  const before = await new FolderStore(lake).keys("");
  expect(await oneoff("runs", "rm", "monday", "tuesday", "--yes")).toEqual({
    code: 5,
    out: "",
    err: 'oneoff: run "tuesday" of stack local goes on: "npx --no oneoff cancel local --run tuesday" ends it\n',
  });
  expect(await oneoff("runs", "rm", "mon", "--yes")).toMatchObject({ code: 6, out: "" });
  expect(await new FolderStore(lake).keys("")).toEqual(before);
});

test("a run that goes on is told as such, and its logs are followed to its end", async () => {
  stacks.local = { ...stacks.local, run: "tuesday" };
  const running = { state: "running", started: "2026-11-29T19:53:55Z", deadline: "2026-11-29T20:53:55Z" };
  record("tuesday", {
    ...running,
    steps: [
      { name: "points", state: "succeeded" },
      { name: "models", state: "running" },
    ],
  });
  register("tuesday");
  write("_logs/tuesday/points.log", "made\n");
  write("_logs/tuesday/models.log", "[oneoff] models 12/30\nhalf a li");
  expect(await oneoff("status")).toMatchObject({
    out: expect.stringContaining(
      "Run      tuesday of xo: running for 6 min 5 s\nSteps    points succeeded, models running\nCluster  ends by 20:53 UTC whatever happens\n",
    ),
    err: "Next     npx --no oneoff watch | npx --no oneoff open | npx --no oneoff cancel\n",
  });
  expect((await oneoff("down", "--dry-run")).err).toContain(
    "That would end stack local (selected) and all it has, with run tuesday (going on) and the results in ",
  );
  expect((await oneoff("runs")).out).toContain("\ntuesday     xo   running    2026-11-29 19:53  6m so far\n");
  expect((await oneoff("logs", "--tail", "1")).out).toBe("models | half a li\n");
  const following = oneoff("logs", "-f");
  await sleep(100);
  write("_logs/tuesday/models.log", "[oneoff] models 12/30\nhalf a line\nlast");
  record("tuesday", { ...running, state: "failed", ended: "2026-11-29T20:00:00Z", error: "no luck" });
  expect(await following).toEqual({
    code: 1,
    out: ["points | made", "models | [oneoff] models 12/30", "models | half a line", "models | last", ""].join("\n"),
    err: 'Ctrl-C leaves it running; "npx --no oneoff cancel local" ends it.\nRun tuesday of xo failed after 6 min 5 s: no luck\n',
  });
});
