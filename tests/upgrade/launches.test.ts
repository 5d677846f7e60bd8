/** Runs that an earlier version began in the clouds, as the lake tells of them: today's launcher and orchestrator find them. */
import { globSync } from "node:fs";
import { join } from "node:path";
import {
  DescribeClusterCommand,
  EMRClient,
  ListClustersCommand,
  RunJobFlowCommand,
  TerminateJobFlowsCommand,
} from "@aws-sdk/client-emr";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { handler } from "../../assets/emr-launcher/index.ts";
import { begun, lab, useLab, wanted } from "../assets/dataproc-orchestrator/orchestrator.ts";
import { type Moto, startMoto } from "../moto.ts";
import { readJsonFile } from "../project.ts";
import { type DataprocRun, type EmrLaunch, folderOf, moved, versions } from "./states.ts";

const launches = (version: string, pattern: string) =>
  globSync(pattern, { cwd: join(folderOf(version), "launches") }).sort();

describe.each(versions())("a run on EMR that the launcher of version %s rented", (version) => {
  const { recorded, input, written } = readJsonFile(folderOf(version), "launches/emr-oneoff.json") as EmrLaunch;
  const event = JSON.parse(input);
  const Bucket = event.bucket as string;
  const Key = `_launches/${event.run}.json`;
  let moto: Moto;
  let emr: EMRClient;
  let s3: S3Client;
  beforeAll(async () => {
    moto = await startMoto();
    emr = new EMRClient({});
    s3 = new S3Client({});
  });
  afterAll(() => moto?.close());
  beforeEach(async () => {
    await moto.reset();
    await s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }));
  });

  /** Rents the cluster as the version did, and has the lake tell of it as it did at one of its steps. */
  async function rented(step: 0 | 1 | 2): Promise<string> {
    const { JobFlowId: id = "" } = await emr.send(new RunJobFlowCommand(event.request));
    const { Cluster } = await emr.send(new DescribeClusterCommand({ ClusterId: id }));
    const { Timeline } = Cluster?.Status ?? {};
    // A minute ago somebody had until then, and died.
    const text = moved(written[step], recorded, Timeline?.CreationDateTime ?? new Date());
    const record = {
      ...JSON.parse(text),
      ...(step < 2 ? { until: new Date(Date.now() - 1000).toISOString() } : { cluster: id }),
    };
    await s3.send(new PutObjectCommand({ Bucket, Key, Body: JSON.stringify(record) }));
    return id;
  }
  const launch = (change: object = {}) => handler({ ...event, ...change }, { getRemainingTimeInMillis: () => 900_000 });
  const clusters = async () => (await emr.send(new ListClustersCommand({}))).Clusters?.map(({ Id }) => Id);
  const digest = JSON.parse(written[2]).digest as string;

  test("is found while it runs", async () => {
    const id = await rented(2);
    expect(await launch()).toEqual({ run: "1", cluster: id, launched: expect.any(String), digest });
    expect(await clusters()).toEqual([id]);
  });

  test("is found when it has ended", async () => {
    const id = await rented(2);
    await emr.send(new TerminateJobFlowsCommand({ JobFlowIds: [id] }));
    expect(await launch()).toMatchObject({ cluster: id, digest });
    expect(await clusters()).toEqual([id]);
  });

  test("is found where the launcher failed before it could say so", async () => {
    const id = await rented(1);
    expect(await launch()).toMatchObject({ cluster: id, digest });
    expect(await clusters()).toEqual([id]);
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    expect(JSON.parse((await Body?.transformToString()) ?? "")).toMatchObject({ cluster: id, digest });
  });

  test("is found by another code too, and stays as it was", async () => {
    const id = await rented(2);
    const text = input.replaceAll(/_code\/[0-9a-f]{16}/g, "_code/0123456789abcdef");
    expect(text).not.toBe(input);
    const answer = await handler(JSON.parse(text), { getRemainingTimeInMillis: () => 900_000 });
    expect(answer).toMatchObject({
      cluster: id,
      digest,
      warning: expect.stringContaining("takes effect with a new run id"),
    });
    expect(await clusters()).toEqual([id]);
  });

  test("would be rented again if it were not on record", async () => {
    const id = await rented(2);
    expect(await launch({ run: "another", wheels: [] })).not.toMatchObject({ cluster: id });
    expect(await clusters()).toHaveLength(2);
  });
});

describe.each(versions())("a run on Dataproc that the orchestrator of version %s began", (version) => {
  useLab();

  /** Puts everything to where it was, as if that were now. */
  async function restore(file: string): Promise<DataprocRun> {
    const kept = readJsonFile(folderOf(version), "launches", file) as DataprocRun;
    const run = JSON.parse(moved(JSON.stringify(kept), kept.recorded, new Date())) as DataprocRun;
    for (const [key, text] of Object.entries(run.objects)) await lab.put(key, text);
    for (const what of ["jobs", "batches", "workflows"] as const) {
      for (const [id, work] of Object.entries(run[what])) lab.google[what].set(id, work as never);
    }
    return run;
  }
  const asked = () => lab.google.log.filter((line) => line.startsWith("POST"));

  test.each(launches(version, "dataproc-*-running.json"))("is gone on with where it was: %s", async (file) => {
    const { launch, jobs, batches, workflows } = await restore(file);
    expect(begun()).toBe(1);
    for (const job of Object.values(jobs)) job.states.push("DONE");
    for (const batch of Object.values(batches)) batch.states.push("SUCCEEDED");
    for (const workflow of Object.values(workflows)) workflow.stage = 2;
    await lab.follow(launch);
    expect((await lab.status()).state).toBe("succeeded");
    expect(begun()).toBe(wanted(launch.mode));
    expect(asked()).toHaveLength(wanted(launch.mode) - 1);
  });

  test.each(launches(version, "dataproc-*-{succeeded,failed}.json"))("is left as it is: %s", async (file) => {
    const { launch, objects } = await restore(file);
    const before = begun();
    await lab.follow(launch);
    expect(asked()).toEqual([]);
    expect(begun()).toBe(before);
    expect(await lab.read("_clusters/7/status.json")).toEqual(JSON.parse(objects["_clusters/7/status.json"] as string));
    expect((await lab.keys("_")).filter((key) => !key.startsWith("_wheels/"))).toEqual(Object.keys(objects).sort());
  });

  test("there is one of each state in each mode", () => {
    expect(launches(version, "dataproc-*.json")).toHaveLength(9);
  });
});
