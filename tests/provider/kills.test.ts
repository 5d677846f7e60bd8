/**
 * A local run whose driver, or whose supervisor, is killed at each moment, or that is cancelled: nothing goes on, and what
 * became of it is said.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cancelRun } from "../../cli/cancel.ts";
import { attach } from "../../cli/local/cluster.ts";
import { job } from "../../core/job.ts";
import { cancelKey, lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord } from "../../core/run.ts";
import { KILLED, statusFile, workFolder } from "../../provider/cluster.ts";
import { folder } from "../../provider/folder.ts";
import { readJson } from "../../provider/json.ts";
import { isAlive, registered } from "../../provider/process.ts";
import { run } from "../../provider/run.ts";
import { contextOf } from "../cli/attached.ts";
import { processesOf } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

Object.assign(process.env, quickJava());
const PATIENCE_MS = 60_000;
const home = mkdtempSync(join(tmpdir(), "oneoff-kills-"));
const lake = join(home, "lake");
const cluster = (id: string) => lakeLayout(lake).cluster(id);
const log = (id: string, name: string) => lakeLayout(lake).log(id, name);

beforeAll(() => folder.create("", { path: lake, retain: false }));
afterAll(async () => {
  await folder.delete({ path: lake, retain: false });
  rmSync(home, { recursive: true, force: true });
});

/** A step that is at work for a while, and one that requires what is there. */
function inputs(id: string) {
  const { name, steps, tables } = job({
    name: "numbers",
    from: import.meta.url,
    steps: [
      { name: "count", script: "steps/step.py", arguments: ["--numbers", "{numbers}", "--sleep", "0.5"] },
      {
        name: "again",
        script: "steps/step.py",
        arguments: ["--numbers", "{scratch}", "--sleep", "0.5"],
        requirements: "../../assets/jobs/xo/requirements.txt",
      },
    ],
    tables: [{ name: "numbers", about: "A number", columns: [{ name: "n", type: "integer" }] }],
  });
  const python = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));
  return { run: id, job: { name, steps, tables }, lake, deadlineSeconds: 300, cores: 1, memoryMebibytes: 512, python };
}

const status = (id: string) => readJson(statusFile(cluster(id))) as { steps?: { progress?: unknown; state: string }[] };
const says = (id: string, name: string, text: string) =>
  existsSync(log(id, name)) && readFileSync(log(id, name), "utf8").includes(text);

/** When it is killed: as soon as it is there and that is so. */
const MOMENTS: Readonly<Record<string, (id: string) => boolean>> = {
  "as it starts": () => true,
  "with the run's record written": (id) => existsSync(lakeLayout(lake).record(id)),
  "while it looks at requirements": (id) => existsSync(log(id, "requirements")),
  "as Spark starts": (id) => existsSync(log(id, "count")),
  "while a step is at work": (id) => status(id)?.steps?.[0]?.progress !== undefined,
  "after the first step": (id) => status(id)?.steps?.[0]?.state === "succeeded",
  "with the second step's work done": (id) => says(id, "again", "numbers 2/2"),
  "as all is removed": (id) => status(id)?.steps?.[1]?.state === "succeeded" && !existsSync(workFolder(cluster(id))),
};

const WHO: Readonly<Record<string, (id: string) => readonly number[]>> = {
  driver: (id) => {
    const command = `^[^ ]*python[^ ]* ${join(workFolder(cluster(id)), "code", "run.py")}`;
    return spawnSync("pgrep", ["-f", command], { encoding: "utf8" }).stdout.split("\n").filter(Boolean).map(Number);
  },
  supervisor: (id) => [registered(cluster(id))?.pid].filter((pid) => pid !== undefined),
};

async function until(is: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; !is(); await sleep(5)) {
    if (Date.now() > end) throw new Error(`${what} did not come within ${PATIENCE_MS / 1000} s`);
  }
}

/** Kills it when the moment has come, and what is its copy just then, as a program is that it is about to start. */
async function kill(who: string, moment: string, id: string): Promise<void> {
  let pids: readonly number[] = [];
  await until(() => {
    if (!MOMENTS[moment]?.(id)) return false;
    pids = WHO[who]?.(id) ?? [];
    return pids.length > 0;
  }, moment);
  for (const pid of pids) process.kill(pid, "SIGKILL");
}

describe.each(Object.keys(WHO))("when the %s is killed", (who) => {
  test.each(Object.keys(MOMENTS))("%s, everything ends and the run is told as it is", async (moment) => {
    const id = `${who}-${Object.keys(MOMENTS).indexOf(moment)}`;
    const [made] = await Promise.all([
      run.create("", inputs(id)).catch((error: Error) => error),
      kill(who, moment, id),
    ]);
    const isOver = () => !isAlive(registered(cluster(id))) && processesOf(cluster(id)).length === 0;
    await until(isOver, "the end of every process");
    if (made instanceof Error) {
      expect(made.message).toContain("it did not start; the last lines of");
      expect(existsSync(cluster(id))).toBe(false);
      expect(existsSync(lakeLayout(lake).record(id))).toBe(false);
      return;
    }
    const state = (await run.read(made.outs))?.state;
    const record = RunRecord.parse(readJson(lakeLayout(lake).record(id)));
    expect(record.state).toBe(state);
    if (state === "failed") expect(record).toMatchObject({ error: KILLED, tables: {} });
    else expect([state, record.tables.numbers?.rows]).toEqual(["succeeded", 1]);
    expect(existsSync(workFolder(cluster(id)))).toBe(false);
    await run.delete(made.outs);
    expect(existsSync(cluster(id))).toBe(false);
  });
});

/** As `oneoff cancel` does. */
async function cancel(id: string) {
  const attached = await attach(contextOf("local"), { run: id, lake, dashboard: undefined });
  return cancelRun("local", attached, id, { agree: async () => {}, say() {} });
}

/** As far as it comes when it is killed as soon as it can be. */
function ask(id: string): void {
  mkdirSync(lakeLayout(lake).cancels, { recursive: true });
  writeFileSync(join(lake, cancelKey(id)), JSON.stringify({ run: id, at: new Date().toISOString() }));
}

const CANCELLED = { state: "cancelled", error: expect.stringMatching(/^cancelled: that was asked for at 20/) };
/** Of a machine that is busy with much else: `npm run bench stack` says what it takes. */
const MOST_SECONDS = 20;

/** Who cancels, and expects what of it. */
const CANCELS: Readonly<Record<string, (id: string, outs: Parameters<typeof run.read>[0]) => Promise<void>>> = {
  "by two people": async (id) => {
    const both = await Promise.all([cancel(id), cancel(id)]);
    expect(both).toMatchObject([{ status: CANCELLED }, { status: CANCELLED }]);
  },
  "by a command that is killed": async (id) => {
    ask(id);
    await until(() => !isAlive(registered(cluster(id))), "the end of the supervisor");
  },
  "by a command that is killed, and the supervisor too": async (id, outs) => {
    ask(id);
    process.kill(registered(cluster(id))?.pid as number, "SIGKILL");
    await until(() => processesOf(cluster(id)).length === 0, "the end of every process");
    expect(await run.read(outs)).toMatchObject({ state: "cancelled" });
  },
};

describe("when it is cancelled", () => {
  /** Expects that nothing of it is left, and that it stays as it is whatever is done. */
  async function expectOver(id: string, outs: Parameters<typeof run.read>[0], state: string): Promise<void> {
    expect(processesOf(cluster(id))).toEqual([]);
    expect(existsSync(workFolder(cluster(id)))).toBe(false);
    const record = readFileSync(lakeLayout(lake).record(id), "utf8");
    expect(await run.read(outs)).toMatchObject({ state });
    expect(run.diff(outs, inputs(id))).toEqual({ changes: false });
    expect(await cancel(id)).toMatchObject({ status: { state }, wasOver: true });
    await run.delete(outs);
    expect((await run.create("", inputs(id))).outs).toMatchObject({ state });
    expect(processesOf(cluster(id))).toEqual([]);
    expect(readFileSync(lakeLayout(lake).record(id), "utf8")).toBe(record);
  }

  const recorded = (id: string) => RunRecord.parse(readJson(lakeLayout(lake).record(id)));

  test("before it was begun, it never is", async () => {
    ask("never");
    const { outs } = await run.create("", inputs("never"));
    await until(() => processesOf(cluster("never")).length === 0, "the end of every process");
    expect(existsSync(log("never", "count"))).toBe(false);
    expect(recorded("never").steps).toMatchObject([{ state: "pending" }, { state: "pending" }]);
    await expectOver("never", outs, "cancelled");
  });

  test.each([
    ["as Spark starts", "by a command that is killed, and the supervisor too", "cancelled"],
    ["while a step is at work", "by two people", "cancelled"],
    ["after the first step", "by a command that is killed", "succeeded"],
  ])("%s, %s, all of it has ended within seconds", async (moment, by, first) => {
    const id = `cancelled-${Object.keys(MOMENTS).indexOf(moment)}`;
    const { outs } = await run.create("", inputs(id));
    await until(() => MOMENTS[moment]?.(id) ?? false, moment);
    const asked = performance.now();
    await CANCELS[by]?.(id, outs);
    const seconds = (performance.now() - asked) / 1000;
    expect(recorded(id)).toMatchObject({ ...CANCELLED, tables: {}, steps: [{ state: first }, {}] });
    expect(seconds).toBeLessThan(MOST_SECONDS);
    await expectOver(id, outs, "cancelled");
  });

  test("as all is removed, it has either succeeded or not", async () => {
    const { job, ...rest } = inputs("cancelled-late");
    const { outs } = await run.create("", { ...rest, job: { ...job, steps: job.steps.slice(0, 1) } });
    await until(() => status("cancelled-late")?.steps?.[0]?.state === "succeeded", "the end of the step");
    const outcome = await cancel("cancelled-late");
    const { state, tables } = recorded("cancelled-late");
    expect(outcome?.status.state).toBe(state);
    expect([state, Object.keys(tables)]).toEqual(
      state === "cancelled" ? ["cancelled", []] : ["succeeded", ["numbers"]],
    );
    await expectOver("cancelled-late", outs, state);
  });
});
