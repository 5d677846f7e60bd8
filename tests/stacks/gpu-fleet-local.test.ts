/** A fleet on this machine as its user has it: the real engine and provider, HDFS, Spark's own cluster, and a job on them. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lakeLayout } from "../../core/lake-layout.ts";
import { RunRecord } from "../../core/run.ts";
import { registered } from "../../provider/process.ts";
import { freePorts } from "../free-port.ts";
import { makeProject, type Project, processesOf, readJsonFile } from "../project.ts";
import { quickJava } from "../spark/quick-java.ts";

const STACK = "gpu-fleet-local";
const WORKER_CORES = 2;

let project: Project;
let hdfs: string;
const lake = () => join(project.folder, ".oneoff", "fleet-lake");

beforeAll(async () => {
  const java = quickJava();
  project = makeProject(java);
  // A machine with three GPUs, as far as it says.
  const smi = join(project.folder, "nvidia-smi");
  writeFileSync(smi, "#!/bin/sh\nprintf '0\\n1\\n2\\n'\n");
  chmodSync(smi, 0o755);
  project.env.PATH = [project.folder, project.env.PATH].join(delimiter);
  const port = await freePorts(1 + 16 * 2);
  hdfs = `http://127.0.0.1:${port + 2}`;
  await project.oneoff("env", STACK);
  await set("job=xo", "rows=200", "hidden=3", "seeds=1", `port=${port}`, "notebook=false");
  await set("workers=1", `workerCores=${WORKER_CORES}`, "datanodes=2", "replication=1");
});
afterAll(async () => {
  await project.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK);
  project.remove();
});

const set = (...settings: readonly string[]) =>
  project.mustPulumi(
    "config",
    "set-all",
    ...settings.flatMap((text) => ["--plaintext", `oneoff:${text}`]),
    "--stack",
    STACK,
  );
const up = (...more: readonly string[]) =>
  project.mustPulumi("up", "--yes", "--skip-preview", "--stack", STACK, ...more);
const put = async (path: string, content: string) => {
  const where = `${hdfs}/webhdfs/v1${path}?op=CREATE&noredirect=true&user.name=oneoff&blocksize=1048576`;
  const headers = { "X-XSRF-HEADER": "x" };
  const { Location } = (await (await fetch(where, { method: "PUT", headers })).json()) as { Location: string };
  // By hand: a datanode says "100 Continue" without being asked, which `fetch` takes for an error.
  execFileSync("curl", ["-sSf", "-X", "PUT", "-H", "X-XSRF-HEADER: x", "--data-binary", "@-", Location], {
    input: content,
  });
};
const read = async (path: string) => (await fetch(`${hdfs}/webhdfs/v1${path}?op=OPEN&user.name=oneoff`)).text();
const process = (name: string) => registered(lakeLayout(lake()).service(name))?.pid;

const NODES = ["namenode", "datanode", "datanode-2", "master", "history"];

test("GPUs are put on while a job goes on: the workers start anew, nothing else does, and the job ends well", async () => {
  expect(await up()).toContain("+ 16 created");
  await put("/mine/file", "forty-two");
  const before = NODES.map(process);
  const worker = process("worker");
  const changed = await up("-c", "oneoff:gpu=all");
  expect(changed).toContain("~ 1 updated");
  expect(NODES.map(process)).toEqual(before);
  expect(process("worker")).not.toBe(worker);
  expect(await read("/mine/file")).toBe("forty-two");

  const watched = await project.oneoff("watch", STACK);
  expect(watched.output).toContain("Run 1 of xo succeeded after");
  const { tables } = RunRecord.parse(readJsonFile(lakeLayout(lake()).record("1")));
  expect(tables).toMatchObject({ points: { rows: 200 }, models: { rows: 1 }, optimum: { rows: 1 } });
  const status = JSON.parse((await project.oneoff("fleet", "status", STACK, "--json")).output);
  expect(status).toMatchObject({ applications: [], warnings: [] });
  expect(status.nodes.find(({ name }: { name: string }) => name === "worker")).toMatchObject({
    state: "ready",
    cores: { used: 0, all: WORKER_CORES },
    gpus: { used: 0, all: 3 },
  });
  await up("--expect-no-changes");
}, 600_000);

test("a datanode that is dropped gives up its blocks first; one that is needed for the copies is not", async () => {
  const content = "x".repeat(3 << 20);
  for (const name of ["a", "b", "c", "d"]) await put(`/mine/${name}`, content);
  const refused = await project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK, "-c", "oneoff:datanodes=0");
  expect(refused.output).toContain("oneoff:datanodes is");
  const shrunk = await up("-c", "oneoff:datanodes=1");
  expect(shrunk).toContain("- 1 deleted");
  expect(existsSync(lakeLayout(lake()).service("datanode-2"))).toBe(false);
  for (const name of ["a", "b", "c", "d"]) expect((await read(`/mine/${name}`)) === content, name).toBe(true);
}, 600_000);

test("destroy leaves no process, no port and no file", async () => {
  await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", STACK);
  expect(existsSync(lake())).toBe(false);
  expect(processesOf(lake())).toEqual([]);
  const left = await project.oneoff("leftovers", STACK);
  expect(left.output).toContain("Nothing is left");
});
