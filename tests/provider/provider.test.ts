/** The resources of the local provider, with real Spark, through the deaths that they must survive. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { job } from "../../core/job.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord, RunStatus } from "../../core/run.ts";
import { secretsFolder, statusFile } from "../../provider/cluster.ts";
import { folder } from "../../provider/folder.ts";
import { readJson } from "../../provider/json.ts";
import { identify, isAlive, type ProcessId, registered, registration, stop } from "../../provider/process.ts";
import { run } from "../../provider/run.ts";
import { server } from "../../provider/server.ts";
import { processesOf, readJsonFile, writeJsonFile } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

const python = fileURLToPath(new URL("../../.oneoff/venv/bin/python", import.meta.url));
let lake: string;
let home: string;
Object.assign(process.env, quickJava());

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "oneoff-provider-"));
  lake = join(home, "lake");
  await folder.create("", { path: lake, retain: false });
});
afterEach(async () => {
  await folder.delete({ path: lake, retain: false });
  rmSync(home, { recursive: true, force: true });
});

/** A job of one step, and what the run's resource is told of it. */
function inputs(args: readonly string[], change: object = {}, step: object = {}) {
  const { name, steps, tables } = job({
    name: "numbers",
    from: import.meta.url,
    steps: [
      {
        name: "count",
        script: "steps/step.py",
        arguments: ["--numbers", "{numbers}", ...args],
        pyFiles: ["../../assets/jobs/oneoff.py"],
        ...step,
      },
    ],
    tables: [{ name: "numbers", about: "A number", columns: [{ name: "n", type: "integer" }] }],
  });
  const spec = {
    run: "1",
    job: { name, steps, tables },
    lake,
    deadlineSeconds: 300,
    cores: 1,
    memoryMebibytes: 512,
    python,
  };
  return { ...spec, ...change };
}

const readStatus = (cluster: string) => RunStatus.safeParse(readJson(statusFile(cluster))).data;
const places = () => lakeLayout(lake);
const status = () => readStatus(places().cluster("1"));
const supervisor = () => registered(places().cluster("1")) as ProcessId;
const record = () => RunRecord.parse(readJsonFile(places().record("1")));

async function until(condition: () => boolean, what: string, seconds = 40): Promise<void> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(50)) if (condition()) return;
  throw new Error(`${what} did not happen within ${seconds} s; the status is ${JSON.stringify(status())}`);
}
/** Whether a status is that of a run that has ended; there is none at all for a moment after its start. */
const hasEnded = (found: RunStatus | undefined) => found !== undefined && found.state !== "running";
const ended = () => until(() => hasEnded(status()), "the end of the run");
/** Whether the step's task is at work: then a JVM and Python workers are there. */
const sparkRuns = () => until(() => status()?.steps[0]?.progress !== undefined, "the first progress");
const sparkProcesses = () => processesOf(lake).filter((line) => !line.includes("supervisor"));

test("a run goes to its end, leaves its table, record, log and nothing running, and is never made again", async () => {
  const made = await run.create(
    "",
    inputs(
      ["--secret", "{secret:token}", "--scratch", "{scratch}"],
      { secrets: { token: "hush!" } },
      { secrets: ["token"] },
    ),
  );
  expect(JSON.stringify(made.outs)).not.toContain("hush!");
  await ended();
  expect(status()).toMatchObject({
    state: "succeeded",
    steps: [{ name: "count", state: "succeeded", progress: { done: 2, total: 2 } }],
  });
  expect(record()).toMatchObject({ state: "succeeded", job: "numbers", tables: { numbers: { rows: 1 } } });
  expect(readdirSync(places().table("numbers", "1"))).toEqual(["part.parquet"]);
  expect(readFileSync(places().log("1", "count"), "utf8")).toContain("[oneoff] numbers 2/2");
  await until(() => !isAlive(supervisor()), "the end of the supervisor");
  expect(processesOf(lake)).toEqual([]);
  expect(readdirSync(places().cluster("1")).sort()).toEqual([
    "process.json",
    "spec.json",
    "status.json",
    "supervisor.log",
  ]);

  const state = { ...made.outs };
  expect(await run.read(state)).toMatchObject({ state: "succeeded" });
  expect(run.diff(state, inputs([]))).toMatchObject({ changes: false });
  expect(made.outs.state).toMatch(/^(running|succeeded)$/);
  expect(run.diff(state, inputs([], { run: "2" }))).toMatchObject({ changes: true, replaces: ["run"] });
  const written = statSync(join(places().table("numbers", "1"), "part.parquet")).mtimeMs;
  expect((await run.create("", inputs([]))).outs).toMatchObject({ state: "succeeded" });
  await run.delete(state);
  expect(existsSync(places().cluster("1"))).toBe(false);
  expect(record().state).toBe("succeeded");
  expect((await run.create("", inputs([]))).outs).toMatchObject({ state: "succeeded" });
  expect(statSync(join(places().table("numbers", "1"), "part.parquet")).mtimeMs).toBe(written);
}, 90_000);

test("a run of before is not told changed because its steps now have the module that all of them share", () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  const now = inputs([], {}, { pyFiles: [] });
  const steps = now.job.steps.map((step) => ({ ...step, pyFiles: [] }));
  expect(run.diff({ ...now, job: { ...now.job, steps } }, now)).toEqual({ changes: false });
  expect(warn.mock.calls).toEqual([]);
  run.diff({ ...now, job: { ...now.job, name: "another" } }, now);
  expect(warn.mock.calls).toHaveLength(1);
  warn.mockRestore();
});

test("a step that fails fails the run, in one line that says why", async () => {
  await run.create("", inputs(["--fail", "the moon is in the wrong house"]));
  await ended();
  expect(status()).toMatchObject({
    state: "failed",
    error: 'step "count" failed (exit 1): the moon is in the wrong house',
    steps: [{ state: "failed" }],
  });
  expect(record()).toMatchObject({ state: "failed", error: expect.stringContaining("wrong house") });
  expect(existsSync(places().table("numbers", "1"))).toBe(false);
}, 60_000);

test("the deadline and a step's time limit end a run with everything it started", async () => {
  const limited = inputs(["--sleep", "100"], {}, { timeLimit: "8 seconds" });
  await run.create("", limited);
  await ended();
  expect(status()?.error).toBe('step "count" took longer than its time limit of 8 s');
  await until(() => processesOf(lake).length === 0, "the end of every process");
  await run.create("", inputs(["--sleep", "100"], { run: "2", deadlineSeconds: 8 }));
  const second = () => readStatus(places().cluster("2"));
  await until(() => second()?.state === "failed", "the end of the second run");
  expect(second()?.error).toBe("the deadline of 8 s has passed");
  await until(() => processesOf(lake).length === 0, "the end of every process");
}, 90_000);

test("when the supervisor is killed, Spark ends too; the run is settled as failed, and stays so", async () => {
  const { outs } = await run.create("", inputs(["--sleep", "100"]));
  await sparkRuns();
  expect(sparkProcesses().length).toBeGreaterThan(0);
  process.kill(supervisor().pid, "SIGKILL");
  await until(() => processesOf(lake).length === 0, "the end of every process", 10);
  expect(status()?.state).toBe("running");
  expect(await run.read(outs)).toMatchObject({ state: "failed" });
  expect(record()).toMatchObject({ state: "failed", error: expect.stringContaining("was killed") });
  expect((await run.create("", inputs([]))).outs).toMatchObject({ state: "failed" });
  expect(processesOf(lake)).toEqual([]);
}, 60_000);

test("when Spark is killed, the run fails; destroy in mid-run ends it and says so", async () => {
  await run.create("", inputs(["--sleep", "100"]));
  await sparkRuns();
  spawnSync("pkill", ["-KILL", "-f", `java.*${lake}`]);
  await ended();
  expect(status()?.error).toMatch(/^step "count" failed \(exit \w+\)/);

  const { outs } = await run.create("", inputs(["--sleep", "100"], { run: "2" }));
  await until(() => readStatus(places().cluster("2"))?.steps[0]?.progress !== undefined, "the first progress");
  await run.delete(outs);
  expect(processesOf(lake)).toEqual([]);
  expect(existsSync(places().cluster("2"))).toBe(false);
  expect(RunRecord.parse(readJsonFile(places().record("2")))).toMatchObject({
    state: "failed",
    error: "the cluster was destroyed before its run ended",
  });
}, 90_000);

test("a succeeded run stays so when its cluster was killed before it could say so itself", async () => {
  const { outs } = await run.create("", inputs([]));
  await ended();
  await until(() => !isAlive(supervisor()), "the end of the supervisor");
  writeJsonFile(statusFile(places().cluster("1")), { ...status(), state: "running", ended: undefined });
  expect(await run.read(outs)).toMatchObject({ state: "succeeded" });
  expect(record().state).toBe("succeeded");
}, 60_000);

test("a cluster is destroyed also when its record can't be written; secrets don't outlive a killed one", async () => {
  const args = ["--sleep", "100", "--secret", "{secret:token}"];
  const { outs } = await run.create("", inputs(args, { secrets: { token: "hush!" } }, { secrets: ["token"] }));
  await sparkRuns();
  process.kill(supervisor().pid, "SIGKILL");
  await until(() => processesOf(lake).length === 0, "the end of every process", 10);
  expect(readdirSync(secretsFolder(places().cluster("1")))).toEqual(["token"]);
  await run.delete({ ...outs, python: "/gone/python" });
  expect(existsSync(places().cluster("1"))).toBe(false);
  expect(record().state).toBe("running"); // nobody could write it
}, 60_000);

test("what a step leaves running ends with it", async () => {
  await run.create("", inputs(["--leave"], {}, { timeLimit: "30 days" }));
  await ended();
  expect(status()?.state).toBe("succeeded");
  await until(() => processesOf("sleep 86413").length === 0, "the end of the process left behind", 5);
}, 60_000);

test("requirements are installed within the deadline, and what can't be installed fails the run", async () => {
  vi.stubEnv("XDG_CACHE_HOME", home);
  onTestFinished(() => void vi.unstubAllEnvs());
  writeFileSync(join(home, "requirements.txt"), "no-such-package-of-oneoff==1.0 --hash=sha256:00\n");
  const spec = inputs([]);
  const steps = spec.job.steps.map((step) => ({ ...step, requirements: join(home, "requirements.txt") }));
  await run.create("", { ...spec, job: { ...spec.job, steps } });
  await ended();
  expect(status()).toMatchObject({ state: "failed", error: expect.stringContaining("no-such-package-of-oneoff") });
  expect(readdirSync(join(home, "pulumi-oneoff", "requirements")), "nothing of it is kept").toEqual(["lock"]);
}, 60_000);

test("deleting the lake ends what lives in it, also what the engine never heard of", async () => {
  await run.create("", inputs(["--sleep", "100"]));
  await sparkRuns();
  await folder.delete({ path: lake, retain: false });
  expect(existsSync(lake)).toBe(false);
  await until(() => processesOf(lake).length === 0, "the end of every process", 10);
}, 60_000);

test("a supervisor whose folder is taken away ends by itself", async () => {
  await run.create("", inputs(["--sleep", "100"]));
  await sparkRuns();
  rmSync(lake, { recursive: true, force: true, maxRetries: 20 });
  await until(() => processesOf(lake).length === 0, "the end of every process", 15);
}, 60_000);

test("nothing is put into a lake that is gone", async () => {
  await folder.delete({ path: lake, retain: false });
  const board = { name: "board", lake, port: 1, job: { name: "numbers", tables: [], panels: [] } };
  for (const made of [run.create("", inputs([])), server.create("", board)]) {
    await expect(made).rejects.toThrow(`the lake ${lake} is gone: it was removed meanwhile; "pulumi up" makes it anew`);
  }
  expect(existsSync(lake)).toBe(false);
});

test("a recycled process id is not killed", async () => {
  const bystander = spawn("sleep", ["60"]);
  const id = identify(bystander.pid as number) as ProcessId;
  await stop({ ...id, born: "another time" });
  mkdirSync(places().cluster("9"), { recursive: true });
  writeJsonFile(registration(places().cluster("9")), { ...id, born: "before the restart" });
  await folder.delete({ path: lake, retain: false });
  expect(isAlive(id)).toBe(true);
  await stop(id);
  expect(isAlive(id)).toBe(false);
});

/** A run that succeeded, as it lies in the lake. */
function leaveRun(id: string, tables: readonly string[] = ["numbers"]): void {
  for (const table of tables) mkdirSync(places().table(table, id), { recursive: true });
  const ended = { state: "succeeded", started: "2026-11-01T00:00:00Z", steps: [] };
  const left = Object.fromEntries(tables.map((table) => [table, { rows: 0, digest: "0" }]));
  writeJsonFile(places().record(id), { run: id, job: "numbers", ...ended, tables: left });
}

test("a lake is deleted with what it holds and nothing else; retained, it stays and is taken up again", async () => {
  leaveRun("1");
  writeFileSync(join(lake, "notes.txt"), "mine");
  await folder.delete({ path: lake, retain: true });
  expect(readdirSync(lake).sort()).toEqual(["_lake.json", "_runs", "notes.txt", "numbers"]);
  expect(folder.check("", { path: lake, retain: true })).toEqual([]);
  await folder.delete({ path: lake, retain: false });
  expect(readdirSync(lake)).toEqual(["notes.txt"]);
  await folder.delete({ path: lake, retain: false }); // without its marker it is no lake
  expect(readdirSync(lake)).toEqual(["notes.txt"]);
});

test("a delete that was interrupted is taken up again; what a file manager leaves in a table doesn't keep it", async () => {
  leaveRun("1");
  writeFileSync(join(lake, "numbers", ".DS_Store"), "");
  symlinkSync("/dev/null/nowhere", join(lake, "dangling"));
  mkdirSync(join(lake, "mine"));
  await folder.delete({ path: lake, retain: false });
  expect(readdirSync(lake).sort()).toEqual(["dangling", "mine"]);
  expect(existsSync(places().marker)).toBe(false);
});

test("the lake of another stack is refused, until it was retained and left", async () => {
  await folder.create("urn:one", { path: lake, retain: true });
  expect(folder.check("urn:one", { path: lake, retain: true })).toEqual([]);
  expect(folder.check("urn:two", { path: lake, retain: true })).toMatchObject([
    { reason: expect.stringContaining("it is the lake of another stack (urn:one); choose another folder") },
  ]);
  await folder.delete({ path: lake, retain: true });
  expect(folder.check("urn:two", { path: lake, retain: true })).toEqual([]);
});

test("a lake is deleted with what stack swarm puts there, but for a user's notebooks; the next stack may have it", async () => {
  const { notebooks, events, scratch, marker } = places();
  const bundled = fileURLToPath(new URL("../../assets/notebooks", import.meta.url));
  const fill = () => {
    leaveRun("1", []);
    for (const path of [join(events, "app-1"), join(scratch, "1", "csv")]) {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, "part"), "x");
    }
    cpSync(bundled, notebooks, { recursive: true });
    mkdirSync(join(notebooks, ".ipynb_checkpoints"));
    writeFileSync(join(notebooks, ".ipynb_checkpoints", "startup-checkpoint.ipynb"), "{}");
  };
  fill();
  await folder.delete({ path: lake, retain: false });
  expect(existsSync(lake)).toBe(false); // nothing of it was the user's
  expect(folder.check("urn:two", { path: lake, retain: false })).toEqual([]);

  await folder.create("urn:two", { path: lake, retain: false });
  fill();
  mkdirSync(join(notebooks, "mine", "run=1"), { recursive: true });
  cpSync(join(bundled, "startup.ipynb"), join(notebooks, "mine", "startup-Copy1.ipynb"));
  writeFileSync(join(notebooks, "mine", "run=1", "thesis.ipynb"), "{}");
  writeFileSync(join(notebooks, "startup.ipynb"), "{}"); // changed
  symlinkSync(join(home, "elsewhere"), join(notebooks, "data"));
  await folder.delete({ path: lake, retain: true });
  expect(readdirSync(lake).sort()).toEqual(["_lake.json", "_notebooks", "_runs", "_spark-events"]);
  await folder.create("urn:two", { path: lake, retain: false });
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  await folder.delete({ path: lake, retain: false });
  expect(warn.mock.calls).toEqual([
    [
      `What you wrote in JupyterLab was kept: _notebooks/data, _notebooks/mine/run=1/thesis.ipynb, _notebooks/startup.ipynb in ${lake}. The next "pulumi up" takes the folder with it; remove it by hand when you don't need it.`,
    ],
  ]);
  warn.mockRestore();
  expect(readdirSync(lake).sort()).toEqual(["_lake.json", "_notebooks"]);
  expect(readdirSync(notebooks, { recursive: true }).sort()).toEqual([
    ...["data", "mine", "mine/run=1", "mine/run=1/thesis.ipynb", "startup.ipynb"],
  ]);

  expect(folder.check("urn:three", { path: lake, retain: false })).toEqual([]);
  await folder.create("urn:three", { path: lake, retain: false });
  expect(readJson(marker)).toMatchObject({ owner: "urn:three" });
  rmSync(notebooks, { recursive: true });
  symlinkSync(home, notebooks);
  await folder.delete({ path: lake, retain: false });
  expect(readdirSync(lake).sort()).toEqual(["_lake.json", "_notebooks"]);
  rmSync(notebooks);
});

test("what the engine breaks off is told to what waits", async () => {
  const plugin = fileURLToPath(new URL("../../provider/pulumi-resource-oneoff-local", import.meta.url));
  const told = new URL("../../provider/cancel.ts", import.meta.url);
  const listener = `import { cancelled } from "${told}"; cancelled.onabort = () => console.error("aborted");`;
  const env = { ...process.env, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(listener)}` };
  const provider = spawn(plugin, ["127.0.0.1:1"], { env, stdio: ["ignore", "pipe", "pipe"] });
  try {
    let said = "";
    provider.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const [port] = await once(provider.stdout, "data");
    const require = createRequire(import.meta.url);
    const { ResourceProviderClient } = require("@pulumi/pulumi/proto/provider_grpc_pb.js");
    const { Empty } = require("google-protobuf/google/protobuf/empty_pb.js");
    const client = new ResourceProviderClient(`127.0.0.1:${String(port).trim()}`, grpc.credentials.createInsecure());
    expect(said).toBe("");
    await new Promise<void>((resolve, reject) => {
      client.cancel(new Empty(), (error: Error | null) => (error ? reject(error) : resolve()));
    });
    client.close();
    await until(() => said !== "", "the end of waiting", 5);
    expect(said).toBe("aborted\n");
  } finally {
    provider.kill();
  }
}, 30_000);

test("the provider ends when the engine that started it is killed", async () => {
  const plugin = fileURLToPath(new URL("../../provider/pulumi-resource-oneoff-local", import.meta.url));
  const engine = spawn("sh", ["-c", '"$0" 127.0.0.1:1 & echo $!; wait', plugin], { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  engine.stdout.on("data", (chunk) => {
    printed += chunk;
  });
  await until(() => /^\d+\n\d+\n/.test(printed), "the provider's port");
  const provider = identify(Number(printed.split("\n")[0])) as ProcessId;
  expect(isAlive(provider)).toBe(true);
  engine.kill("SIGKILL");
  await until(() => !isAlive(provider), "the end of the provider");
}, 60_000);

test("a lake that moves away from its results is refused, unless they are retained", () => {
  const moved = { path: join(home, "elsewhere"), retain: false };
  expect(folder.check("", moved, { path: lake, retain: false })).toEqual([]); // no results yet
  mkdirSync(places().records);
  expect(folder.check("", moved, { path: lake, retain: false })).toMatchObject([
    {
      reason: expect.stringContaining(
        "would be deleted; keep them first with: pulumi config set oneoff:removal retain",
      ),
    },
  ]);
  expect(folder.check("", moved, { path: lake, retain: true })).toEqual([]);
});

test("a folder that can't be a lake is refused, with the cure", () => {
  const reasonOf = (path: string) => String(folder.check("", { path, retain: false })[0 as never]?.["reason" as never]);
  writeFileSync(join(home, "file"), "");
  mkdirSync(join(home, "full"));
  writeFileSync(join(home, "full", "thesis.tex"), "");
  expect(reasonOf(join(home, "file", "lake"))).toContain(
    `${join(home, "file")} is not a folder; choose another folder with: pulumi config set oneoff:lake`,
  );
  expect(reasonOf(join(home, "full"))).toContain("has files that are not a lake's");
  expect(reasonOf("/proc/oneoff")).toMatch(/can't be written|has 0 MB free/);
  expect(folder.check("", { path: join(home, "new", "deep"), retain: false })).toEqual([]);
});

const small = mkdtempSync(join(tmpdir(), "oneoff-small-"));
afterAll(() => {
  spawnSync("umount", ["-l", small]);
  rmSync(small, { recursive: true, force: true });
});

/** Takes all that is left of that disk. */
function fillUp(): void {
  const file = openSync(join(small, "filler"), "a");
  for (const size of [1 << 20, 1 << 12, 1]) {
    try {
      for (const bytes = Buffer.alloc(size); ; ) writeSync(file, bytes);
    } catch {
      // There is no room for that much.
    }
  }
  closeSync(file);
}

test("a full disk is refused beforehand, and named when it fills up in mid-run and when a cluster was killed", {
  tags: ["mount"],
  timeout: 90_000,
}, async () => {
  expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=20m", "tmpfs", small]).status).toBe(0);
  const path = join(small, "lake");
  const noSpace = `no space is left on the disk of ${path} \\(\\d of 21 MB are free`;
  expect(folder.check("", { path, retain: false })).toMatchObject([
    {
      reason: expect.stringMatching(
        /^lake is ".*": its disk has \d+ MB free and a run needs at least 537 MB; free some/,
      ),
    },
  ]);
  await folder.create("", { path, retain: false });
  const made = await run.create("", inputs(["--fill"], { lake: path }));
  const filled = () => readStatus(lakeLayout(path).cluster("1"));
  await until(() => filled()?.steps[0]?.progress !== undefined, "the first progress");
  const others = setInterval(fillUp, 5); // what the run gives back is somebody else's at once
  await until(() => hasEnded(filled()), "the end of the run").finally(() => clearInterval(others));
  await until(() => !isAlive(registered(lakeLayout(path).cluster("1"))), "the end of the supervisor");
  fillUp();
  const reason = expect.stringMatching(
    `^step "count" failed \\(exit 1\\): ${noSpace}\\); free some, or put the lake elsewhere \\(oneoff:lake\\): OSError: `,
  );
  const failed = { state: "failed", error: reason };
  expect(readJson(lakeLayout(path).record("1"))).toMatchObject(failed);
  expect(filled()).toMatchObject(failed);
  expect((await run.read(made.outs))?.state).toBe("failed");

  await expect(run.create("", inputs([], { lake: path, run: "2" }))).rejects.toThrow(
    new RegExp(`^${noSpace}, a run needs at least 537\\); free some, or put the lake elsewhere`),
  );
  expect(existsSync(lakeLayout(path).cluster("2"))).toBe(false);

  // As a cluster leaves it that was killed, with no room kept for a last word.
  writeFileSync(lakeLayout(path).record("1"), JSON.stringify({ ...(filled() as object), state: "running" }));
  writeFileSync(statusFile(lakeLayout(path).cluster("1")), JSON.stringify({ ...filled(), state: "running" }));
  fillUp();
  expect((await run.read(made.outs))?.state).toBe("failed");
  await run.delete(made.outs);
  rmSync(join(small, "filler"));
  await folder.delete({ path, retain: false });
  expect(readdirSync(small)).toEqual([]);
});

test("another run id warns of a run that it would end, and of no other", async () => {
  const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
  const replaced = { changes: true, replaces: ["run"], deleteBeforeReplace: true };
  const told = (state: string) => {
    const status = { run: "1", job: "numbers", state, started: "2026-11-21T13:30:00Z", steps: [] };
    writeJsonFile(statusFile(places().cluster("1")), status);
    warn.mockClear();
    expect(run.diff(inputs([]), inputs([], { run: "2" }))).toEqual(replaced);
    return warn.mock.calls;
  };
  mkdirSync(places().cluster("1"), { recursive: true });
  expect(told("running")).toEqual([]); // its cluster was killed
  const other = spawn("sleep", ["60"]);
  writeJsonFile(registration(places().cluster("1")), identify(other.pid as number));
  expect(told("running")).toEqual([
    [
      'Run "1" is still going on, and this update ends it for run "2": wait for it with "npx --no oneoff watch", or keep it with: pulumi config set oneoff:runId 1',
    ],
  ]);
  expect(told("succeeded")).toEqual([]);
  other.kill();
  warn.mockRestore();
});

test("Python without PySpark, and Java too old or missing, are refused with the cure", () => {
  const reasons = (change: object) =>
    (run.check("", inputs([], change)) as readonly { reason: string }[]).map((f) => f.reason);
  expect(reasons({})).toEqual([]);
  expect(reasons({ python: "/bin/python" })[0]).toContain('python is "/bin/python": no PySpark is installed beside it');
  const stub = (text: string) => {
    const folder = mkdtempSync(join(home, "java-"));
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin", "java"), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return folder;
  };
  const old = process.env.JAVA_HOME;
  try {
    process.env.JAVA_HOME = stub("echo 'openjdk version \"11.0.2\" 2019-01-15' >&2");
    expect(reasons({})[0]).toContain("Java is 11");
    process.env.JAVA_HOME = stub("echo 'java version \"1.8.0_292\"' >&2");
    expect(reasons({})[0]).toContain("Java is 8");
    process.env.JAVA_HOME = stub("echo 'openjdk version \"21\" 2023-09-19' >&2");
    expect(reasons({})).toEqual([]);
    process.env.JAVA_HOME = join(home, "nowhere");
    expect(reasons({})[0]).toContain("Java is not there");
  } finally {
    if (old === undefined) delete process.env.JAVA_HOME;
    else process.env.JAVA_HOME = old;
  }
});

test("the dashboard's process is started, found dead and started again, refuses a taken port, and is ended", async () => {
  const port = await freePort();
  const board = { name: "board", lake, port, job: { name: "numbers", tables: inputs([]).job.tables, panels: [] } };
  expect(await server.check("", board)).toEqual([]);
  const { outs } = await server.create("", board);
  expect(outs.url).toBe(`http://127.0.0.1:${port}`);
  expect((await fetch(outs.url)).status).toBe(200);
  expect(await server.check("", board)).toEqual([]); // its own port
  expect(server.diff(outs, board)).toMatchObject({ changes: false });
  expect(await server.check("", { ...board, name: "other" })).toMatchObject([
    { property: "port", reason: expect.stringContaining(`port is ${port}: another program listens on it`) },
  ]);

  const first = registered(places().dashboard("board")) as ProcessId;
  process.kill(first.pid, "SIGSTOP"); // as where the machine has much to do
  setTimeout(() => process.kill(first.pid, "SIGCONT"), 1200);
  expect(await server.check("", board)).toEqual([]);
  process.kill(first.pid, "SIGKILL");
  await until(() => !isAlive(first), "the dashboard's death");
  expect(await server.read(outs)).toBeUndefined();
  expect(server.diff(outs, board)).toMatchObject({ changes: true, replaces: [] });
  expect(await server.update(outs, board, "urn:pulumi:mine::oneoff::oneoff-local:index:Server::board")).toEqual(outs);
  expect((await fetch(outs.url)).status).toBe(200);
  expect(await (await fetch(`${outs.url}/api/job`)).json()).toMatchObject({ stack: "mine", lake: board.lake });

  await server.delete(outs);
  await expect(fetch(outs.url)).rejects.toThrow();
  expect(existsSync(places().dashboard("board"))).toBe(false);
}, 30_000);

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
