/** A fleet on this machine that YARN shares out: a job by way of HDFS, GPUs as its resources, a node that dies, notebooks. */
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord } from "../../core/run.ts";
import { isAlive, killTree, type ProcessId, registered } from "../../provider/process.ts";
import { freePorts } from "../free-port.ts";
import { makeProject, type Project, processesOf, readJsonFile } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

const STACK = "gpu-fleet-local";

let project: Project;
const lake = () => join(project.folder, ".oneoff", "fleet-lake");
const python = () => join(project.folder, ".oneoff", "venv", "bin", "python");
const supervisorOf = (name: string) => registered(lakeLayout(lake()).service(name)) as ProcessId;
const pulumi = (...words: readonly string[]) => project.mustPulumi(...words, "--stack", STACK);
const up = (...more: readonly string[]) => pulumi("up", "--yes", "--skip-preview", ...more);
const set = (...settings: readonly string[]) =>
  pulumi("config", "set-all", ...settings.flatMap((text) => ["--plaintext", `oneoff:${text}`]));
const page = async () => (await pulumi("stack", "output", "yarn")).trim();
const status = async () => JSON.parse((await project.oneoff("fleet", "status", STACK, "--json")).output);

beforeAll(async () => {
  project = makeProject(quickJava());
  // A machine with three GPUs, as far as it says.
  const smi = join(project.folder, "nvidia-smi");
  writeFileSync(smi, "#!/bin/sh\nprintf '0\\n1\\n2\\n'\n");
  chmodSync(smi, 0o755);
  project.env.PATH = [project.folder, project.env.PATH].join(delimiter);
  await project.oneoff("env", STACK);
  await set("job=xo", "rows=200", "hidden=3", "seeds=1", `port=${await freePorts(1 + 16 * 2)}`);
  await set("scheduler=yarn", "gpu=all", "datanodes=1", "workers=2", "workerCores=2");
  await up();
}, 600_000);
afterAll(async () => {
  await project.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK);
  project.remove();
});

test("a job runs on it, from HDFS into the lake", async () => {
  const { output } = await project.oneoff("watch", STACK);
  expect(output).toContain("Run 1 of xo succeeded after");
  const { tables } = RunRecord.parse(readJsonFile(lakeLayout(lake()).record("1")));
  expect(tables).toMatchObject({ points: { rows: 200 }, models: { rows: 1 }, optimum: { rows: 1 } });
  await expect.poll(async () => (await status()).applications, { timeout: 60_000, interval: 2000 }).toEqual([]);
  const { nodes, warnings } = await status();
  expect(warnings).toEqual([]);
  expect(nodes.find(({ name }: { name: string }) => name === "nodemanager")).toMatchObject({
    state: "ready",
    cores: { used: 0, all: 3 }, // one is for applications' masters
    gpus: { used: 0, all: 2 },
  });
  await up("--expect-no-changes");
}, 600_000);

/** JupyterLab's own environment, as kernels have it. */
function kernelEnvironment(): NodeJS.ProcessEnv {
  const found = execFileSync("pgrep", ["-f", "jupyterlab --config"], { encoding: "utf8" }).trim().split("\n");
  const environments = found.map((pid) =>
    Object.fromEntries(
      readFileSync(`/proc/${pid}/environ`, "utf8")
        .split("\0")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    ),
  );
  return environments.find(({ ONEOFF_LAKE }) => ONEOFF_LAKE === lake()) as NodeJS.ProcessEnv;
}

/** Runs a program as a kernel would; what it prints last, as JSON. */
async function asKernel(program: string): Promise<unknown> {
  const folder = join(project.folder, "program");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const imports = "import json, time\nfrom pyspark import SparkConf, SparkContext, TaskContext\n";
  writeFileSync(join(folder, "program.py"), imports + program);
  const options = { env: kernelEnvironment(), cwd: folder };
  const { stdout } = await promisify(execFile)(python(), ["program.py"], options);
  return JSON.parse(stdout.trim().split("\n").at(-1) as string);
}

test("a node manager that is killed in mid-job costs time, and no result", async () => {
  const program = `
def task(number):
    time.sleep(1)
    return number * number
with SparkContext() as spark:
    while spark._jsc.sc().getExecutorMemoryStatus().size() < 2:
        spark.parallelize(range(8), 8).map(task).collect()
    open("started", "w").close()
    print(json.dumps(sum(spark.parallelize(range(32), 32).map(task).collect())))
`;
  const result = asKernel(program);
  await expect.poll(() => existsSync(join(project.folder, "program/started")), { timeout: 500_000 }).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 3000)); // some tasks have ended by then, others haven't begun
  const node = supervisorOf("nodemanager");
  killTree(node.pid);
  expect(await result).toBe(Array.from({ length: 32 }, (_, n) => n * n).reduce((a, b) => a + b));
  expect(isAlive(node)).toBe(false);
  // Its master may have been on that node: YARN makes another, which finds no driver any more.
  await expect.poll(async () => (await status()).applications, { timeout: 240_000, interval: 3000 }).toEqual([]);
  expect(await project.oneoff("fleet", "status", STACK)).toMatchObject({
    code: 1,
    output: expect.stringContaining("Warning: nodemanager is down"),
  });
  expect(await up()).toContain("~ 1 updated");
  await expect.poll(async () => (await project.oneoff("fleet", "status", STACK)).code, { timeout: 60_000 }).toBe(0);
}, 900_000);

test("executors that share a node have GPUs of their own, and so have their tasks; why and status tell of them", async () => {
  const program = `
def task(number):
    began = time.time()
    time.sleep(3)
    return [TaskContext.get().resources()["gpu"].addresses, began, time.time()]
conf = SparkConf().setAll({
    "spark.executor.resource.gpu.amount": "1", "spark.task.resource.gpu.amount": "1",
    "spark.executor.cores": "1", "spark.executor.memory": "450m", "spark.executor.memoryOverhead": "200m",
    "spark.dynamicAllocation.minExecutors": "3",
}.items())
with SparkContext(conf=conf) as spark:
    while spark._jsc.sc().getExecutorMemoryStatus().size() < 4:
        time.sleep(0.2)
    open("started", "w").close()
    print(json.dumps(spark.parallelize(range(12), 12).map(task).collect()))
`;
  const result = asKernel(program);
  await expect.poll(() => existsSync(join(project.folder, "program/started")), { timeout: 500_000 }).toBe(true);
  const { nodes, applications } = await status();
  expect(applications).toEqual([expect.objectContaining({ user: "oneoff", cores: 3 })]);
  const gpus = nodes.flatMap(({ gpus }: { gpus?: unknown }) => gpus ?? []);
  expect(gpus).toEqual(
    expect.arrayContaining([
      { used: 2, all: 2 },
      { used: 1, all: 1 },
    ]),
  );
  const why = await project.oneoff("fleet", "why", STACK);
  expect(why.output).toMatch(/Not idle: oneoff's application pyspark-shell holds 3 cores/);

  const tasks = (await result) as readonly [readonly [string], number, number][];
  expect(tasks.map(([addresses]) => addresses.length)).toEqual(Array(12).fill(1));
  expect(new Set(tasks.map(([[address]]) => address))).toEqual(new Set(["0", "1", "2"]));
  const shared = tasks.flatMap(([[one], began, ended], at) =>
    tasks.slice(at + 1).filter(([[other], from, to]) => one === other && from < ended && began < to),
  );
  expect(shared).toEqual([]);
}, 900_000);

test("nobody submits by REST, and no page has a browser end an application", async () => {
  const ask = async (method: string, path: string, headers: Readonly<Record<string, string>>, body: object) => {
    const url = new URL(`/ws/v1/cluster/apps${path}?user.name=oneoff`, await page());
    const json = { "Content-Type": "application/json", ...headers };
    const answer = await fetch(url, { method, headers: json, body: JSON.stringify(body) });
    return [answer.status, `${answer.statusText} ${await answer.text()}`];
  };
  const application = { "application-id": "application_1_0001", "am-container-spec": { commands: { command: "id" } } };
  for (const path of ["/new-application", ""]) {
    const answer = await ask("POST", path, { "X-XSRF-Header": "x" }, application);
    expect(answer).toEqual([403, expect.stringContaining("REST is disabled")]);
  }
  const forged = await ask("PUT", "/application_1_0001/state", { "User-Agent": "Mozilla/5.0" }, { state: "KILLED" });
  expect(forged).toEqual([400, expect.stringContaining("Missing Required Header")]);
}, 60_000);

test("Spark's own master in place of YARN leaves what is in HDFS; destroy leaves no process and no file", async () => {
  const events = async () => {
    const hdfs = (await pulumi("stack", "output", "hdfs")).trim();
    const answer = await fetch(new URL("/webhdfs/v1/spark-events?op=LISTSTATUS&user.name=oneoff", hdfs));
    return JSON.stringify(await answer.json());
  };
  const before = await events();
  expect(before).toContain("application_");
  await up("-c", "oneoff:scheduler=standalone");
  expect(await events()).toBe(before);
  expect((await status()).nodes.map(({ name }: { name: string }) => name)).toContain("worker-2");
  await pulumi("destroy", "--yes", "--skip-preview");
  expect(existsSync(lake())).toBe(false);
  expect(processesOf(lake())).toEqual([]);
}, 900_000);
