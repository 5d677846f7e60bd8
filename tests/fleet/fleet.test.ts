/** A whole fleet on this machine, with all that it takes minutes to see: GPUs as Spark's resources, deaths, notebooks, job nids. */
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord } from "../../core/run.ts";
import { isAlive, killTree, type ProcessId, registered } from "../../provider/process.ts";
import { environmentOf } from "../../provider/service-process.ts";
import { freePorts } from "../free-port.ts";
import { makeProject, type Project, readJsonFile } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

const STACK = "gpu-fleet-local";

let project: Project;
let port: number;
const lake = () => join(project.folder, ".oneoff", "fleet-lake");
const python = () => join(project.folder, ".oneoff", "venv", "bin", "python");
const supervisorOf = (name: string) => registered(lakeLayout(lake()).service(name)) as ProcessId;
const pulumi = (...words: readonly string[]) => project.mustPulumi(...words, "--stack", STACK);
const set = (stack: string, ...settings: readonly string[]) =>
  project.mustPulumi(
    "config",
    "set-all",
    "--stack",
    stack,
    ...settings.flatMap((text) => ["--plaintext", `oneoff:${text}`]),
  );
const succeeds = async (...words: readonly string[]) => {
  const { code, output } = await project.oneoff(...words);
  if (code !== 0) throw new Error(`oneoff ${words.join(" ")} ended with ${code}:\n${output}`);
  return output;
};

beforeAll(async () => {
  project = makeProject(quickJava());
  // A machine with four GPUs, as far as it says.
  const smi = join(project.folder, "nvidia-smi");
  writeFileSync(smi, "#!/bin/sh\nprintf '0\\n1\\n2\\n3\\n'\n");
  chmodSync(smi, 0o755);
  project.env.PATH = [project.folder, project.env.PATH].join(delimiter);
  port = await freePorts(1 + 16 * 3);
  await project.oneoff("env", STACK);
  await set(
    STACK,
    "job=nids",
    "flows=6000",
    "epochs=3",
    `port=${port}`,
    "gpu=all",
    "workers=2",
    "workerCores=2",
    "app=true",
  );
  await pulumi("up", "--yes", "--skip-preview");
  expect(await succeeds("watch", STACK)).toContain("Run 1 of nids succeeded");
}, 600_000);
afterAll(async () => {
  await project.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK);
  project.remove();
});

/** Runs a program on the fleet's Spark; what it prints last, as JSON. */
async function onSpark(program: string, conf: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const folder = join(project.folder, "program");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, "conf"), { recursive: true });
  const master = environmentOf({ lake: lake(), name: "master" }) as NodeJS.ProcessEnv;
  const properties = {
    "spark.master": `spark://${master.ONEOFF_MASTER}:${master.ONEOFF_MASTER_RPC}`,
    "spark.authenticate": "true",
    "spark.authenticate.secret": readFileSync(join(master.ONEOFF_ROOT as string, "run/secrets/spark"), "utf8"),
    "spark.ui.enabled": "false",
    "spark.executor.memory": "512m",
    ...conf,
  };
  const lines = Object.entries(properties).map(([name, value]) => `${name} ${value}\n`);
  writeFileSync(join(folder, "conf/spark-defaults.conf"), lines.join(""));
  writeFileSync(
    join(folder, "program.py"),
    `import json, time\nfrom pyspark import SparkContext, TaskContext\n${program}`,
  );
  const spark = { SPARK_CONF_DIR: join(folder, "conf"), SPARK_LOCAL_IP: "127.0.0.1", PYSPARK_PYTHON: python() };
  const options = { env: { ...project.env, ...spark }, cwd: folder };
  const { stdout } = await promisify(execFile)(python(), [join(folder, "program.py")], options);
  return JSON.parse(stdout.trim().split("\n").at(-1) as string);
}

test("each task has a GPU of its own while it runs", async () => {
  const program = `
def task(number):
    began = time.time()
    time.sleep(1)
    return [TaskContext.get().resources()["gpu"].addresses, began, time.time()]
with SparkContext() as spark:
    print(json.dumps(spark.parallelize(range(8), 8).map(task).collect()))
`;
  const conf = { "spark.executor.resource.gpu.amount": "2", "spark.task.resource.gpu.amount": "1" };
  const tasks = (await onSpark(program, conf)) as readonly [readonly [string], number, number][];
  expect(tasks.map(([addresses]) => addresses.length)).toEqual(Array(8).fill(1));
  expect(new Set(tasks.map(([[address]]) => address))).toEqual(new Set(["0", "1", "2", "3"]));
  const shared = tasks.flatMap(([[one], began, ended], at) =>
    tasks.slice(at + 1).filter(([[other], from, to]) => one === other && from < ended && began < to),
  );
  expect(shared).toEqual([]);
}, 600_000);

const app = async (path: string, init?: RequestInit) =>
  fetch(`${(await pulumi("stack", "output", "app")).trim()}${path}`, init);
const model = async () => ((await (await app("version")).json()) as { model: { run: string } | null }).model?.run;

test("the application scores with the model of the run", async () => {
  expect(await succeeds("open", STACK, "--ui", "app")).toContain("http://127.0.0.1:");
  await expect.poll(model).toBe("1");
  const flow = { protocol: "tcp", service: "http", state: "FIN", dur: 0.1, sbytes: 1e3, sttl: 254 };
  const answer = await app("flows", { method: "POST", body: `${JSON.stringify(flow)}\nno flow` });
  const lines = (await answer.text()).trim().split("\n");
  expect(lines.map((line) => Object.keys(JSON.parse(line)))).toEqual([
    ["score", "alarm", "family"],
    ["line", "error"],
  ]);
  const { nodes } = JSON.parse(await succeeds("fleet", "status", STACK, "--json"));
  expect(nodes).toContainEqual(expect.objectContaining({ name: "app", role: "app", state: "ready" }));
});

test("a worker that is killed in mid-job costs time, and no result", async () => {
  const program = `
def task(number):
    time.sleep(1)
    return number * number
with SparkContext() as spark:
    open("started", "w").close()
    print(json.dumps(sum(spark.parallelize(range(32), 32).map(task).collect())))
`;
  const result = onSpark(program);
  await expect.poll(() => existsSync(join(project.folder, "program/started")), { timeout: 60_000 }).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 5000)); // some tasks have ended by then, others haven't begun
  const worker = supervisorOf("worker");
  killTree(worker.pid);
  expect(await result).toBe(Array.from({ length: 32 }, (_, n) => n * n).reduce((a, b) => a + b));
  expect(isAlive(worker)).toBe(false);

  const status = await project.oneoff("fleet", "status", STACK);
  expect(status).toMatchObject({ code: 1, output: expect.stringContaining("Warning: worker is down") });
  expect(await pulumi("up", "--yes", "--skip-preview")).toContain("~ 1 updated");
  await expect.poll(async () => (await project.oneoff("fleet", "status", STACK)).code, { timeout: 30_000 }).toBe(0);
}, 600_000);

test("the fleet's notebook runs from top to bottom; reset takes what it left, and the nodes stay", async () => {
  const jupyter = execFileSync("pgrep", ["-f", "jupyterlab --config"], { encoding: "utf8" }).trim().split("\n");
  const env = jupyter.map(environmentIn).find(({ ONEOFF_LAKE }) => ONEOFF_LAKE === lake()) as NodeJS.ProcessEnv;
  const notebook = join(env.ONEOFF_NOTEBOOKS as string, "fleet.ipynb");
  const words = ["-m", "nbconvert", "--execute", "--to", "markdown", "--stdout", notebook];
  const { stdout } = await promisify(execFile)(python(), words, { env, cwd: env.ONEOFF_ROOT as string });
  expect(stdout).toMatch(/\| +true\| +1959\| +250\|/);
  expect(stdout).toContain("rows in networks, of runs 1");
  // Where PyTorch is missing, as here, the other one says so and does no more.
  const gpu = [...words.slice(0, -1), notebook.replace("fleet.ipynb", "gpu.ipynb")];
  const ended = await promisify(execFile)(python(), gpu, { env, cwd: env.ONEOFF_ROOT as string });
  expect(ended.stdout).toContain("missing is PyTorch");
  expect(ended.stdout).toContain("nothing is learnt");

  const nodes = ["namenode", "datanode", "datanode-2", "datanode-3", "master", "worker", "worker-2"];
  const before = nodes.map(supervisorOf);
  const told = await succeeds("fleet", "reset", STACK, "--confirm", STACK);
  expect(told).toContain("deleted the folder /notebooks in HDFS");
  expect(told).toContain("Gone: ");
  expect(nodes.map(supervisorOf)).toEqual(before);
}, 600_000);

const environmentIn = (pid: string): NodeJS.ProcessEnv =>
  Object.fromEntries(
    readFileSync(`/proc/${pid}/environ`, "utf8")
      .split("\0")
      .filter((line) => line.includes("="))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );

test("nids on the fleet, by way of HDFS, comes to the digests of stack local", async () => {
  const flows = join(project.folder, "flows");
  const archive = join(project.folder, "flows.tgz");
  execFileSync(python(), [join(import.meta.dirname, "unsw.py"), flows]);
  execFileSync("tar", ["czf", archive, "-C", flows, "."]);
  expect(await succeeds("fleet", "push", archive, "/data", "-s", STACK)).toContain("3 files are in /data of HDFS");
  await set(STACK, `input=webhdfs://127.0.0.1:${port + 2}/data`);
  expect(await succeeds("run", STACK, "--id", "hdfs", "--yes")).toContain("Run hdfs of nids succeeded");
  await expect.poll(model).toBe("hdfs");

  await project.oneoff("env", "local");
  await set("local", "job=nids", `input=${flows}`, "epochs=3", `port=${await freePorts(1)}`);
  expect(await succeeds("up", "local", "--yes")).toContain("Run 1 of nids succeeded");
  const tables = (lake: string, run: string) => RunRecord.parse(readJsonFile(lakeLayout(lake).record(run))).tables;
  expect(tables(lake(), "hdfs")).toEqual(tables(join(project.folder, ".oneoff/lake"), "1"));
  await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", "local");
}, 600_000);
