/** What is of one mode of the orchestrator alone: clusters, workflows, batches. */
// @module-tag go
import { describe, expect, test } from "vitest";
import { digestOfJson } from "../../../core/digest.ts";
import type { FakeWork } from "./fake-dataproc.ts";
import { begun, lab, site, until, useLab } from "./orchestrator.ts";

useLab();

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

describe("a cluster of the stack's", () => {
  test("is waited for, and its jobs have ids, labels and the run's end", async () => {
    lab.google.clusters.clear();
    const following = lab.follow(lab.launch("cluster"));
    await until(() => lab.google.log.filter((line) => line.endsWith("/clusters/cluster")).length > 1);
    lab.google.clusters.set("cluster", { state: "CREATING" });
    await until(async () => (await lab.status()).cluster?.state === "PROVISIONING");
    expect(begun()).toBe(0);
    lab.google.clusters.set("cluster", { state: "RUNNING" });
    await following;

    const [id] = [...lab.google.jobs.keys()];
    const { request = {} } = lab.google.jobs.get(id as string) ?? {};
    expect(id).toMatch(/^cluster-one-[0-9a-f]{8}$/);
    const { deadline } = (await lab.status()) as { deadline: string };
    const [, written] = (request.pysparkJob as { args: string[] }).args as [string, string];
    expect(written).toMatch(ISO);
    expect(Math.abs(Date.parse(written) - Date.parse(deadline))).toBeLessThan(1000);
    expect(request.labels).toEqual({ "oneoff-run": "7" });
  });

  test("that is in error fails the run with its reason and the cure", async () => {
    lab.google.clusters.set("cluster", { state: "ERROR", detail: "Insufficient 'N2_CPUS' quota" });
    await lab.follow(lab.launch("cluster"));
    expect((await lab.status()).error).toMatch(
      /^cluster cluster is in state ERROR: Insufficient 'N2_CPUS' quota: take fewer/,
    );
  });

  test("that never comes fails the run", async () => {
    lab.google.clusters.clear();
    await lab.follow(lab.launch("cluster"), { absenceMs: 100 });
    expect((await lab.status()).error).toMatch(
      /^there is no cluster cluster: .* start the run anew with a new run id$/,
    );
  });

  test("stays after the run, and the status says until when", async () => {
    const autoDeleteTime = new Date(Date.now() + 600_000).toISOString();
    lab.google.clusters.set("cluster", {
      state: "RUNNING",
      lifecycleConfig: { idleDeleteTtl: "900s", autoDeleteTime },
    });
    await lab.follow(lab.launch("cluster"));
    expect((await lab.status()).cluster).toEqual({ state: "RUNNING", reason: "cluster", stays: autoDeleteTime });
  });

  test("somebody else's cancelling a step is told", async () => {
    lab.google.script.one = { states: ["RUNNING", "CANCELLED"] };
    await lab.follow(lab.launch("cluster"));
    expect((await lab.status()).error).toBe('step "one" failed: it was cancelled');
  });

  test("a program's own lack of rights is not taken for a role's", async () => {
    lab.google.script.one = { states: ["RUNNING", "ERROR"], why: "mkdir: Permission denied" };
    await lab.follow(lab.launch("cluster"));
    expect((await lab.status()).error).toBe('step "one" failed: mkdir: Permission denied');
  });

  test("need not be there any more for steps that have ended", async () => {
    await lab.follow(lab.launch("cluster"));
    const { ended: _, ...status } = await lab.status();
    await lab.put("_clusters/7/status.json", { ...status, state: "running" });
    lab.google.clusters.clear();
    await lab.follow(lab.launch("cluster"));
    expect((await lab.status()).state).toBe("succeeded");
    expect(lab.google.log.filter((line) => line.includes("jobs:submit"))).toHaveLength(2);
  });

  test("wheels that are there already are not looked for again", async () => {
    await lab.follow(lab.launch("cluster"));
    const asked = site.index.asked.length;
    await lab.follow(lab.launch("cluster", { run: "8" }));
    expect(lab.google.jobs.size).toBe(4);
    expect(site.index.asked.length).toBe(asked);
  });
});

describe("a workflow", () => {
  test("is told when the run ends, and remembered by its operation", async () => {
    await lab.follow(lab.launch("workflow"));
    const [workflow] = [...lab.google.workflows.values()];
    const { deadline } = (await lab.status()) as { deadline: string };
    expect(workflow?.parameters.DEADLINE).toBe(deadline.replace(/\.\d+Z$/, "Z"));
    expect(await lab.read("_launches/7.json")).toMatchObject({ operation: workflow?.name });
  });

  test("whose cluster can't be made fails the run with the cure", async () => {
    lab.google.noCluster = "Insufficient 'CPUS' quota";
    await lab.follow(lab.launch("workflow"));
    expect((await lab.status()).error).toMatch(/^the cluster could not be made: Insufficient 'CPUS' quota: take fewer/);
  });

  test("of another run of the same template is not taken for its own", async () => {
    await lab.follow(lab.launch("workflow"));
    for (const workflow of lab.google.workflows.values()) workflow.stage = 99;
    const launch = lab.launch("workflow", { run: "8" });
    const [started, deadline] = [new Date().toISOString(), new Date(Date.now() + 86_400_000).toISOString()];
    // Its orchestrator died before it had asked for anything.
    await lab.put("_launches/8.json", { run: "8", digest: digestOfJson(launch), started, deadline });
    await lab.follow(launch);
    expect(lab.google.workflows.size).toBe(2);
  });
});

describe("batches", () => {
  test("have an id that fits, labels, and an end of their own", async () => {
    const launch = lab.launch("batch", { job: "A Job of_Many.Words and more" });
    const request = { pysparkBatch: {}, environmentConfig: { executionConfig: { serviceAccount: "nodes@x" } } };
    const [one, two] = launch.steps;
    await lab.follow({
      ...launch,
      steps: [
        { ...one, request, timeLimitSeconds: 1800 },
        { ...two, request, timeLimitSeconds: 60 },
      ] as never,
    });
    const batches = [...lab.google.batches];
    expect(batches.map(([id]) => id)).toEqual([
      expect.stringMatching(/^b-a-job-of-many-words-one-[0-9a-f]{8}$/),
      expect.stringMatching(/-two-[0-9a-f]{8}$/),
    ]);
    const executions = batches.map(([, work]) => (work.request as typeof request).environmentConfig.executionConfig);
    expect(executions).toEqual([
      { serviceAccount: "nodes@x", ttl: "1800s" },
      { serviceAccount: "nodes@x", ttl: "600s" }, // Google's least
    ]);
    expect(batches[0]?.[1].request.labels).toEqual({ "oneoff-run": "7" });
  });

  test("last no longer than the run", async () => {
    await lab.follow(lab.launch("batch", { deadlineSeconds: 900 }));
    const [batch] = [...lab.google.batches.values()] as [FakeWork];
    const { environmentConfig } = batch.request as { environmentConfig: { executionConfig: { ttl: string } } };
    const { ttl } = environmentConfig.executionConfig;
    expect(Number.parseInt(ttl, 10)).toBeGreaterThan(880);
    expect(Number.parseInt(ttl, 10)).toBeLessThanOrEqual(900);
  });
});
