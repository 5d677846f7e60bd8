/** The local stack as its user has it: the real engine, the real provider, real Spark, the real dashboard. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord } from "../../core/run.ts";
import { programs } from "../../stacks/index.ts";
import { makeProject, type Outcome, type Project, processesOf, readJsonFile, writeJsonFile } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

let project: Project;
let port: number;
const lake = () => join(project.folder, ".oneoff", "lake");
const api = (path: string) => fetch(`http://127.0.0.1:${port}/api/${path}`);
const record = (run: string) => RunRecord.parse(readJsonFile(lakeLayout(lake()).record(run)));

/** A server on a free port. */
async function listen(): Promise<{ readonly port: number; close(): void }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}

beforeAll(async () => {
  project = makeProject(quickJava());
  const probe = await listen();
  port = probe.port;
  probe.close();
});
afterAll(async () => {
  await project.oneoff("destroy");
  project.remove();
});

const set = (...settings: readonly string[]) =>
  project.mustPulumi("config", "set-all", ...settings.flatMap((text) => ["--plaintext", text]), "--stack", "local");
const succeeds = ({ code, output }: Outcome) => {
  if (code !== 0) throw new Error(`it ended with ${code}:\n${output}`);
  return output;
};

test("npm start runs the job to its end, and the ordinary commands work from there", async () => {
  expect(succeeds(await project.oneoff("env"))).toContain(`export PULUMI_BACKEND_URL='file://`);
  await set("oneoff:rows=600", "oneoff:hidden=3,6", "oneoff:seeds=2", `oneoff:port=${port}`, "oneoff:memory=512 MB");
  const started = succeeds(await project.oneoff("start"));
  expect(started).toMatch(/generate: succeeded in \d+ s/);
  expect(started).toMatch(/train: (models \d\/4|succeeded)/);
  expect(started).toContain("Run 1 of xo succeeded after");
  expect(started).toContain(`Dashboard: http://127.0.0.1:${port}`);
  expect(record("1").tables).toMatchObject({ points: { rows: 600 }, models: { rows: 4 }, optimum: { rows: 1 } });

  const panels = ((await (await api("job")).json()) as { panels: { name: string }[] }).panels;
  expect(panels.length).toBeGreaterThan(3);
  for (const { name } of panels) expect((await api(`panels/${name}?run=1`)).status, name).toBe(200);

  const again = await project.mustPulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", "local");
  expect(again).toContain("7 unchanged");
  await project.mustPulumi("refresh", "--yes", "--skip-preview", "--stack", "local");
  const state = JSON.parse(await project.mustPulumi("stack", "export", "--stack", "local"));
  const runs = state.deployment.resources.filter(({ type }: { type: string }) => type === "oneoff-local:index:Run");
  expect(runs).toMatchObject([{ outputs: { state: "succeeded", run: "1" } }]);
  await project.mustPulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--stack", "local");
}, 180_000);

test("doctor, settings and open say what they are asked", async () => {
  expect(succeeds(await project.oneoff("doctor"))).toMatch(/ok {5,}Java .*\nok {5,}Python /);
  expect(succeeds(await project.oneoff("settings"))).toContain("| `oneoff:rows`     | `20000`");
  expect(succeeds(await project.oneoff("open")).trim()).toBe(`Dashboard: http://127.0.0.1:${port}`);
  expect(await project.oneoff("settings", "nope")).toMatchObject({
    code: 6,
    output: expect.stringContaining(
      `oneoff: there is no program "nope" in stacks/; there are ${programs().join(", ")}`,
    ),
  });
}, 60_000);

test("a table of a run can be had as CSV and as Parquet; what isn't there is named", async () => {
  const csv = succeeds(await project.oneoff("get", "models"))
    .trim()
    .split("\n");
  expect(csv[0]).toBe("hidden,seed,accuracy,accuracy_se,seconds");
  expect(csv).toHaveLength(5);
  const file = join(project.folder, "points.parquet");
  succeeds(await project.oneoff("get", "points", "--format", "parquet", "--out", file));
  expect(readFileSync(file).subarray(0, 4).toString()).toBe("PAR1");
  expect(await project.oneoff("get", "nothing")).toMatchObject({
    code: 6,
    output: expect.stringContaining("oneoff: run 1 has no table nothing"),
  });
  expect((await project.oneoff("get", "models", "--run", "7")).output).toContain(
    'stack local has no run "7": there is 1',
  );
}, 60_000);

test("a changed job is warned of, and computed by a new run; the old run stays", async () => {
  const before = record("1");
  await set("oneoff:rows=700");
  const up = await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", "local");
  expect(up).toContain('But run "1" was started as it was and stays');
  expect(succeeds(await project.oneoff("run", "--id", "two"))).toContain("Run two of xo succeeded after");
  expect(record("two").tables.points).toMatchObject({ rows: 700 });
  expect(record("1")).toEqual(before);
  expect(await project.oneoff("run", "--id", "1")).toMatchObject({
    code: 2,
    output: expect.stringContaining('oneoff: --id is "1": that run is there already'),
  });
  expect(readdirSync(join(lake(), "points")).sort()).toEqual(["run=1", "run=two"]);
  const listed = JSON.stringify(await (await api("runs")).json());
  expect(listed).toContain('"two"');
  expect(listed).toContain('"1"');
}, 180_000);

test("--dry-run says what a run, a cancellation and the end would do, and does nothing", async () => {
  const settings = readFileSync(project.settingsFile("local"), "utf8");
  const run = await project.oneoff("run", "--id", "never", "--dry-run");
  expect(run).toMatchObject({ code: 0, output: expect.stringMatching(/"two" => "never".*rents nothing/s) });
  expect(readFileSync(project.settingsFile("local"), "utf8")).toBe(settings);
  const cancel = await project.oneoff("cancel", "--dry-run");
  expect(cancel).toMatchObject({ code: 0, output: expect.stringContaining("Run two of xo is over already") });
  const down = await project.oneoff("down", "--dry-run");
  expect(down).toMatchObject({
    code: 0,
    output: expect.stringMatching(/would end stack local .*, with the results in /),
  });
  expect(down.output).toContain("7 to delete");
  const part = await project.oneoff("down", "--yes", "--", "--help");
  expect(part).toMatchObject({
    code: 1,
    output: expect.stringMatching(/Stack local is still there, with \d+ resources: --help$/m),
  });
  expect((await project.oneoff("status")).output).toContain("Run      two of xo: succeeded after");
}, 60_000);

test("a run that fails fails the command, with the last lines of its log", async () => {
  await set("oneoff:memory=1 MB");
  const { code, output } = await project.oneoff("run", "--id", "three");
  expect(code).toBe(1);
  expect(output).toContain("The last lines of step generate:");
  expect(output).toMatch(/Run three of xo failed after .*: step "generate" failed \(exit \d+\)/);
  expect(output).toContain('"npx --no oneoff run local" starts a new run');
  expect(readFileSync(project.settingsFile("local"), "utf8")).toContain("oneoff:runId: three\n");
  expect(await project.oneoff("watch", "--no-logs")).toMatchObject({ code: 1 });
  expect(record("two").state).toBe("succeeded");
}, 120_000);

test("a port that is taken is refused before anything is changed", async () => {
  const other = await listen();
  await set(`oneoff:port=${other.port}`);
  const settings = readFileSync(project.settingsFile("local"), "utf8");
  const { code, output } = await project.oneoff("run", "--id", "four");
  expect(readFileSync(project.settingsFile("local"), "utf8")).toBe(settings);
  other.close();
  await set(`oneoff:port=${port}`);
  expect(code).not.toBe(0);
  expect(output).toContain(
    `port is ${other.port}: another program listens on it; end that, or choose another with: pulumi config set oneoff:port`,
  );
  expect((await api("identity")).status).toBe(200);
}, 60_000);

test("what is cancelled stays cancelled, whatever Pulumi does then", async () => {
  await set("oneoff:memory=512 MB");
  succeeds(await project.oneoff("run", "--id", "four", "-d"));
  expect(succeeds(await project.oneoff("cancel", "--yes"))).toContain("Run four of xo was cancelled after");
  const cancelled = record("four");
  expect(cancelled.state).toBe("cancelled");
  await project.mustPulumi("refresh", "--yes", "--skip-preview", "--stack", "local");
  const up = await project.oneoff("up"); // one that is over is waited for by nobody
  expect(up).toMatchObject({ code: 8, output: expect.not.stringMatching(/fills in while|Ctrl-C/) });
  expect((await project.oneoff("status")).output).toContain("Run      four of xo: cancelled after");
  expect(record("four")).toEqual(cancelled);
  expect(processesOf(lakeLayout(lake()).cluster("four"))).toEqual([]);
}, 120_000);

test("after the engine is killed in mid-up, npm run destroy finds everything, and npm start begins anew", async () => {
  succeeds(await project.oneoff("destroy"));
  succeeds(await project.oneoff("env"));
  const args = ["up", "--yes", "--skip-preview", "--stack", "local", "--non-interactive"];
  const engine = spawn("pulumi", args, { cwd: project.folder, env: project.env, detached: true, stdio: "ignore" });
  while (!existsSync(lakeLayout(lake()).marker)) await sleep(5);
  process.kill(-(engine.pid as number), "SIGKILL");
  await once(engine, "exit");
  succeeds(await project.oneoff("destroy"));
  await sleep(2000); // what was being started when the engine died
  expect(processesOf(project.folder)).toEqual([]);
  const { marker } = lakeLayout(lake());
  const left = existsSync(lake())
    ? [...readdirSync(lake(), { recursive: true }), readFileSync(marker, "utf8")]
    : "gone";
  expect(left).toBe("gone");
  succeeds(await project.oneoff("env"));
  await set("oneoff:memory=512 MB", "oneoff:runId=four");
  expect(succeeds(await project.oneoff("start"))).toContain("Run four of xo succeeded");
}, 180_000);

test("destroy leaves no process, no file and no port, and the settings as they were set", async () => {
  succeeds(await project.oneoff("destroy"));
  expect(processesOf(project.folder)).toEqual([]);
  expect(readdirSync(join(project.folder, ".oneoff"))).toEqual(["venv"]);
  await expect(api("identity")).rejects.toThrow();
  const settings = readFileSync(join(project.folder, "stacks", "Pulumi.local.yaml"), "utf8");
  expect(settings).toContain("# Settings of stack `local`");
  expect(settings).not.toContain("encryptionsalt");
  expect(existsSync(lake())).toBe(false);
}, 60_000);

test("a lake that is but its marker goes with its stack, also where the state knows nothing of it", async () => {
  const put = (owner: string, ...more: readonly string[]) => {
    writeJsonFile(lakeLayout(lake()).marker, { owner });
    for (const name of more) writeJsonFile(join(lake(), name), {});
  };
  const own = "urn:pulumi:local::oneoff::oneoff:index:LocalLake$oneoff-local:index:Folder::lake-folder";
  put(own, "mine.json");
  succeeds(await project.oneoff("destroy"));
  expect(readdirSync(lake()).sort()).toEqual(["_lake.json", "mine.json"]);
  rmSync(join(lake(), "mine.json"));
  put(own.replace("oneoff::", "another::"));
  succeeds(await project.oneoff("destroy"));
  expect(readdirSync(lake())).toEqual(["_lake.json"]);
  put(own);
  succeeds(await project.oneoff("destroy"));
  expect(existsSync(lake())).toBe(false);
}, 60_000);
