/** What becomes of a run's tables when it has succeeded: rows in BigQuery, once, or files as before. */
// @module-tag go
import { beforeEach, expect, test } from "vitest";
import type { Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { refusal } from "../../google/api.ts";
import { lab, STOPPED, until, useLab } from "./orchestrator.ts";

useLab();
beforeEach(async () => {
  await lab.put("points/run=7/part-0.parquet", "rows");
  await lab.put("months/run=7/month=2012-01/day=3/part-0.parquet", "rows");
});

const tables: Launch["tables"] = [
  { name: "points", partitions: [] },
  {
    name: "months",
    partitions: [
      { name: "month", type: "string" },
      { name: "day", type: "integer" },
    ],
  },
  { name: "nothing", partitions: [] },
];
const launch = () => lab.launch("batch", { tables });
const jobs = (table: string) => [...lab.google.loads.keys()].filter((id) => id.includes(`_${table}_`));
const insert = /POST \/bigquery/;

test("each table with files is loaded by a job of its own", async () => {
  // Another run's, and what is no part file.
  await lab.put("nothing/run=77/part-0.parquet", "rows");
  await lab.put("nothing/run=7/_SUCCESS", "");
  const { bucket } = launch();
  await lab.follow(launch());

  expect((await lab.status()).state).toBe("succeeded");
  expect(await lab.read("_loads/7.json")).toEqual({
    run: "7",
    tables: {
      points: { job: expect.stringMatching(/^oneoff_7_points_[0-9a-f]{16}_1$/), rows: 42 },
      months: { job: expect.stringMatching(/^oneoff_7_months_[0-9a-f]{16}_1$/), rows: 42 },
      nothing: { rows: 0 },
    },
    loaded: expect.stringMatching(/^\d{4}-.*Z$/),
  });
  const loads = [...lab.google.loads.values()].map(({ body }) => body.configuration);
  const common = { sourceFormat: "PARQUET", createDisposition: "CREATE_IF_NEEDED", writeDisposition: "WRITE_APPEND" };
  const target = (tableId: string) => ({ projectId: "test-project", datasetId: "oneoff", tableId });
  expect(loads).toHaveLength(2);
  expect(loads).toContainEqual({
    labels: { "oneoff-run": "7" },
    load: {
      ...common,
      sourceUris: [`gs://${bucket}/points/run=7/*.parquet`],
      hivePartitioningOptions: { mode: "CUSTOM", sourceUriPrefix: `gs://${bucket}/points/{run:STRING}` },
      destinationTable: target("points"),
    },
  });
  expect(loads).toContainEqual({
    labels: { "oneoff-run": "7" },
    load: {
      ...common,
      sourceUris: [`gs://${bucket}/months/run=7/*.parquet`],
      hivePartitioningOptions: {
        mode: "CUSTOM",
        sourceUriPrefix: `gs://${bucket}/months/{run:STRING}/{month:STRING}/{day:INTEGER}`,
      },
      destinationTable: target("months"),
    },
  });
});

test("the status says so meanwhile", async () => {
  lab.google.deaf = insert;
  void lab.follow(launch());
  await until(async () => (await lab.status().catch(() => undefined))?.cluster?.state === "LOADING");
  expect(await lab.status()).toMatchObject({
    state: "running",
    steps: [{ state: "succeeded" }, { state: "succeeded" }],
    cluster: { reason: "loading the tables into BigQuery" },
  });
});

test.each([
  ["before a job was asked for", "deaf", insert],
  ["between the request and its answer", "silent", insert],
  ["while a job was under way", "deaf", /GET \/bigquery.*points/],
] as const)("one who dies %s is gone on for, and no row is there twice", async (_when, how, pattern) => {
  lab.google[how] = pattern;
  void lab.follow(launch());
  await until(() => lab.google.log.some((line) => pattern.test(line)));
  await new Promise((resolve) => setTimeout(resolve, 50));
  Object.assign(lab.google, { deaf: undefined, silent: undefined });
  await lab.follow(launch());
  expect((await lab.status()).state).toBe("succeeded");
  expect([jobs("points").length, jobs("months").length]).toEqual([1, 1]);
  expect(await lab.read("_loads/7.json")).toMatchObject({ tables: { points: { rows: 42 } } });
});

test("one who dies before it could say that all is loaded loads nothing again", async () => {
  await lab.follow(launch());
  const loads = await lab.read<object>("_loads/7.json");
  await lab.remove("_loads/7.json");
  const { ended: _, ...status } = await lab.status();
  await lab.put("_clusters/7/status.json", { ...status, state: "running" });
  await lab.follow(launch());
  expect(lab.google.loads.size).toBe(2);
  expect(await lab.read("_loads/7.json")).toEqual({ ...loads, loaded: expect.any(String) });
});

test("an answer that is lost is asked for again", async () => {
  lab.google.refusals.push({ fits: insert, answer: refusal(503, "lost"), met: true });
  await lab.follow(launch());
  expect(lab.google.loads.size).toBe(2);
  expect(await lab.read("_loads/7.json")).toBeDefined();
});

test("a job that failed is tried again under another id, and no more than twice", async () => {
  lab.google.loadErrors = { points: ["Resources exceeded"], months: ["bad", "bad", "bad", "bad"] };
  await lab.follow(launch());
  expect(jobs("points").map((id) => id.at(-1))).toEqual(["1", "2"]);
  expect(jobs("months").map((id) => id.at(-1))).toEqual(["1", "2", "3"]);
  // Files are queried then, of all tables.
  expect(await lab.read("_loads/7.json")).toBeUndefined();
  const status = await lab.status();
  expect(status).toMatchObject({ state: "succeeded" });
  expect(status.error).toBeUndefined();
});

test("a run that is stopped while it loads has succeeded", async () => {
  const stop = new AbortController();
  lab.google.deaf = insert;
  const following = lab.follow(launch(), {}, stop.signal);
  await until(() => lab.google.log.some((line) => insert.test(line)));
  stop.abort(STOPPED);
  await following;
  expect((await lab.status()).state).toBe("succeeded");
  expect(await lab.read("_loads/7.json")).toBeUndefined();
});

test("a run that failed is not loaded", async () => {
  lab.google.script.two = { states: ["FAILED"], why: "no" };
  await lab.follow(launch());
  expect((await lab.status()).state).toBe("failed");
  expect(lab.google.log.filter((line) => insert.test(line))).toEqual([]);
});
