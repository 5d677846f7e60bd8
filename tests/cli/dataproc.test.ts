/** Runs on Dataproc as the command line shows them: Google's own client libraries against a storage and a scripted API. */
// @module-tag go
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Writable } from "node:stream";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { watch } from "../../cli/watch.ts";
import { Exit } from "../../core/errors.ts";
import { RunStatus } from "../../core/run.ts";
import { type Answer, type FakeApi, type Route, refusal, startApi } from "../google/api.ts";
import { type FakeStorage, startStorage } from "../google/storage.ts";
import { attached, contextOf } from "./attached.ts";
import { type StackInCloud, stackInCloud } from "./stack.ts";

const BUCKET = "oneoff-dataproc-lake-0a1b2c3d";
const STACK = "dataproc";
const scratch = mkdtempSync(join(tmpdir(), "oneoff-dataproc-"));

let api: FakeApi;
let storage: FakeStorage;
let now: number;
const before = { ...process.env };
const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString();

const OUTPUTS = {
  cluster: "dataproc",
  run: "r1",
  mode: "workflow",
  project: "test-project",
  region: "europe-west1",
  lake: `gs://${BUCKET}`,
  dataset: "oneoff_dataproc_lake_0a1b2c3d",
  orchestrator: "oneoff-1a2b3c4d",
  dashboard: `npx --no oneoff open ${STACK}`,
  dashboardInstance: "oneoff-dashboard",
  bill: [{ what: "2 workers, n2-standard-4", usdPerHour: 0.6, hours: 1.75, usd: 1.05 }],
};
const IN_CLUSTER = { ...OUTPUTS, mode: "cluster", clusterName: "oneoff-dataproc-r1-1a2b3c4d" };
const commands = (outputs: object = OUTPUTS) => attached(contextOf(STACK, { ...outputs }), 30);

const env = (): NodeJS.ProcessEnv => ({
  ...api.env,
  ...storage.env,
  ...Object.fromEntries(
    ["dataproc", "run", "logging"].map((name) => [`CLOUDSDK_API_ENDPOINT_OVERRIDES_${name.toUpperCase()}`, api.url]),
  ),
});

beforeAll(async () => {
  [api, storage] = await Promise.all([startApi(), startStorage()]);
  await storage.makeBucket(BUCKET);
  Object.assign(process.env, env());
}, 120_000);
afterAll(() => {
  process.env = before;
  api.close();
  storage.close();
  rmSync(scratch, { recursive: true });
});
beforeEach(async () => {
  now = Math.floor(Date.now() / 1000) * 1000;
  await put(
    "_clusters/r1/launch-0123456789abcdef.json",
    JSON.stringify({ job: "xo", deadlineSeconds: 5400, steps: [{ name: "generate" }, { name: "train" }] }),
  );
});
afterEach(async () => {
  api.routes = [];
  api.asked.length = 0;
  for (const key of await storage.keys(BUCKET)) {
    await fetch(`${storage.url}/storage/v1/b/${BUCKET}/o/${encodeURIComponent(key)}`, { method: "DELETE" });
  }
});

const put = (key: string, content: string | Uint8Array) => storage.put(BUCKET, key, content);
const writeStatus = (status: object) =>
  put(
    "_clusters/r1/status.json",
    JSON.stringify({
      run: "r1",
      job: "xo",
      state: "running",
      started: ago(20),
      deadline: ago(-70),
      steps: [
        { name: "generate", state: "pending" },
        { name: "train", state: "pending" },
      ],
      ...status,
    }),
  );

interface Condition {
  readonly type: string;
  readonly state: string;
  readonly message?: string;
}
/** What Cloud Run says of the orchestrator; the newest execution is not the first of the list. */
const execution = (conditions: readonly Condition[], more: object = {}): Route => [
  /^GET \/v2\/projects\/test-project\/locations\/europe-west1\/jobs\/oneoff-1a2b3c4d\/executions/,
  () => ({
    body: {
      executions: [
        { name: "jobs/oneoff-1a2b3c4d/executions/old", createTime: ago(90), completionTime: ago(80) },
        { name: "jobs/oneoff-1a2b3c4d/executions/new", createTime: ago(21), conditions, ...more },
      ],
    },
  }),
];
const RUNS = () => execution([{ type: "Completed", state: "CONDITION_RECONCILING" }], { startTime: ago(20) });
const cluster = (answer: () => Answer): Route => [
  /^GET \/v1\/projects\/test-project\/regions\/europe-west1\/clusters\/oneoff-dataproc-r1-1a2b3c4d$/,
  answer,
];

class Screen extends Writable {
  text = "";
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk;
    done();
  }
}
const screen = () => new Screen() as Screen & NodeJS.WriteStream;

test("a run is watched from the orchestrator's start to its end", async () => {
  const moments: (() => Promise<unknown>)[] = [
    async () => {
      api.routes = [execution([{ type: "Completed", state: "CONDITION_RECONCILING" }])];
    },
    async () => {
      api.routes = [RUNS()];
      await writeStatus({ cluster: { state: "CREATING", reason: "Dataproc makes the cluster" } });
    },
    async () => {
      await put("_logs/r1/generate.log", "making points\n[oneoff] points 3/30\n");
      const steps = [
        { name: "generate", state: "running", started: ago(8) },
        { name: "train", state: "pending" },
      ];
      await writeStatus({ cluster: { state: "RUNNING" }, steps });
    },
    async () => {
      const steps = [
        { name: "generate", state: "succeeded", started: ago(8), ended: ago(5) },
        { name: "train", state: "succeeded", started: ago(5), ended: ago(2) },
      ];
      await writeStatus({ state: "succeeded", ended: ago(1), cluster: { state: "DELETED" }, steps });
    },
  ];
  const { status, ...rest } = await commands();
  const output = screen();
  const next = async (run: string) => {
    await moments.shift()?.();
    return status(run);
  };
  expect(await watch({ ...rest, status: next }, "r1", { logs: true, output, stack: STACK })).toBe(Exit.ok);
  const lines = output.text.split("\n");
  expect(lines).toEqual([
    expect.stringMatching(/^The cluster has until .* UTC\.$/),
    expect.stringMatching(
      /^\[21 min.*, about 0\.21 USD so far\] cluster: STARTING: Cloud Run starts the orchestrator$/,
    ),
    expect.stringMatching(/\] cluster: CREATING: Dataproc makes the cluster$/),
    "generate | making points",
    "generate | [oneoff] points 3/30",
    expect.stringMatching(/\] generate: points 3\/30$/),
    expect.stringMatching(/\] generate: succeeded in 3 min$/),
    expect.stringMatching(/\] train: succeeded in 3 min$/),
    "Run r1 of xo succeeded after 19 min, for about 0.19 USD.",
    "",
  ]);
}, 30_000);

test("each answer is a RunStatus, and of a run that is not known there is none", async () => {
  api.routes = [RUNS()];
  await writeStatus({ steps: [{ name: "train", state: "running", started: ago(5) }] });
  await put("_logs/r1/train.log", "[oneoff] models 3/30\n[oneoff] models 4/30\n");
  const one = await commands();
  const status = await one.status("r1");
  expect(RunStatus.parse(status)).toEqual(status);
  expect(status).toMatchObject({ state: "running", steps: [{ progress: { what: "models", done: 4, total: 30 } }] });
  await put("_logs/r1/train.log", "[oneoff] models 3/30\n[oneoff] models 4/30\n[oneoff] models 9/30\n");
  expect((await one.status("r1"))?.steps[0]?.progress?.done).toBe(9);
  expect(await one.status("r2")).toBeUndefined();
  await expect(one.status("../r1")).rejects.toThrow("runId is");
});

test("a log is read on from a position, by its bytes", async () => {
  await put("_logs/r1/train.log", "eins\nzwei ä");
  const { log } = await commands();
  expect(await log("r1", "train", 0)).toEqual({ text: "eins\nzwei ä", next: 12 });
  expect(await log("r1", "train", 5)).toEqual({ text: "zwei ä", next: 12 });
  expect(await log("r1", "train", 12)).toEqual({ text: "", next: 12 });
  expect(await log("r1", "generate", 0)).toEqual({ text: "", next: 0 });
});

test("an orchestrator that can't start is told by Cloud Run, with what it printed and what reads more", async () => {
  const message = "Image 'gcr.io/distroless/nodejs24-debian12' not found.";
  const wait = execution([
    { type: "ContainerReady", state: "CONDITION_PENDING", message: "Imported container\nimage." },
  ]);
  api.routes = [wait];
  expect((await (await commands()).status("r1"))?.cluster).toEqual({
    state: "STARTING",
    reason: "Imported container image",
  });
  const entries = [{ textPayload: "last" }, { jsonPayload: { message: "first" } }];
  api.routes = [
    execution([{ type: "Completed", state: "CONDITION_FAILED", message }], { completionTime: ago(19) }),
    [/^POST \/v2\/entries:list/, { body: { entries } }],
  ];
  const output = screen();
  expect(await watch(await commands(), "r1", { logs: false, output, stack: STACK })).toBe(Exit.no);
  expect(output.text).toContain("The last lines of Cloud Run job oneoff-1a2b3c4d:\n  first\n  last\n");
  expect(output.text).toContain(
    'Run r1 of xo failed after 2 min, for about 0.02 USD: its orchestrator could not start: Image \'gcr.io/distroless/nodejs24-debian12\' not found; what it printed: gcloud logging read \'resource.type="cloud_run_job" AND resource.labels.job_name="oneoff-1a2b3c4d"\' --project test-project --freshness 7d --order asc --format "value(textPayload,jsonPayload.message)"',
  );
  const { body } = api.asked.find(({ path }) => path.startsWith("/v2/entries:list")) as { body: { filter: string } };
  expect(body.filter).toContain('execution_name"="new"');
});

test("a run whose orchestrator has gone silent is over", async () => {
  const steps = [{ name: "train", state: "running", started: ago(5) }];
  await writeStatus({ steps });
  api.routes = [
    execution([{ type: "Completed", state: "CONDITION_FAILED", message: "Out of memory." }], {
      completionTime: ago(3),
    }),
  ];
  expect(await (await commands()).status("r1")).toMatchObject({
    state: "failed",
    error: expect.stringMatching(/^its orchestrator failed: Out of memory; what it printed: gcloud logging read/),
    ended: ago(3),
    steps: [{ name: "train", state: "failed" }],
  });
  api.routes = [execution([], { completionTime: ago(3) })];
  expect((await (await commands()).status("r1"))?.error).toMatch(
    /^its orchestrator ended without saying so; what it printed/,
  );
  // Cloud Run itself may be stuck; some minutes after the deadline nothing can run any more.
  api.routes = [RUNS()];
  await writeStatus({ steps, deadline: ago(4) });
  expect((await (await commands()).status("r1"))?.state).toBe("running");
  await writeStatus({ steps, deadline: ago(6) });
  expect(await (await commands()).status("r1")).toMatchObject({
    state: "failed",
    error: expect.stringMatching(/^its orchestrator ended without saying so/),
    ended: ago(6),
  });
});

test("an execution that ended before the run began is that of a run before", async () => {
  await writeStatus({ started: ago(1) });
  api.routes = [execution([], { completionTime: ago(3) })];
  expect((await (await commands()).status("r1"))?.state).toBe("running");
});

test("another execution for the same run changes nothing while one goes on with it", async () => {
  await writeStatus({});
  const names = {
    executions: [
      { name: "a", createTime: ago(20) },
      { name: "b", createTime: ago(5), completionTime: ago(4) },
    ],
  };
  api.routes = [[/executions/, { body: names }]];
  expect((await (await commands()).status("r1"))?.state).toBe("running");
});

test("a run whose place another took is over, and what it wrote stands", async () => {
  await put("_clusters/r0/launch-0123456789abcdef.json", "{}");
  expect(await (await commands()).status("r0")).toBeUndefined();
  const record = {
    run: "r0",
    job: "xo",
    state: "running",
    started: ago(50),
    steps: [{ name: "train", state: "running" }],
  };
  await put("_runs/r0.json", JSON.stringify(record));
  expect(await (await commands()).status("r0")).toMatchObject({
    state: "failed",
    error: "another run took its place before it ended",
    steps: [{ state: "failed" }],
  });
  await put("_runs/r0.json", JSON.stringify({ ...record, state: "succeeded", ended: ago(40) }));
  expect(await (await commands()).status("r0")).toMatchObject({ state: "succeeded", ended: ago(40) });
  expect(api.asked).toEqual([]);
});

test("a cluster that stays costs on until it ends by itself, and its pages are behind the gateway", async () => {
  const steps = [{ name: "train", state: "succeeded", started: ago(15), ended: ago(11) }];
  await writeStatus({ state: "succeeded", ended: ago(10), steps, cluster: { state: "RUNNING" } });
  const lifecycleConfig = { idleDeleteTtl: "1800s", autoDeleteTime: ago(-40), idleStartTime: ago(9) };
  const endpointConfig = {
    httpPorts: {
      "YARN ResourceManager": "https://x.dataproc.example/yarn/",
      JupyterLab: "https://x.dataproc.example/lab/",
    },
  };
  const described = (state: string) => ({
    body: { clusterName: IN_CLUSTER.clusterName, status: { state }, config: { lifecycleConfig, endpointConfig } },
  });
  api.routes = [cluster(() => described("RUNNING"))];
  const one = await commands(IN_CLUSTER);
  const status = await one.status("r1");
  expect(status).toMatchObject({ state: "succeeded", cluster: { state: "RUNNING", stays: ago(-21) } });
  expect(status?.cost).toBeCloseTo(0.2, 2);
  expect(one.isKept(status as RunStatus)).toBe(true);
  expect(await one.pages()).toEqual([
    { name: "dashboard", title: "Dashboard", address: "npx --no oneoff open dataproc" },
    { title: "YARN ResourceManager", address: "https://x.dataproc.example/yarn/" },
    { title: "JupyterLab", address: "https://x.dataproc.example/lab/" },
    {
      title: "Dataproc",
      address: `https://console.cloud.google.com/dataproc/clusters/${IN_CLUSTER.clusterName}?region=europe-west1&project=test-project`,
    },
    {
      title: "BigQuery",
      address: `https://console.cloud.google.com/bigquery?project=test-project&p=test-project&d=${OUTPUTS.dataset}&page=dataset`,
    },
  ]);
  api.routes = [];
  const gone = await one.status("r1");
  expect(gone).toMatchObject({ cluster: { state: "DELETED", reason: "it ended by itself" } });
  expect(gone?.cost).toBeCloseTo(0.1, 2);
  expect(one.isKept(gone as RunStatus)).toBe(false);
  expect((await one.pages()).map(({ title }) => title)).toEqual(["Dashboard", "Dataproc", "BigQuery"]);
});

test("a cluster that is in trouble says why", async () => {
  await writeStatus({});
  api.routes = [
    cluster(() => ({ body: { clusterName: "c", status: { state: "ERROR", detail: "Insufficient 'CPUS' quota." } } })),
    RUNS(),
  ];
  expect((await (await commands(IN_CLUSTER)).status("r1"))?.cluster).toEqual({
    state: "ERROR",
    reason: "Insufficient 'CPUS' quota.",
  });
});

test("a cluster and its orchestrator are made at the same time, and which is waited for is seen", async () => {
  const state = (state: string, detail?: string) =>
    cluster(() => ({ body: { clusterName: "c", status: { state, detail, stateStartTime: ago(2) } } }));
  const none: Route = [/executions/, { body: {} }];
  const { status } = await commands(IN_CLUSTER);
  const at = async () => {
    const { state, cluster, error, ended } = (await status("r1")) as RunStatus;
    return { state, cluster, ...(error && { error }), ...(ended && { ended }) };
  };
  api.routes = [none];
  expect((await at()).cluster?.state).toBe("STARTING");
  api.routes = [state("CREATING"), execution([])];
  expect(await at()).toEqual({
    state: "running",
    cluster: { state: "CREATING", reason: "Dataproc makes the machines; Cloud Run starts the orchestrator" },
  });
  // An orchestrator that is there says itself what becomes of the run.
  const failure = { state: "ERROR", reason: "Insufficient 'CPUS' quota." };
  api.routes = [state("ERROR", failure.reason), execution([])];
  expect(await at()).toEqual({ state: "running", cluster: failure });
  api.routes = [state("ERROR", failure.reason), none];
  expect(await at()).toEqual({
    state: "failed",
    cluster: failure,
    error: "its cluster failed: Insufficient 'CPUS' quota.",
    ended: ago(2),
  });
});

test("what Google can't answer now is asked for again; what it refuses has a cure", async () => {
  await writeStatus({});
  api.routes = [[/executions/, refusal(429, "Quota exceeded for quota metric 'Reads'", "RESOURCE_EXHAUSTED")]];
  await expect((await commands()).status("r1")).rejects.toMatchObject({ name: "TransientError" });
  api.routes = [[/executions/, refusal(403, "Permission 'run.executions.list' denied", "PERMISSION_DENIED")]];
  await expect((await commands()).status("r1")).rejects.toMatchObject({
    name: "UsageError",
    message: expect.stringContaining("Google doesn't allow it: Permission 'run.executions.list' denied; ask for"),
  });
});

test("the commands: get writes a table, run refuses a run that goes on and refreshes where a cluster may be gone", async () => {
  const bin = join(scratch, "bin");
  mkdirSync(bin);
  // Pulumi, but that an update is only written down.
  const real = join(process.cwd(), "node_modules/.bin");
  const script = `[ "$1" = up ] && { grep -q 'runId:.*r2' stacks/Pulumi.${STACK}.yaml && echo "$*" >> '${bin}/ups'; exit 1; }\nexec '${real}/pulumi' "$@"\n`;
  writeFileSync(join(bin, "pulumi"), `#!/bin/sh\n${script}`, { mode: 0o755 });
  const stack: StackInCloud = await stackInCloud(
    STACK,
    { "gcp:project": "test-project", "gcp:region": "europe-west1" },
    { ...env(), PATH: [bin, real, process.env.PATH].join(delimiter) },
    OUTPUTS,
  );
  try {
    const connection = await (await DuckDBInstance.create()).connect();
    const file = join(scratch, "part-0.parquet");
    await connection.run(`COPY (SELECT 7 AS x, 'a' AS label) TO '${file}' (FORMAT parquet)`);
    await put("points/run=r1/lang=en/part-0.parquet", readFileSync(file));
    await put("points/run=r1/_temporary/part-1.parquet", "not one");
    const got = await stack.oneoff("get", "points", "--stack", STACK);
    expect(got).toEqual({ code: 0, output: "x,label,lang\n7,a,en\n" });
    expect((await stack.oneoff("get", "models", "--stack", STACK)).output).toContain(
      `run r1 has no table models in gs://${BUCKET}`,
    );
    api.routes = [RUNS()];
    await writeStatus({});
    expect((await stack.oneoff("run", STACK)).output).toContain(
      'oneoff: run "r1" is still going on and would be ended',
    );
    expect((await stack.oneoff("run", STACK, "--id", "r1")).output).toContain("that run is there already");
    await writeStatus({ state: "succeeded", ended: ago(1) });
    const removal = await stack.oneoff("runs", "rm", "r1", "--stack", STACK, "--dry-run");
    expect(removal.output).toMatch(
      /^Run r1 of stack dataproc: table points, \d files? with its logs; not what was loaded into BigQuery dataset oneoff_dataproc_lake_0a1b2c3d\.\n/,
    );
    const settings = `# Mine:\nconfig:\n    gcp:project:   test-project\n    oneoff:runId: "r1"   # the first\n    gcp:region: europe-west1\n`;
    writeFileSync(stack.settingsFile(STACK), settings);
    const ups = async () => {
      const { code, output } = await stack.oneoff("run", STACK, "--id", "r2", "--yes");
      const asked = readFileSync(join(bin, "ups"), "utf8").trim().split("\n").at(-1);
      const unbegun = "No update was begun, so the run id is what it was before, and not r2.";
      expect(code).toBe(1);
      expect(output).toMatch(/^To bring up stack dataproc\. .* USD.*\n/);
      expect(output.slice(output.indexOf("\n") + 1)).toBe(`$ pulumi ${asked}\n${unbegun}\n`);
      expect(readFileSync(stack.settingsFile(STACK), "utf8")).toBe(settings);
      return asked;
    };
    const unasked = await stack.oneoff("run", STACK, "--id", "r2");
    expect(unasked).toMatchObject({
      code: 2,
      output: expect.stringContaining("it rents machines, and nobody can be asked here: say --yes"),
    });
    expect(await ups()).toBe("up --yes --suppress-outputs --stack dataproc");
    await stack.setOutputs(IN_CLUSTER);
    expect(await ups()).toBe("up --yes --suppress-outputs --refresh --stack dataproc");
    api.routes = [cluster(() => ({ body: { clusterName: "c", status: { state: "RUNNING" } } }))];
    expect((await stack.oneoff("run", STACK, "--id", "r2")).output).toContain(
      'the cluster of run "r1" is kept alive and would be ended',
    );
  } finally {
    stack.remove();
  }
}, 120_000);
