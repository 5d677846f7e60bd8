/** What Lambda and Cloud Run get is one file: it runs by itself, in a folder where nothing else is. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DescribeClusterCommand, EMRClient, RunJobFlowCommand } from "@aws-sdk/client-emr";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BundleName } from "../../assets/manifest.ts";
import { buildBundles } from "../../engine/bundles.ts";
import { type Moto, startMoto } from "../moto.ts";
import { PAGE } from "./dashboard/page-files.ts";
import { lab, site, until, useLab } from "./dataproc-orchestrator/orchestrator.ts";
import { sha256 } from "./wheels/package-index.ts";

const run = promisify(execFile);
let moto: Moto;
let folder: string;

beforeAll(async () => {
  moto = await startMoto("us-east-1");
  folder = await mkdtemp(join(tmpdir(), "oneoff-bundles-"));
  await buildBundles(join(folder, "all"));
});
afterAll(async () => {
  moto?.close();
  await rm(folder, { recursive: true, force: true });
});

/** A folder that has a bundle and nothing else. */
async function bundleAlone(name: BundleName): Promise<string> {
  const alone = await mkdtemp(join(folder, `${name}-`));
  await copyFile(join(folder, "all", name, "index.mjs"), join(alone, "index.mjs"));
  expect(await readdir(alone)).toEqual(["index.mjs"]);
  return alone;
}

/** The answer of a function's handler, in a process of its own. */
async function invoke(name: BundleName, event: unknown, env: Readonly<Record<string, string>>) {
  const alone = await bundleAlone(name);
  const script = `import("./index.mjs")
    .then(({ handler }) => handler(${JSON.stringify(event)}, { getRemainingTimeInMillis: () => 60_000 }))
    .then((answer) => process.stdout.write("\\nANSWER " + JSON.stringify(answer)))`;
  const options = { cwd: alone, env: { PATH: process.env.PATH, ...moto.env, ...env } };
  const { stdout } = await run(process.execPath, ["-e", script], options);
  const [log = "", answer = "null"] = stdout.split("\nANSWER ");
  return { log: log.trim(), answer: JSON.parse(answer) };
}

const request = (deadline: string) => ({
  Name: "a cluster",
  ReleaseLabel: "emr-7.13.0",
  Instances: { KeepJobFlowAliveWhenNoSteps: true },
  Tags: Object.entries({ stack: "oneoff/x", deadline, cluster: "c", run: "1" }).map(([key, Value]) => ({
    Key: `oneoff:${key}`,
    Value,
  })),
});

test("the reaper ends what is overdue, and says so in its log", async () => {
  const emr = new EMRClient({});
  const { JobFlowId: due } = await emr.send(new RunJobFlowCommand(request("1 second")));
  const { JobFlowId: young } = await emr.send(new RunJobFlowCommand(request("1 hour")));
  await new Promise((resolve) => setTimeout(resolve, 1100));

  const { log, answer } = await invoke("reaper", {}, { ONEOFF_STACK: "oneoff/x" });

  expect(answer).toEqual({ ended: 1 });
  expect(JSON.parse(log)).toMatchObject({ event: "ended", kind: "cluster", id: due, deadlineTag: "1 second" });
  const state = async (ClusterId: string | undefined) =>
    (await emr.send(new DescribeClusterCommand({ ClusterId }))).Cluster?.Status?.State;
  expect([await state(due), await state(young)]).toEqual(["TERMINATED", "WAITING"]);
});

test("the launcher rents a cluster", async () => {
  await new S3Client({}).send(new CreateBucketCommand({ Bucket: "lake" }));
  const launch = {
    stack: "oneoff/x",
    cluster: "c",
    run: "1",
    bucket: "lake",
    wheels: [],
    architecture: "arm64",
    packageIndex: "http://127.0.0.1:9/simple",
    deadlineSeconds: 3600,
    request: request("1 hour"),
  };
  const { answer } = await invoke("emr-launcher", launch, {});
  expect(answer).toMatchObject({ run: "1", cluster: expect.stringMatching(/^j-/) });
});

test("the stager tells of what is in the lake", async () => {
  await new S3Client({}).send(new CreateBucketCommand({ Bucket: "fleet" }));
  const [packageIndex, maven] = ["http://127.0.0.1:9/simple", "http://127.0.0.1:9/maven2"];
  const wanted = { bucket: "fleet", packageIndex, maven, manifests: { nodes: { scripts: { files: {} } } } };
  const { log, answer } = await invoke("fleet-stager", wanted, {});
  expect(answer).toEqual({ manifests: { nodes: sha256("[]") }, files: 0, copied: 0, bytes: 0 });
  expect(JSON.parse(log)).toMatchObject({ event: "nothing to do", files: 0 });
});

describe("the orchestrator", { tags: ["go"] }, () => {
  useLab();

  /** Starts it for a run of two steps, as Cloud Run does. */
  async function start() {
    const alone = await bundleAlone("dataproc-orchestrator");
    const file = join(await mkdtemp(join(folder, "launch-")), "launch.json");
    await writeFile(file, JSON.stringify(lab.launch("cluster")));
    const child = spawn(process.execPath, ["index.mjs", file], {
      cwd: alone,
      env: { PATH: process.env.PATH, HOME: alone, ...site.env },
    });
    let printed = "";
    let complained = "";
    child.stdout.on("data", (text) => {
      printed += text;
    });
    child.stderr.on("data", (text) => {
      complained += text;
    });
    const ended = once(child, "exit").then(([code]) => {
      const lines = printed
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { severity: string; message: string });
      return { code, lines, complained };
    });
    return { child, ended };
  }

  test("follows a run, tells Cloud Logging and ends", async () => {
    for (const step of ["one", "two"]) lab.google.script[step] = { states: ["DONE"] };
    const { code, lines, complained } = await (await start()).ended;
    expect(await lab.status()).toMatchObject({
      state: "succeeded",
      steps: [{ state: "succeeded" }, { state: "succeeded" }],
    });
    expect({ code, complained }).toEqual({ code: 0, complained: "" });
    expect(lines.at(-1)).toEqual({ severity: "INFO", message: "run 7 has succeeded" });
  });

  test("ends at SIGTERM, before Cloud Run's patience does, and cancels what is under way", async () => {
    lab.google.script.one = { states: ["RUNNING"] };
    const { child, ended } = await start();
    await until(async () => (await lab.status().catch(() => undefined))?.steps[0]?.state === "running");
    const killed = setTimeout(() => child.kill("SIGKILL"), 10_000);
    child.kill("SIGTSTP"); // it is about to be moved to another machine
    child.kill("SIGTERM");
    const { code, lines } = await ended;
    clearTimeout(killed);
    expect(code).toBe(0);
    expect(lab.google.cancelled).toEqual(["one"]);
    expect((await lab.status()).error).toBe("the run was stopped: its stack was destroyed or its execution cancelled");
    expect(lines.at(-1)).toMatchObject({ severity: "ERROR" });
    // Started again, it leaves that as it is.
    await (await start()).ended;
    expect(lab.google.jobs.size).toBe(1);
  });

  test("killed between a request and its answer, it asks for nothing twice", async () => {
    for (const step of ["one", "two"]) lab.google.script[step] = { states: ["DONE"] };
    lab.google.silent = /jobs:submit/;
    const { child, ended } = await start();
    await until(() => lab.google.jobs.size === 1);
    child.kill("SIGKILL");
    await ended;
    expect((await lab.status()).state).toBe("running");
    lab.google.silent = undefined;
    const again = await (await start()).ended;
    expect(again.lines[0]?.message).toMatch(/^going on with run 7, which was begun at 20/);
    expect(lab.google.jobs.size).toBe(2);
    expect((await lab.status()).state).toBe("succeeded");
  });

  test("killed until after the deadline, it ends what it had begun", async () => {
    lab.google.script.one = { states: ["RUNNING"] };
    const { child, ended } = await start();
    await until(async () => (await lab.status().catch(() => undefined))?.steps[0]?.state === "running");
    child.kill("SIGKILL");
    await ended;
    const deadline = new Date(Date.now() - 1000).toISOString();
    await lab.put("_launches/7.json", { ...(await lab.read<object>("_launches/7.json")), deadline });
    expect(lab.google.cancelled).toEqual([]);
    await (await start()).ended;
    expect(lab.google.cancelled).toEqual(["one"]);
    expect(await lab.status()).toMatchObject({ state: "failed", error: "the deadline of 1 h 30 min has passed" });
  });

  test("without a launch file that can be read it fails, so that Cloud Run starts it again", async () => {
    const alone = await bundleAlone("dataproc-orchestrator");
    const failing = run(process.execPath, ["index.mjs", "no-such.json"], { cwd: alone });
    await expect(failing).rejects.toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/"severity":"ERROR".*no-such\.json/),
    });
  });
});

test("all are small: they are read before each first run", async () => {
  for (const name of ["reaper", "emr-launcher", "dataproc-orchestrator"]) {
    expect((await stat(join(folder, "all", name, "index.mjs"))).size).toBeLessThan(2_500_000);
  }
});

test("the dashboard's page is the files that the components' tests reckon with", async () => {
  const page = await readdir(join(folder, "all/dashboard/page"));
  expect(page.filter((file) => !file.endsWith(".txt")).sort()).toEqual(PAGE);
});
