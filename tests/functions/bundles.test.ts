/** What Lambda gets is one file: it runs by itself, in a folder where nothing else is. */
import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DescribeClusterCommand, EMRClient, RunJobFlowCommand } from "@aws-sdk/client-emr";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildBundles } from "../../engine/bundles.ts";
import { type Moto, startMoto } from "../moto.ts";

const run = promisify(execFile);
let moto: Moto;
let folder: string;

beforeAll(async () => {
  moto = await startMoto("us-east-1");
  folder = await mkdtemp(join(tmpdir(), "oneoff-bundles-"));
  await buildBundles(join(folder, "all"));
}, 60_000);
afterAll(async () => {
  moto?.close();
  await rm(folder, { recursive: true, force: true });
});

/** The answer of a function's handler, in a process whose folder has its bundle and nothing else. */
async function invoke(name: "reaper" | "launcher", event: unknown, env: Readonly<Record<string, string>>) {
  const alone = await mkdtemp(join(folder, `${name}-`));
  await copyFile(join(folder, "all", name, "index.mjs"), join(alone, "index.mjs"));
  expect(await readdir(alone)).toEqual(["index.mjs"]);
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
  const { answer } = await invoke("launcher", launch, {});
  expect(answer).toMatchObject({ run: "1", cluster: expect.stringMatching(/^j-/) });
});

test("both are small: they are read from their zip before each first run", async () => {
  for (const name of ["reaper", "launcher"]) {
    expect((await stat(join(folder, "all", name, "index.mjs"))).size).toBeLessThan(2_500_000);
  }
});
