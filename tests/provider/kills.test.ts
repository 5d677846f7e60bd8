/** A local run whose driver, or whose supervisor, is killed at each moment: nothing goes on, and what became of it is said. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { job } from "../../core/job.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord } from "../../core/run.ts";
import { KILLED, statusFile, workFolder } from "../../provider/cluster.ts";
import { folder } from "../../provider/folder.ts";
import { readJson } from "../../provider/json.ts";
import { isAlive, registered } from "../../provider/process.ts";
import { run } from "../../provider/run.ts";
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

/** Kills it when the moment has come; returns whom. */
async function kill(who: string, moment: string, id: string): Promise<readonly number[]> {
  let pids: readonly number[] = [];
  await until(() => {
    if (!MOMENTS[moment]?.(id)) return false;
    pids = WHO[who]?.(id) ?? [];
    return pids.length > 0;
  }, moment);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  return pids;
}

describe.each(Object.keys(WHO))("when the %s is killed", (who) => {
  test.each(Object.keys(MOMENTS))("%s, everything ends and the run is told as it is", async (moment) => {
    const id = `${who}-${Object.keys(MOMENTS).indexOf(moment)}`;
    const [made, killed] = await Promise.all([
      run.create("", inputs(id)).catch((error: Error) => error),
      kill(who, moment, id),
    ]);
    expect(killed).toHaveLength(1);
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
