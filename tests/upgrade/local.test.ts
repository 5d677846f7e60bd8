/** Stack `local` as an earlier version left it, with that version's own processes at work, taken over by the provider of today. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { makeProject, type Project, processesOf, readJsonFile } from "../project.ts";
import {
  copyLake,
  folderOf,
  importState,
  nameOf,
  programOf,
  readState,
  SMALL,
  type State,
  versions,
  withPlaces,
} from "./states.ts";

const START = join(import.meta.dirname, "start.mjs");
const PATIENCE_MS = 120_000;

describe.each(versions())("stack local that version %s left", (version) => {
  let project: Project & { readonly port: number };
  let lake: string;
  const started: ChildProcess[] = [];
  beforeAll(async () => {
    project = { ...makeProject(), port: await freePort() };
    lake = join(project.folder, ".oneoff/lake");
    await project.mustPulumi("stack", "init", "local");
  });
  afterEach(() => {
    for (const child of started.splice(0)) child.kill("SIGKILL");
    rmSync(lake, { recursive: true, force: true, maxRetries: 20 });
  });
  afterAll(() => project?.remove());

  const act = (what: string, ...more: readonly string[]) =>
    project.mustPulumi(what, "--yes", "--skip-preview", "--stack", "local", ...more);
  const cluster = (run: string, file: string) => join(lake, "_clusters", run, file);
  const record = (run: string) => readJsonFile(lake, "_runs", `${run}.json`);
  /** State of the run, as Pulumi saw it last. */
  const seen = async () => {
    const { deployment } = JSON.parse(await project.mustPulumi("stack", "export", "--stack", "local")) as State;
    return deployment.resources.find(({ urn }) => nameOf(urn) === "cluster-run")?.outputs?.state;
  };

  /** Puts a lake and the stack's state to where they were, and starts the dashboard that was there. */
  async function restore(run: string, memory: string, change: (state: State) => void = () => {}): Promise<void> {
    copyLake(join(folderOf(version), "lakes", run), lake, (text) => withPlaces(text, project));
    const settings = { ...SMALL, "oneoff:port": project.port, "oneoff:runId": run, "oneoff:memory": memory };
    const texts = Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `${key}=${value}`]);
    await project.mustPulumi("config", "set-all", ...texts, "--stack", "local");
    const state = readState(version, run, "lakes");
    change(state);
    await importState(project, "local", state);
    const dashboard = join(lake, "_dashboards/dashboard");
    // Its token tells which lake it shows, and the lake was elsewhere.
    const token = createHash("sha256").update(`${lake}\ndashboard`).digest("hex").slice(0, 16);
    const config = readJsonFile(dashboard, "config.json");
    writeFileSync(join(dashboard, "config.json"), JSON.stringify({ ...config, token }));
    await start("dashboard", dashboard);
    await until(
      () => fetch(`http://127.0.0.1:${project.port}/api/identity`).then((answer) => answer.ok),
      "the dashboard",
    );
  }

  /** Starts a program of the version, which registers itself in its folder. */
  async function start(program: "supervisor" | "dashboard", home: string): Promise<number> {
    const log = openSync(join(home, "log-of-before"), "a");
    const args = [START, home, programOf(version, `${program}.mjs`)];
    const child = spawn(process.execPath, args, { detached: true, stdio: ["ignore", log, log], cwd: home });
    started.push(child);
    await until(() => readJsonFile(home, "process.json").pid === child.pid, `the start of the ${program}`);
    return child.pid as number;
  }

  /** Starts the cluster of run "running", whose only step is at work until a file is there. */
  async function startRun(): Promise<number> {
    const spec = readJsonFile(cluster("running", "spec.json"));
    const [step] = spec.job.steps;
    step.script = join(import.meta.dirname, "steps/wait.py");
    step.pyFiles = [programOf(version, "oneoff.py")];
    step.arguments = ["--points", "{points}", "--until", join(project.folder, "go-on")];
    delete step.requirements;
    spec.job.steps = [step];
    spec.job.tables = [{ name: "points", columns: [{ name: "id" }] }];
    writeFileSync(cluster("running", "spec.json"), JSON.stringify(spec));
    rmSync(join(lake, "_runs/running.json"), { force: true });
    const supervisor = await start("supervisor", join(lake, "_clusters/running"));
    await until(() => record("running").state === "running", "the record");
    return supervisor;
  }

  async function until(is: () => boolean | Promise<boolean>, what: string): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(50)) {
      // What is not there yet can't be read.
      if (
        await Promise.resolve()
          .then(is)
          .catch(() => false)
      )
        return;
    }
    throw new Error(`${what} did not come within ${PATIENCE_MS / 1000} s`);
  }

  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  /** What the engine would change, and what it tells of. */
  async function preview(...more: readonly string[]) {
    const text = await project.mustPulumi("preview", "--json", "--stack", "local", ...more);
    const { steps, diagnostics } = JSON.parse(text) as {
      readonly steps: readonly { readonly op: string; readonly urn: string }[];
      readonly diagnostics?: readonly { readonly message: string }[];
    };
    return {
      changed: steps.filter(({ op }) => op !== "same").map(({ op, urn }) => `${op} ${nameOf(urn)}`),
      told: (diagnostics ?? []).map(({ message }) => message.trim()),
    };
  }

  async function destroyToNothing(): Promise<void> {
    await act("destroy");
    expect(processesOf(project.folder)).toEqual([]);
    expect(existsSync(lake)).toBe(false);
  }

  test("a run in progress is followed to its end by a provider of today, and not begun again", async () => {
    await restore("running", "512 MB");
    const supervisor = await startRun();
    expect(await preview()).toEqual({ changed: [], told: [] });
    await act("up", "--expect-no-changes");
    expect([await seen(), isAlive(supervisor)]).toEqual(["running", true]);

    writeFileSync(join(project.folder, "go-on"), "");
    await until(() => record("running").state !== "running", "the end of the run");
    rmSync(join(project.folder, "go-on"));
    expect(record("running")).toMatchObject({ state: "succeeded", tables: { points: { rows: 3 } } });
    await act("refresh");
    expect(await seen()).toBe("succeeded");
    expect(readJsonFile(cluster("running", "process.json")).pid).toBe(supervisor);
    await destroyToNothing();
  });

  test("a run whose cluster was killed is settled as failed", async () => {
    await restore("running", "512 MB");
    process.kill(await startRun(), "SIGKILL");
    await act("refresh");
    expect(await seen()).toBe("failed");
    expect(record("running")).toMatchObject({
      state: "failed",
      error: "its cluster was killed, or the machine restarted, before the run ended",
    });
    await destroyToNothing();
  });

  test("a run in progress is stopped by destroy, and its record says so where results are retained", async () => {
    await restore("running", "512 MB", ({ deployment }) => {
      for (const { urn, inputs, outputs } of deployment.resources) {
        if (nameOf(urn) === "lake-folder")
          for (const properties of [inputs, outputs]) Object.assign(properties ?? {}, { retain: true });
      }
    });
    const supervisor = await startRun();
    await act("destroy");
    expect(isAlive(supervisor)).toBe(false);
    expect(processesOf(project.folder)).toEqual([]);
    expect(existsSync(join(lake, "_clusters"))).toBe(false);
    expect(record("running")).toMatchObject({
      state: "failed",
      error: "the cluster was destroyed before its run ended",
    });
  });

  test.each([
    ["succeeded", "512 MB"],
    ["failed", "1 MB"],
  ])("a run that has %s is not computed again, and goes with its lake", async (run, memory) => {
    await restore(run, memory);
    const before = readFileSync(join(lake, "_runs", `${run}.json`), "utf8");
    await act("refresh", "--expect-no-changes");
    await act("up", "--expect-no-changes");
    expect(await seen()).toBe(run);
    expect(readFileSync(join(lake, "_runs", `${run}.json`), "utf8")).toBe(before);
    await destroyToNothing();
  });

  test("another job or another port would be told of", async () => {
    await restore("failed", "1 MB");
    const { changed, told } = await preview(
      ...["--config", "oneoff:rows=7", "--config", `oneoff:port=${await freePort()}`],
    );
    expect(changed).toEqual(["update dashboard-server"]);
    expect(told).toEqual([expect.stringContaining('Changed: job. But run "failed" was started as it was and stays')]);
  });
});
