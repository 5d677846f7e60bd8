/** Runs on EMR as the command line shows them: real SDK, real S3 of moto, the states of a cluster's life put over moto's. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { gzipSync } from "node:zlib";
import { EMRClient, ListStepsCommand, RunJobFlowCommand } from "@aws-sdk/client-emr";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { watch } from "../../cli/watch.ts";
import { Exit } from "../../core/errors.ts";
import { RunStatus } from "../../core/run.ts";
import { type Moto, startMoto } from "../moto.ts";
import { attached, contextOf } from "./attached.ts";
import { type Front, Refusal, startFront } from "./front.ts";
import { STACK, type StackOnAws, stackOnAws } from "./stack.ts";

const BUCKET = "oneoff-emr-oneoff-lake-0a1b2c3d";
/** Seconds since 1970, as AWS tells times; of one test all by the same clock. */
const ago = (minutes: number) => now - minutes * 60;
const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

let moto: Moto;
let front: Front;
let project: StackOnAws;
let s3: S3Client;
let cluster: string;
let now: number;
const scratch = mkdtempSync(join(tmpdir(), "oneoff-emr-"));

const outputs = () => ({
  cluster: "emr",
  run: "1",
  lake: `s3://${BUCKET}`,
  region: "us-west-2",
  clusterId: cluster,
  deadline: "90 minutes",
  dashboard: `npx --no oneoff open ${STACK}`,
  bill: [{ what: "2 workers, m7g.xlarge", usdPerHour: 0.6, hours: 1.75, usd: 1.05 }],
});
const commands = () => attached(contextOf(STACK, outputs()), 30);
const put = (key: string, body: string | Uint8Array) =>
  s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body }));

beforeAll(async () => {
  moto = await startMoto();
  front = await startFront(moto.url);
  process.env.AWS_ENDPOINT_URL = front.url;
  s3 = new S3Client({});
  project = await stackOnAws({ AWS_ENDPOINT_URL: front.url }, { cluster: "emr" });
}, 60_000);
afterAll(() => {
  project.remove();
  front.close();
  moto.close();
  rmSync(scratch, { recursive: true });
});

beforeEach(async () => {
  now = Math.floor(Date.now() / 1000);
  await moto.reset();
  await s3.send(
    new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }),
  );
  const step = (name: string) => ({
    Name: name,
    ActionOnFailure: "TERMINATE_CLUSTER" as const,
    HadoopJarStep: {
      Jar: "command-runner.jar",
      Args: ["python", "step.py", "--run", "1", "--job", "xo", "--step", name, "--", "spark-submit"],
    },
  });
  const { JobFlowId } = await new EMRClient({}).send(
    new RunJobFlowCommand({
      Name: "oneoff-emr-oneoff-cluster-1",
      Instances: { KeepJobFlowAliveWhenNoSteps: false },
      Steps: [step("generate"), step("train")],
      Tags: Object.entries({
        "oneoff:deadline": "90 minutes",
        "oneoff:stack": `oneoff/${STACK}`,
        "oneoff:lake": BUCKET,
        "oneoff:run": "1",
      }).map(([Key, Value]) => ({ Key, Value })),
    }),
  );
  cluster = JobFlowId as string;
  await put("_launches/1.json", JSON.stringify({ run: "1", cluster, launched: iso(ago(20)), digest: "d" }));
});
afterEach(() => front.reset());

interface Life {
  readonly state: string;
  readonly reason?: { readonly Code?: string; readonly Message?: string };
  readonly ended?: number;
  /** State, start and end of each step. */
  readonly steps?: readonly (readonly [state: string, from?: number, to?: number])[];
}

/** Puts a moment of a cluster's life over moto's, which has but one. */
function lives(moment: () => Life): void {
  front.amend("DescribeCluster", (answer) => {
    const { state, reason = {}, ended } = moment();
    const Timeline = { CreationDateTime: ago(20), ...(ended !== undefined && { EndDateTime: ended }) };
    const Status = { State: state, StateChangeReason: reason, Timeline };
    return { Cluster: { ...(answer.Cluster as object), Status } };
  });
  front.amend("ListSteps", (answer) => {
    // Newest first, as EMR lists them; moto can't tell two of one moment apart.
    const named = ["train", "generate"].map((name) =>
      (answer.Steps as { Name: string }[]).find(({ Name }) => Name === name),
    );
    const states = moment().steps ?? [["PENDING"], ["PENDING"]];
    const Steps = named.map((step, index) => {
      const [State, from, to] = states[1 - index] as readonly [string, number?, number?];
      const Timeline = { ...(from && { StartDateTime: from }), ...(to && { EndDateTime: to }) };
      return { ...step, Status: { State, Timeline } };
    });
    return { Steps };
  });
}

class Screen extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
const screen = () => new Screen() as Screen & NodeJS.WriteStream;

test("a run is watched from the cluster's start to the end of its steps, while the cluster lingers", async () => {
  const moments: Life[] = [
    { state: "STARTING", reason: { Message: "Provisioning Amazon EC2 capacity" } },
    { state: "BOOTSTRAPPING", reason: { Message: "Running bootstrap actions" } },
    { state: "RUNNING", steps: [["RUNNING", ago(8)], ["PENDING"]] },
    {
      state: "RUNNING",
      steps: [
        ["COMPLETED", ago(8), ago(5)],
        ["RUNNING", ago(5)],
      ],
    },
    {
      state: "WAITING",
      steps: [
        ["COMPLETED", ago(8), ago(5)],
        ["COMPLETED", ago(5), ago(1)],
      ],
    },
  ];
  let moment = -1;
  const status = (await commands()).status;
  lives(() => moments[moment] as Life);
  front.answer("GetAutoTerminationPolicy", () => ({ AutoTerminationPolicy: { IdleTimeout: 600 } }));
  await put("_logs/1/generate.log", "making points\n");
  await put("_logs/1/train.log", "[oneoff] models 3/30\n");
  const output = screen();
  const cluster = {
    ...(await commands()),
    status(run: string) {
      moment = Math.min(moment + 1, moments.length - 1);
      return status(run);
    },
  };
  expect(await watch(cluster, "1", { logs: true, output, stack: STACK })).toBe(Exit.ok);
  const until = iso(ago(1) + 600)
    .slice(0, 19)
    .replace("T", " ");
  expect(output.text.split("\n")).toEqual([
    `The cluster has until ${iso(ago(20) + 5400)
      .slice(0, 19)
      .replace("T", " ")} UTC.`,
    expect.stringMatching(/^\[20 min.*, about 0\.20 USD so far\] cluster: STARTING: Provisioning Amazon EC2 capacity$/),
    expect.stringMatching(/\] cluster: BOOTSTRAPPING: Running bootstrap actions$/),
    "generate | making points",
    expect.stringMatching(/\] generate: running$/),
    "train | [oneoff] models 3/30",
    expect.stringMatching(/\] generate: succeeded in 3 min$/),
    expect.stringMatching(/\] train: models 3\/30$/),
    expect.stringMatching(/\] train: succeeded in 4 min$/),
    "Run 1 of xo succeeded after 19 min, for about 0.20 USD.",
    `The cluster stays, and costs, until ${until} UTC if nobody uses it.`,
    "",
  ]);
});

test("on a terminal the cluster's state, the deadline and the cost stand with the bars", async () => {
  const moments: Life[] = [
    { state: "STARTING" },
    {
      state: "TERMINATED",
      ended: ago(1),
      steps: [
        ["COMPLETED", ago(8), ago(5)],
        ["COMPLETED", ago(5), ago(1)],
      ],
    },
  ];
  let moment = -1;
  lives(() => moments[moment] as Life);
  const { status, ...rest } = await commands();
  const output = Object.assign(screen(), { isTTY: true, columns: 120, rows: 40 });
  const next = (run: string) => {
    moment = Math.min(moment + 1, 1);
    return status(run);
  };
  expect(await watch({ ...rest, status: next }, "1", { logs: false, output })).toBe(Exit.ok);
  expect(output.text).toContain("  cluster STARTING: provisioning Amazon EC2 capacity\n  generate  ░");
  expect(output.text).toMatch(/ {2}20 min.* elapsed, deadline in 1 h (9|10) min, about 0\.20 USD so far/);
  expect(output.text).toContain("Run 1 of xo succeeded after 19 min, for about 0.19 USD.");
});

test("each answer is a RunStatus", async () => {
  lives(() => ({
    state: "RUNNING",
    steps: [
      ["COMPLETED", ago(8), ago(5)],
      ["RUNNING", ago(5)],
    ],
  }));
  await put("_logs/1/train.log", "[oneoff] models 3/30\n[oneoff] models 4/30\n");
  const status = await (await commands()).status("1");
  expect(RunStatus.parse(status)).toEqual(status);
  expect(status).toMatchObject({
    state: "running",
    steps: [{ name: "generate" }, { name: "train", progress: { what: "models", done: 4, total: 30 } }],
  });
  expect(await (await commands()).status("2")).toBeUndefined();
});

test("a log is read on from a position, by its bytes", async () => {
  await put("_logs/1/train.log", "eins\nzwei ä");
  const { log } = await commands();
  expect(await log("1", "train", 0)).toEqual({ text: "eins\nzwei ä", next: 12 });
  expect(await log("1", "train", 5)).toEqual({ text: "zwei ä", next: 12 });
  expect(await log("1", "train", 12)).toEqual({ text: "", next: 12 });
  expect(await log("1", "generate", 0)).toEqual({ text: "", next: 0 });
});

test("a step that ended before it could write its log is told by what EMR keeps", async () => {
  lives(() => ({ state: "TERMINATED_WITH_ERRORS", ended: ago(0), steps: [["FAILED", ago(8), ago(5)], ["CANCELLED"]] }));
  const { Steps } = await new EMRClient({}).send(new ListStepsCommand({ ClusterId: cluster }));
  const id = Steps?.find(({ Name }) => Name === "generate")?.Id;
  await put(`_logs/emr/${cluster}/steps/${id}/stderr.gz`, gzipSync("no such file: step.py\n"));
  const output = screen();
  expect(await watch(await commands(), "1", { logs: false, output, stack: STACK })).toBe(Exit.no);
  expect(output.text).toContain("The last lines of step generate:\n  no such file: step.py\n");
  expect(output.text).toMatch(/Run 1 of xo failed after 15 min.*, for about 0\.20 USD: step "generate" failed\n/);
  expect(output.text).toContain('Mend it, then "npx --no oneoff run emr-oneoff" starts a new run');
});

test("nodes that can't be set up are told by the log of the set-up", async () => {
  const reason = { Code: "BOOTSTRAP_FAILURE", Message: "On the master instance (i-7), bootstrap action 1 failed" };
  lives(() => ({ state: "TERMINATED_WITH_ERRORS", reason, ended: ago(1), steps: [["CANCELLED"], ["CANCELLED"]] }));
  const folder = `_logs/emr/${cluster}/node/i-7/bootstrap-actions/1`;
  await put(`${folder}/controller.gz`, gzipSync("INFO\n"));
  await put(`${folder}/stderr.gz`, gzipSync("ERROR: no wheel for numpy\n"));
  const output = screen();
  expect(await watch(await commands(), "1", { logs: false, output })).toBe(Exit.no);
  expect(output.text).toContain("The last lines of the set-up of node i-7:\n  ERROR: no wheel for numpy\n");
  expect(output.text).toContain(
    "failed after 19 min, for about 0.19 USD: the nodes could not be set up: On the master",
  );
});

test("when AWS is asked too often it is asked again, and that is said once", async () => {
  lives(() => ({
    state: "TERMINATED",
    ended: ago(1),
    steps: [
      ["COMPLETED", ago(8), ago(5)],
      ["COMPLETED", ago(5), ago(1)],
    ],
  }));
  let refusals = 8; // the SDK tries four times by itself
  front.amend("ListSteps", (answer) => (refusals-- > 0 ? new Refusal("ThrottlingException", "Rate exceeded") : answer));
  const output = screen();
  await watch(await commands(), "1", { logs: false, output });
  expect(output.text.split("\n").slice(0, 2)).toEqual([
    "AWS is asked too often just now (ThrottlingException); the run goes on, and so does this command: trying again",
    "It answers again.",
  ]);
}, 30_000);

test("credentials that expire end the watching, not the run; so do missing permissions", async () => {
  front.answer("DescribeCluster", () => new Refusal("ExpiredTokenException", "The security token is expired"));
  await expect(watch(await commands(), "1", { logs: false, output: screen() })).rejects.toThrow(
    'the AWS credentials have expired: renew them (such as by "aws sso login") and give the command again; what runs on AWS goes on meanwhile',
  );
  front.answer(
    "DescribeCluster",
    () => new Refusal("AccessDeniedException", "User x may not elasticmapreduce:DescribeCluster"),
  );
  await expect((await commands()).status("1")).rejects.toThrow(
    "AWS doesn't allow it: User x may not elasticmapreduce:DescribeCluster; ask for the permission, or choose another AWS_PROFILE",
  );
  front.answer("DescribeCluster", () => new Refusal("UnrecognizedClientException", "The token is invalid"));
  await expect((await commands()).status("1")).rejects.toThrow("AWS doesn't take the credentials: log in again");
});

test("the commands themselves: watch with its exit code, get as CSV and Parquet", async () => {
  lives(() => ({
    state: "TERMINATED",
    ended: ago(1),
    steps: [
      ["COMPLETED", ago(8), ago(5)],
      ["COMPLETED", ago(5), ago(1)],
    ],
  }));
  await project.setOutputs(outputs());
  expect(await project.oneoff("watch", STACK)).toEqual({
    code: 0,
    output: expect.stringMatching(
      /train: succeeded in 4 min\nRun 1 of xo succeeded after 19 min, for about 0\.19 USD\.\n$/,
    ),
  });
  const duckdb = await (await DuckDBInstance.create()).connect();
  for (const [name, select] of Object.entries({
    a: "1 AS n, 0.5::DOUBLE AS accuracy",
    b: "2 AS n, unnest(['0.75', 'NaN', 'Infinity', '-Infinity', NULL]::DOUBLE[]) AS accuracy",
  })) {
    await duckdb.run(`COPY (SELECT ${select}) TO '${join(scratch, name)}' (FORMAT parquet)`);
    await put(`models/run=1/part-${name}.snappy.parquet`, readFileSync(join(scratch, name)));
  }
  await put("models/run=1/_temporary/part-c.parquet", "half");
  await put("models/run=1/_SUCCESS", "");
  await put("models/run=10/part-a.snappy.parquet", readFileSync(join(scratch, "a")));
  expect(await project.oneoff("get", "models", "--stack", STACK)).toEqual({
    code: 0,
    output: "n,accuracy\n1,0.5\n2,0.75\n2,nan\n2,inf\n2,-inf\n2,\n",
  });
  const file = join(scratch, "models.parquet");
  const parquet = ["get", "models", "--stack", STACK, "--format", "parquet", "--out", file];
  expect((await project.oneoff(...parquet)).code).toBe(0);
  expect(readFileSync(file).subarray(0, 4).toString()).toBe("PAR1");
  expect(await project.oneoff("get", "points", "--stack", STACK)).toEqual({
    code: 6,
    output: `oneoff: run 1 has no table points in s3://${BUCKET}: there is models\n`,
  });
  const bad = join(scratch, "nowhere", "models.csv");
  expect((await project.oneoff("get", "models", "--stack", STACK, "--out", bad)).output).toContain(
    `oneoff: table models of run 1 can't be written to ${bad}`,
  );
}, 120_000);

test("a run is cancelled by the command: its cluster ends, its record says so, and the second time that it is over", async () => {
  const wasEnded = () => front.asked.some(({ operation }) => operation === "TerminateJobFlows");
  lives(() => ({
    state: wasEnded() ? "TERMINATED" : "RUNNING",
    ...(wasEnded() && { ended: now }),
    steps: [["COMPLETED", ago(8), ago(5)], wasEnded() ? ["CANCELLED", ago(5), now] : ["RUNNING", ago(5)]],
  }));
  const record = { run: "1", job: "xo", state: "running", started: iso(ago(20)), tables: {} };
  const steps = [
    { name: "generate", state: "succeeded" },
    { name: "train", state: "running" },
  ];
  await put("_runs/1.json", JSON.stringify({ ...record, steps }));
  await project.setOutputs(outputs());
  expect(await project.oneoff("cancel", STACK)).toMatchObject({ code: 2, output: expect.stringContaining("--yes") });
  expect(wasEnded()).toBe(false);
  expect(await project.oneoff("cancel", STACK, "--yes")).toEqual({
    code: 0,
    output: expect.stringMatching(
      /Run 1 of xo was cancelled after 2\d min.*, for about 0\.2\d USD\. What it wrote stays\.\n/,
    ),
  });
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: "_runs/1.json" }));
  expect(JSON.parse((await Body?.transformToString()) ?? "")).toMatchObject({
    state: "failed",
    cancelled: true,
    steps: [{ state: "succeeded" }, { state: "failed" }],
  });
  expect(await project.oneoff("cancel", STACK, "--yes")).toMatchObject({
    code: 0,
    output: expect.stringContaining("Run 1 of xo is over already: it was cancelled at 20"),
  });
}, 120_000);

test("a run that is there already is refused a second time, and one that goes on is not cut off", async () => {
  lives(() => ({ state: "RUNNING", steps: [["RUNNING", ago(8)], ["PENDING"]] }));
  await project.setOutputs(outputs());
  expect(await project.oneoff("run", STACK, "--id", "1")).toEqual({
    code: 2,
    output: 'oneoff: --id is "1": that run is there already; choose another id\n',
  });
  expect(await project.oneoff("run", STACK, "--id", "2", "--end-cluster")).toEqual({
    code: 2,
    output:
      'oneoff: run "1" is still going on and would be ended: wait for it with "npx --no oneoff watch emr-oneoff", or end it with "npx --no oneoff cancel emr-oneoff"\n',
  });
}, 60_000);

test("a cluster that is kept alive is ended for another run only when that is wanted", async () => {
  const steps = [
    ["COMPLETED", ago(8), ago(5)],
    ["COMPLETED", ago(5), ago(1)],
  ] as const;
  let state = "WAITING";
  lives(() => ({ state, steps }));
  front.answer("GetAutoTerminationPolicy", () => ({ AutoTerminationPolicy: { IdleTimeout: 1800 } }));
  const kept = { ...outputs(), keepAlive: true };
  const { isKept } = await attached(contextOf(STACK, kept));
  const now = async () => (await (await commands()).status("1")) as RunStatus;
  const isKeptNow = async () => isKept(await now());
  expect(await isKeptNow()).toBe(true);
  expect((await commands()).isKept(await now())).toBe(false);
  state = "RUNNING"; // a step of somebody's
  expect(await isKeptNow()).toBe(true);
  state = "TERMINATING";
  expect(await isKeptNow()).toBe(false);

  state = "WAITING";
  await project.setOutputs(kept);
  // What comes after the refusal ends here, before anything is asked of a cloud.
  await project.mustPulumi("config", "set", "oneoff:workers", "none", "--stack", STACK);
  const runId = async () => (await project.pulumi("config", "get", "oneoff:runId", "--stack", STACK)).output.trim();
  try {
    expect(await project.oneoff("run", STACK, "--id", "2")).toEqual({
      code: 2,
      output:
        'oneoff: the cluster of run "1" is kept alive and would be ended, with whatever somebody does in its JupyterLab: if nobody does, "npx --no oneoff run emr-oneoff --end-cluster"\n',
    });
    expect(await runId()).not.toBe("2");
    const wanted = await project.oneoff("run", STACK, "--id", "2", "--end-cluster");
    expect(wanted).toMatchObject({ code: 2, output: expect.stringContaining('oneoff:workers is "none"') });
    expect(await runId()).not.toBe("2");
  } finally {
    await project.mustPulumi("config", "set", "oneoff:workers", "3", "--stack", STACK);
  }
}, 60_000);
