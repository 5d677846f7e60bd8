/** EC2's two-minute notice in mid-job: fleet's own agent code, entrypoint and settings, on real Spark; systemd and EC2 are stand-ins. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFailed, onTestFinished, test } from "vitest";
import { workerConfig } from "../../components/aws/fleet/node-config.ts";
import { fleetPlan } from "../../components/aws/fleet/plan.ts";
import { sharingOf } from "../../components/aws/fleet/sharing.ts";
import { freePorts } from "../free-port.ts";
import { quickJava } from "../spark/quick-java.ts";

const ASSETS = resolve(import.meta.dirname, "../../assets");
const PYTHON = resolve(import.meta.dirname, "../../.oneoff/venv/bin/python");
/** Machines may be slow. */
const MINUTES = { timeout: 240_000 };
const SECRET = "0123456789abcdef";
const plan = fleetPlan({
  lifetime: { deadline: "8 hours", idle: "1 hour" },
  region: "us-west-2",
  workers: { spot: { fallback: "fewer" } },
});
/** What a worker's unit sets, beside what is this machine's alone. */
const unitOf = () => {
  const place = {
    ...{ fleet: "fleet", lake: "s3://lake", region: "us-west-2", head: "127.0.0.1", sparkParameter: "/spark" },
    ...{ usersRole: "arn:users", runRole: "arn:run" },
  };
  return workerConfig(plan, place).units["oneoff-worker.service"] as string;
};

let folder: string;
let ports: { readonly rpc: number; readonly page: number; readonly workers: readonly number[] };
const processes = new Map<string, ChildProcess>();
let metadata: Server;
let notice: string | undefined;

function start(name: string, role: string, address: string, more: Readonly<Record<string, string>> = {}): void {
  const root = join(folder, name);
  mkdirSync(join(root, "run/secrets"), { recursive: true });
  mkdirSync(join(root, "tmp"));
  writeFileSync(join(root, "run/secrets/spark"), SECRET);
  const env = {
    ...{ ...quickJava(), PATH: process.env.PATH, HOME: root, JAVA_HOME: process.env.JAVA_HOME },
    ...{ ONEOFF_ROOT: root, ONEOFF_ADDRESS: address, ONEOFF_PYTHON: PYTHON, ONEOFF_MASTER: "127.0.0.1" },
    ...{ ONEOFF_MASTER_RPC: String(ports.rpc), ONEOFF_MASTER_HTTP: String(ports.page), ...more },
  };
  const log = join(folder, `${name}.log`);
  const words = ["-c", `exec "$0" "$1" > "$2" 2>&1`, join(ASSETS, "images/spark/entrypoint"), role, log];
  processes.set(name, spawn("sh", words, { env, stdio: "ignore", detached: true }));
}

const stateOf = async (): Promise<
  readonly { readonly state: string; readonly cores: number; readonly webuiaddress: string }[]
> => {
  const answer = await fetch(`http://127.0.0.1:${ports.page}/json/`).catch(() => undefined);
  return answer?.ok ? ((await answer.json()) as { workers: [] }).workers : [];
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-notice-"));
  const first = await freePorts(4);
  ports = { rpc: first, page: first + 1, workers: [first + 2, first + 3] };
  metadata = createServer((request, answer) => {
    if (request.method === "PUT") return answer.end("token");
    if (!request.url?.endsWith("/meta-data/spot/instance-action") || !notice) return answer.writeHead(404).end();
    return answer.end(JSON.stringify({ action: "terminate", time: notice }));
  }).listen(0, "127.0.0.1");
  const options = /^Environment="SPARK_DAEMON_JAVA_OPTS=(.*)"$/m.exec(unitOf())?.[1] as string;
  start("master", "master", "127.0.0.1");
  for (const [i, port] of ports.workers.entries()) {
    const size = { SPARK_WORKER_CORES: "2", SPARK_WORKER_MEMORY: "1024m", ONEOFF_WORKER_HTTP: String(port) };
    // Spark forgets what is on a lost worker's host.
    start(`worker-${i}`, "worker", `127.0.0.${2 + i}`, { ...size, SPARK_DAEMON_JAVA_OPTS: options });
  }
});
afterAll(() => {
  metadata?.close();
  for (const { pid } of processes.values()) kill(-(pid as number));
  rmSync(folder, { recursive: true, force: true });
});

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

const PROGRAM = `
import json, sys, time
from operator import add
from pyspark import SparkContext
def slow(n):
    time.sleep(0.5)
    return n % 4, n
with SparkContext() as spark:
    sums = spark.parallelize(range(32), 32).map(slow).reduceByKey(add, 4)
    done = spark.parallelize(range(4), 4)  # executors are there
    done.count()
    open("started", "w").close()
    first = sorted(sums.collect())
    open("first", "w").close()
    while not __import__("os").path.exists("go-on"):
        time.sleep(0.1)
    print(json.dumps([first, sorted(sums.mapValues(lambda n: n + 1).collect())]))
`;

/** The agent's own loop, in which the program that tells systemd is another. */
const AGENT = `
import sys, time
sys.path[:0] = [sys.argv[1]]
from metadata import Metadata
from notice import Notice
heed = Notice(Metadata(), ["oneoff-worker.service"], None, lambda: print("told"))
while not heed.heeded:
    heed.look()
    time.sleep(0.2)
`;

test("a worker that EC2 takes away in mid-job costs no task: it ends what it has, others have its blocks", async () => {
  await expect.poll(async () => (await stateOf()).length, MINUTES).toBe(2);
  const bin = join(folder, "bin");
  mkdirSync(bin);
  const { pid } = processes.get("worker-0") as ChildProcess;
  const systemctl = `#!/bin/sh\necho "$*" >> ${folder}/systemctl.words\nkill -s PWR ${pid}\n`;
  writeFileSync(join(bin, "systemctl"), systemctl);
  chmodSync(join(bin, "systemctl"), 0o755);
  const { port } = metadata.address() as AddressInfo;
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, ONEOFF_METADATA: `http://127.0.0.1:${port}` };
  const agent = promisify(execFile)(PYTHON, ["-c", AGENT, join(ASSETS, "fleet")], { env });

  const work = join(folder, "driver");
  mkdirSync(join(work, "conf"), { recursive: true });
  mkdirSync(join(work, "events"));
  const conf = {
    ...{ "spark.master": `spark://127.0.0.1:${ports.rpc}`, "spark.authenticate": "true" },
    ...{ "spark.authenticate.secret": SECRET, "spark.ui.enabled": "false" },
    ...sharingOf(plan, "127.0.0.1").conf,
    ...{ "spark.executor.memory": "512m", "spark.executor.cores": "2" },
    ...{ "spark.eventLog.enabled": "true", "spark.eventLog.dir": `file://${work}/events` },
  };
  const lines = Object.entries(conf).map(([name, value]) => `${name} ${value}\n`);
  writeFileSync(join(work, "conf/spark-defaults.conf"), lines.join(""));
  const spark = { SPARK_CONF_DIR: join(work, "conf"), SPARK_LOCAL_IP: "127.0.0.1", PYSPARK_PYTHON: PYTHON };
  const words = ["-c", `exec "$0" -c "$1" 2> driver.log`, PYTHON, PROGRAM];
  const job = promisify(execFile)("sh", words, { env: { ...process.env, ...quickJava(), ...spark }, cwd: work });
  onTestFinished(() => kill(job.child.pid as number));
  const isThere = (name: string) => () => readdirSync(work).includes(name);
  onTestFailed(() => {
    const logs = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) =>
      /\.log$|\/stderr$/.test(name),
    );
    for (const name of logs) console.error(`${name}:\n${readFileSync(join(folder, name), "utf8")}`);
  });
  await expect.poll(isThere("started"), MINUTES).toBe(true);
  await expect.poll(async () => (await stateOf()).map(({ state }) => state)).toEqual(["ALIVE", "ALIVE"]);
  const hasExecutor = () => spawnSync("pgrep", ["-g", String(pid), "-f", "CoarseGrainedExecutorBackend"]).status === 0;
  expect(hasExecutor()).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 2000)); // some tasks have ended by then, others haven't begun
  notice = "2026-11-30T19:40:35Z";
  expect((await agent).stdout).toBe("told\n");
  expect(readFileSync(join(folder, "systemctl.words"), "utf8")).toBe(
    "kill --kill-whom=main --signal=PWR oneoff-worker.service\n",
  );
  await expect
    .poll(async () => (await stateOf()).map(({ state }) => state).sort())
    .toEqual(["ALIVE", "DECOMMISSIONED"]);

  await expect.poll(isThere("first"), MINUTES).toBe(true);
  // Its executor moves what it has, and ends by itself.
  await expect.poll(hasExecutor, MINUTES).toBe(false);
  kill(-(pid as number)); // the machine is gone
  writeFileSync(join(work, "go-on"), "");
  const { stdout } = await job;
  const sums = [0, 1, 2, 3].map((k) => [k, Array.from({ length: 8 }, (_, i) => 4 * i + k).reduce((a, b) => a + b)]);
  expect(JSON.parse(stdout)).toEqual([sums, sums.map(([k, n]) => [k, (n as number) + 1])]);

  const [log = ""] = readdirSync(join(work, "events"));
  const events = readFileSync(join(work, "events", log), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const tasks = events.filter(({ Event }) => Event === "SparkListenerTaskEnd");
  const where = new Set(tasks.map((task) => task["Task Info"]["Executor ID"]));
  expect(where.size, "both workers had tasks").toBe(2);
  expect(tasks.filter((task) => task["Task End Reason"].Reason !== "Success")).toEqual([]);
  expect(tasks.length, "nothing is computed twice").toBe(4 + 32 + 4 + 4);
}, 600_000);
