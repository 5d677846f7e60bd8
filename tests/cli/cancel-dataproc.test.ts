/** A run on Dataproc that is asked to be cancelled, in each mode: with its orchestrator, and without. */
// @module-tag go
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Timing } from "../../assets/dataproc-orchestrator/context.ts";
import { DataprocMode, type Launch } from "../../assets/dataproc-orchestrator/launch.ts";
import { cancelRun } from "../../cli/cancel.ts";
import { Google } from "../../cli/gcp/client.ts";
import { cancelOnDataproc } from "../../cli/gcp/dataproc/cancel.ts";
import { attach } from "../../cli/registry.ts";
import { storageClient } from "../../clients/google.ts";
import { GcsStore } from "../../clients/lake/gcs.ts";
import {
  begun,
  lab,
  MODES,
  STOPPED,
  site,
  until,
  useLab,
  wanted,
} from "../assets/dataproc-orchestrator/orchestrator.ts";
import { type Route, refusal } from "../google/api.ts";
import { attached, contextOf } from "./attached.ts";

useLab();

const STACK = "dataproc";
const NOW = () => new Date().toISOString();
let said: string[];
/** What Cloud Run says of the orchestrator; undefined while there is none. */
let execution: { readonly completionTime?: string } | undefined;
let launch: Launch;

beforeAll(() => {
  process.env.CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN = site.api.url;
  process.env.GOOGLE_CLOUD_PROJECT = "test-project";
});
beforeEach(() => {
  said = [];
  execution = undefined;
  site.api.asked.length = 0;
  const name = "projects/test-project/locations/europe-west1/jobs/follower/executions/one";
  const executions: readonly Route[] = [
    [
      /^GET \/v2\/.*\/jobs\/follower\/executions/,
      () => ({ body: { executions: execution ? [{ name, createTime: "2026-01-01T00:00:00Z", ...execution }] : [] } }),
    ],
    [
      /^POST \/v2\/.*\/executions\/one:cancel$/,
      () => {
        execution = { completionTime: NOW() };
        return { body: {} };
      },
    ],
  ];
  site.api.routes = [...executions, ...lab.google.routes];
});

const OWN = () => ({ "oneoff-stack": "oneoff__dataproc", "oneoff-lake": launch.bucket, "oneoff-run": "7" });
const request = () => lab.put("_cancels/7.json", { run: "7", at: NOW() });

/** A run in the midst of its first step, or of the making of its cluster. */
async function begin(mode: DataprocMode, timing: Partial<Timing>): Promise<{ die(): Promise<void> }> {
  launchIn(mode);
  lab.google.script.one = { states: ["PENDING", "RUNNING"] };
  lab.google.stall = 3;
  await lab.put("_clusters/7/launch-0123456789abcdef.json", launch);
  const stop = new AbortController();
  execution = {};
  const following = lab.follow(launch, timing, stop.signal).finally(() => {
    execution = { completionTime: NOW() };
  });
  await until(() => begun() > 0);
  await until(async () => (await lab.status().catch(() => undefined)) !== undefined);
  return {
    async die() {
      stop.abort(STOPPED);
      await following;
    },
  };
}

function launchIn(mode: DataprocMode): void {
  launch = lab.launch(mode, { wheels: [] });
  if (mode === DataprocMode.workflow) lab.google.clusters.set("oneoff-abc", { state: "RUNNING", labels: OWN() });
  lab.google.clusters.set("cluster", { state: "RUNNING", labels: OWN() });
}

/** One that does nothing any more. */
const DEAD = { pollMs: 3_600_000 } as const;

const outputs = () => ({
  ...{ cluster: "dataproc", run: "7", mode: launch.mode, project: "test-project", region: "europe-west1" },
  ...{ lake: `gs://${launch.bucket}`, orchestrator: "follower" },
  ...(launch.mode === DataprocMode.cluster && { clusterName: "cluster" }),
});
const cancel = (followerMs = 60_000) => {
  const lake = new GcsStore(`gs://${launch.bucket}`, storageClient("test-project"));
  const stack = { ...outputs(), name: STACK, cluster: outputs().clusterName };
  const place = { google: new Google("test-project"), lake, stack, owner: "oneoff/dataproc", pollMs: 20, followerMs };
  return cancelOnDataproc(place, "7", (line) => said.push(line));
};
const ownCluster = (mode: DataprocMode) =>
  ({ batch: [], cluster: ["cluster"], workflow: ["oneoff-abc"] })[mode] as readonly string[];
const isOver = async (mode: DataprocMode) => {
  for (const name of ownCluster(mode)) expect([...lab.google.clusters.keys()]).not.toContain(name);
  const works = [...lab.google.jobs.values(), ...lab.google.batches.values()];
  for (const { states } of works) expect(states[0]).toMatch(/DONE|SUCCEEDED|CANCELLED/);
  for (const { cancelled } of lab.google.workflows.values()) expect(cancelled).toBe(true);
};

describe.each(MODES)("mode %s: cancelling", (mode) => {
  test("waits for the orchestrator, which cancels what is under way and says so", async () => {
    const { die } = await begin(mode, {});
    await request();
    await cancel();
    await die();
    expect(await lab.status()).toMatchObject({ state: "cancelled" });
    expect(lab.google.deleted).toEqual(ownCluster(mode));
    await isOver(mode);
    expect(begun()).toBe(1);
  });

  test("does it all itself where the orchestrator is dead, and once more for whoever comes next", async () => {
    const { die } = await begin(mode, DEAD);
    execution = { completionTime: NOW() };
    await request();
    await cancel();
    expect(lab.google.cancelled).toHaveLength(1);
    expect(lab.google.deleted).toEqual(ownCluster(mode));
    await isOver(mode);
    expect(said[0]).toMatch(/^waiting for the end of (the (batch|job) of step one|the workflow template|cluster)/);
    await cancel();
    expect(lab.google.cancelled).toHaveLength(1);
    expect(lab.google.deleted).toEqual(ownCluster(mode));
    await die();
  });

  test("ends an orchestrator that sees no request, such as one of a version before", async () => {
    const { die } = await begin(mode, DEAD);
    await request();
    await cancel(50);
    expect(said.join("\n")).toContain("the orchestrator (Cloud Run starts the orchestrator)");
    expect(site.api.asked.filter(({ path }) => path.endsWith("/executions/one:cancel"))).toHaveLength(1);
    await isOver(mode);
    await die();
  });

  test("is no error where two do it at once", async () => {
    const { die } = await begin(mode, DEAD);
    execution = { completionTime: NOW() };
    await request();
    await Promise.all([cancel(), cancel(), cancel()]);
    expect(new Set(lab.google.cancelled).size).toBe(1);
    await isOver(mode);
    await die();
  });

  test("goes on from where a command was that died, or was refused something", async () => {
    const { die } = await begin(mode, DEAD);
    execution = { completionTime: NOW() };
    await request();
    const answer = refusal(403, "Permission 'dataproc.jobs.cancel' denied", "PERMISSION_DENIED");
    lab.google.refusals.push({ fits: /:cancel$/, answer });
    await expect(cancel()).rejects.toThrow(
      "Google doesn't allow it: Permission 'dataproc.jobs.cancel' denied; ask for the permission, or log in as somebody else",
    );
    expect(lab.google.cancelled).toEqual([]);
    await cancel();
    await isOver(mode);
    await die();
  });

  test("finds nothing of a run that was never begun, but a cluster that stays", async () => {
    launchIn(mode);
    await cancel(); // nothing at all is known of it
    await lab.put("_clusters/7/launch-0123456789abcdef.json", launch);
    await request();
    await cancel();
    expect(begun()).toBe(0);
    expect(lab.google.deleted).toEqual(mode === DataprocMode.cluster ? ["cluster"] : []);
    await lab.follow(launch);
    expect(await lab.status()).toMatchObject({ state: "cancelled" });
    expect(begun()).toBe(0);
  });

  test("ends nothing of a run that is over, and nothing of others", async () => {
    launchIn(mode);
    for (const name of ["cluster", "oneoff-abc"]) lab.google.clusters.delete(name);
    lab.google.clusters.set("cluster", { state: "RUNNING", labels: OWN() });
    await lab.put("_clusters/7/launch-0123456789abcdef.json", launch);
    await lab.follow(launch);
    await lab.put("_clusters/8/launch-0123456789abcdef.json", { ...launch, run: "8" });
    expect(begun()).toBe(wanted(mode));
    for (const workflow of lab.google.workflows.values()) workflow.stage = 99; // the orchestrator need not see its end
    await cancel();
    expect(lab.google.cancelled).toEqual([]);
    expect(lab.google.log.filter((line) => line.includes(":cancel"))).toEqual([]);
  });
});

test.each([
  ["oneoff-stack", "oneoff__dataproc-2"],
  ["oneoff-lake", "their-lake"],
  ["oneoff-run", "8"],
])("a cluster whose label %s is another's is not ended, whatever the lake says", async (label, value) => {
  launchIn(DataprocMode.cluster);
  lab.google.clusters.set("cluster", { state: "RUNNING", labels: { ...OWN(), [label]: value } });
  await lab.put("_clusters/7/launch-0123456789abcdef.json", launch);
  await expect(cancel()).rejects.toThrow(
    `cluster cluster of run 7 is not ended: its label ${label} is "${value}", and this stack's is "${OWN()[label as keyof ReturnType<typeof OWN>]}"`,
  );
  expect(lab.google.deleted).toEqual([]);
});

test("a cluster that Pulumi is still making is made first, and then ended", async () => {
  launchIn(DataprocMode.cluster);
  lab.google.clusters.set("cluster", { state: "CREATING", labels: OWN() });
  await lab.put("_clusters/7/launch-0123456789abcdef.json", launch);
  const cancelling = cancel();
  await until(() => said.includes("waiting for the end of cluster cluster (CREATING)"));
  expect(lab.google.deleted).toEqual([]);
  lab.google.clusters.set("cluster", { state: "RUNNING", labels: OWN() });
  await cancelling;
  expect(lab.google.deleted).toEqual(["cluster"]);
  expect(said.at(-1)).toBe(
    'cluster cluster is gone: Pulumi has to look for that, by "npx pulumi destroy --refresh --stack dataproc"; "npx --no oneoff run dataproc" does by itself',
  );
});

test("a run whose orchestrator died is cancelled if that was asked for before, and says so to whoever looks", async () => {
  const { die } = await begin(DataprocMode.batch, DEAD);
  const status = async () => (await attached(contextOf(STACK, outputs()))).status("7");
  expect(await status()).toMatchObject({ state: "running" });
  await request();
  execution = { completionTime: new Date(Date.now() + 1000).toISOString() };
  expect(await status()).toMatchObject({
    state: "cancelled",
    error: expect.stringMatching(/^cancelled: that was asked for at 20/),
  });
  // The command writes it down, as the last word: nobody is left to say so in the status.
  const stack = await attach(contextOf(STACK, outputs()));
  const outcome = await cancelRun(STACK, stack, "7", {
    agree: () => Promise.reject(new Error("it was asked for before")),
    say: (line) => said.push(line),
  });
  expect(outcome.status).toMatchObject({ state: "cancelled" });
  expect(lab.google.cancelled).toHaveLength(1);
  expect(await lab.read("_runs/7.json")).toMatchObject({ run: "7", state: "failed", cancelled: true });
  expect(await lab.status()).toMatchObject({ state: "running" });
  execution = undefined;
  expect(await status()).toMatchObject({ state: "cancelled" });
  await die();
});
