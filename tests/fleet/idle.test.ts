/** Why a node is not idle: a real kernel with a real application on Spark, real sessions of SSH, and a GPU that only says so. */
// @module-tag root
// @module-tag mount
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { software } from "../../provider/software.ts";
import { freePorts } from "../free-port.ts";
import { quickJava } from "../spark/quick-java.ts";
import { type FleetNode, type KeyPair, startNode } from "./node.ts";

const ADA = "oneofft-ada";
const HOME = `/home/${ADA}`;
const TOKEN = "t0ken";
const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const LOCK = at("assets/nodes/emr/jupyter/requirements.txt");
const VENV = realpathSync(at(".oneoff/venv"));
const PYTHON = join(VENV, "bin/python");
const PACKAGES = join(VENV, "lib/python3.11/site-packages");
const SPARK = join(PACKAGES, "pyspark");

let node: FleetNode;
let ada: KeyPair;
let ports: { readonly jupyter: number; readonly rpc: number; readonly master: number; readonly worker: number };
let kernel: { readonly id: string };
const started: ChildProcess[] = [];
const work = mkdtempSync(join(tmpdir(), "oneoff-idle-"));

interface Told {
  readonly busy: boolean;
  readonly reasons: readonly string[];
  readonly idleSince: string | null;
}

/** What the node tells; a GPU is asked where it has one. */
async function look(...words: readonly string[]): Promise<Told> {
  const notebook = ["--jupyter", `http://127.0.0.1:${ports.jupyter}/`, "--token-file", `${HOME}/token`];
  const where = ["--state", "/var/lib/oneoff/idle.json", "--master", `127.0.0.1:${ports.master}`, ...notebook];
  const path = `PATH=/opt/bin:${process.env.PATH}`;
  return JSON.parse(
    await node.must("env", path, "python3.11", "/opt/oneoff/scripts/fleet/idle.py", ...where, ...words),
  );
}
const reasons = async (...words: readonly string[]) => (await look(...words)).reasons;

async function jupyter(method: string, path: string, body?: unknown) {
  const headers = { authorization: `token ${TOKEN}` };
  const url = `http://127.0.0.1:${ports.jupyter}/api/${path}`;
  const answer = await fetch(url, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? undefined : await answer.json();
}

/** Has the kernel run something; what it prints comes with the promise. */
async function execute(code: string): Promise<string> {
  const url = `ws://127.0.0.1:${ports.jupyter}/api/kernels/${kernel.id}/channels?token=${TOKEN}`;
  const socket = new WebSocket(url);
  const printed: string[] = [];
  const header = {
    msg_id: crypto.randomUUID(),
    msg_type: "execute_request",
    username: "",
    session: "s",
    version: "5.3",
  };
  const content = { code, silent: false, store_history: false, user_expressions: {}, allow_stdin: false };
  socket.onopen = () =>
    socket.send(JSON.stringify({ header, parent_header: {}, metadata: {}, content, channel: "shell", buffers: [] }));
  await new Promise<void>((resolve) => {
    socket.onmessage = ({ data }) => {
      const said = JSON.parse(data);
      if (said.parent_header.msg_id !== header.msg_id) return;
      if (said.msg_type === "stream") printed.push(said.content.text);
      if (said.msg_type === "error") printed.push(said.content.traceback.join("\n"));
      if (said.msg_type === "status" && said.content.execution_state === "idle") resolve();
    };
  });
  socket.close();
  return printed.join("");
}

function startSpark(what: string, ...words: readonly string[]): void {
  const env = {
    ...process.env,
    ...quickJava(),
    SPARK_LOCAL_IP: "127.0.0.1",
    PYSPARK_PYTHON: PYTHON,
    SPARK_NO_DAEMONIZE: "1",
  };
  const options = ["--host", "127.0.0.1", ...words];
  started.push(
    spawn(join(SPARK, "bin/spark-class"), [`org.apache.spark.deploy.${what}`, ...options], {
      env,
      cwd: work,
      stdio: "ignore",
    }),
  );
}

beforeAll(async () => {
  const first = await freePorts(4);
  ports = { jupyter: first, rpc: first + 1, master: first + 2, worker: first + 3 };
  const { outs } = await software.create("", { name: "jupyterlab", lock: LOCK, python: PYTHON });
  startSpark("master.Master", "--port", String(ports.rpc), "--webui-port", String(ports.master));
  node = await startNode(outs.folder);
  ada = node.key("ada");
  await node.users([{ name: ADA, keys: [ada.line] }]);
  startSpark(
    "worker.Worker",
    ...["--cores", "1", "--memory", "600m", "--webui-port", String(ports.worker), "--work-dir", work],
    `spark://127.0.0.1:${ports.rpc}`,
  );

  await node.must("sh", "-c", `umask 077; echo ${TOKEN} > ${HOME}/token; chown ${ADA}: ${HOME}/token`);
  const env = {
    HOME,
    PATH: process.env.PATH,
    ...quickJava(),
    SPARK_LOCAL_IP: "127.0.0.1",
    PYSPARK_PYTHON: "python3.11",
    PYTHONPATH: `/mnt/jupyter:${PACKAGES}`,
    JUPYTER_PATH: "/mnt/jupyter/share/jupyter",
    JUPYTERLAB_DIR: "/mnt/jupyter/share/jupyter/lab",
  };
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const lab = [
    "-m",
    "jupyterlab",
    "--no-browser",
    "--ip=127.0.0.1",
    `--port=${ports.jupyter}`,
    `--ServerApp.root_dir=${HOME}`,
  ];
  const asAda = ["setpriv", "--reuid", ADA, "--regid", ADA, "--clear-groups", "env", "-i", ...settings];
  started.push(node.start(...asAda, "/usr/bin/python3.11", ...lab, `--IdentityProvider.token=${TOKEN}`));
  for (const end = Date.now() + 180_000; ; await sleep(200)) {
    const answer = await jupyter("GET", "kernels").catch((error) => error);
    if (Array.isArray(answer)) break;
    if (Date.now() > end) throw answer;
  }
});
afterAll(async () => {
  for (const child of started) child.kill("SIGKILL");
  await node?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

test("a machine where nothing is done says since when", async () => {
  await expect.poll(() => reasons()).toEqual([]);
  const { idleSince } = await look();
  await sleep(1100);
  expect(await look()).toEqual({ busy: false, reasons: [], idleSince, looked: expect.any(String) });
});

test("a kernel counts while it is busy, and for some time after", async () => {
  const session = { path: "train.ipynb", type: "notebook", name: "", kernel: { name: "python3" } };
  ({ kernel } = (await jupyter("POST", "sessions", session)) as { kernel: { id: string } });
  const running = execute("import time\ntime.sleep(1000)");
  await expect.poll(() => reasons()).toEqual([`${ADA}'s kernel train.ipynb is busy`]);
  expect((await look()).idleSince).toBe(null);
  await jupyter("POST", `kernels/${kernel.id}/interrupt`);
  expect(await running).toContain("KeyboardInterrupt");
  expect(await reasons()).toEqual([expect.stringMatching(`^${ADA}'s kernel train.ipynb was used \\d s ago$`)]);
  await sleep(1100);
  expect(await reasons("--active", "1")).toEqual([]);
});

test("an application counts while it has cores; a notebook's that has let them go does not", async () => {
  const conf = {
    "spark.dynamicAllocation.enabled": "true",
    "spark.dynamicAllocation.shuffleTracking.enabled": "true",
    "spark.dynamicAllocation.executorIdleTimeout": "2s",
    "spark.dynamicAllocation.shuffleTracking.timeout": "2s", // as long as that what a shuffle left keeps an executor
    "spark.executor.memory": "512m",
    "spark.ui.enabled": "false",
  };
  const builder = Object.entries(conf).map(([name, value]) => `.config("${name}", "${value}")`);
  const printed = await execute(`
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("spark://127.0.0.1:${ports.rpc}").appName("sweep")${builder.join("")}.getOrCreate()
print("sum", spark.range(1000).count())
`);
  expect(printed).toContain("sum 1000");
  await sleep(500);
  expect(await reasons("--active", "0.5")).toEqual([`${ADA}'s application sweep holds 1 core`]);
  await expect.poll(() => reasons("--active", "0.5"), { timeout: 30_000 }).toEqual([]);
  expect(await reasons("--active", "600")).toEqual([
    expect.stringContaining("kernel train.ipynb was used"),
    `${ADA}'s application sweep waits for cores`,
  ]);
}, 120_000);

test("a session of SSH counts, be it for forwarded ports alone", async () => {
  for (const words of [["-N"], ["sleep", "1000"]]) {
    const session = node.session(ADA, ada, ...words);
    await expect.poll(() => reasons("--active", "0.1")).toEqual([`${ADA} has an SSH session`]);
    session.kill();
    await expect.poll(() => reasons("--active", "0.1")).toEqual([]);
  }
});

test("a GPU counts while it is in use and for some time after, whatever memory is held", async () => {
  const says = (row: string) =>
    node.must(
      "sh",
      "-c",
      `mkdir -p /opt/bin; printf '#!/bin/sh\\necho "${row}"\\n' > /opt/bin/nvidia-smi; chmod 755 /opt/bin/nvidia-smi`,
    );
  const within = (seconds: string) => reasons("--active", "0.1", "--gpu-below", "5", "--for", seconds);
  expect(await within("600")).toEqual([expect.stringMatching(/^nvidia-smi does not answer: .*No such file/)]);
  await says("0, 83, 30000");
  expect(await within("600")).toEqual(["GPU 0 is at 83 %"]);
  await says("0, 0, 30000");
  expect(await within("600")).toEqual([
    expect.stringMatching(/^GPU 0 was in use \d+ s ago; it is at 0 % now, and 30000 MiB/),
  ]);
  await expect.poll(() => within("0.1")).toEqual([]);
});

test("who is revoked loses the kernel and what it has on Spark; what does not answer then counts", async () => {
  await node.users([]);
  expect((await node.run("pgrep", "-u", ADA)).out).toBe("");
  await expect
    .poll(() => reasons("--active", "0.1"), { timeout: 30_000 })
    .toEqual([`the notebook http://127.0.0.1:${ports.jupyter}/ does not answer: Connection refused`]);
});
