/** What the orchestrator does in each mode, told by its lake and by what Google was asked for. */
// @module-tag go
import { describe, expect, test } from "vitest";
import type { DataprocMode, Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { digestOfJson } from "../../../core/digest.ts";
import { refusal } from "../../google/api.ts";
import { begun, lab, MODES, STOPPED, site, until, useLab, wanted } from "./orchestrator.ts";

useLab();

/** Has a mode's second step fail so. */
function failStep(mode: DataprocMode, why: string) {
  lab.google.script.two = { states: ["PENDING", "RUNNING", mode === "batch" ? "FAILED" : "ERROR"], why };
}

/** Has the first step, or what is before it, last until it is cancelled. */
function stallIn(mode: DataprocMode) {
  lab.google.script.one = { states: ["PENDING", "RUNNING"] };
  lab.google.stall = 2;
  return until(async () => mode === "workflow" || begun() > 0);
}

/** As somebody left it who began the run and died. */
const claimOf = (launch: Launch) => ({
  run: launch.run,
  digest: digestOfJson(launch),
  started: new Date().toISOString(),
  deadline: new Date(Date.now() + 5_400_000).toISOString(),
});

describe.each(MODES)("mode %s", (mode) => {
  test("runs the steps in their order and says so", async () => {
    const launch = lab.launch(mode);
    await lab.follow(launch);

    const status = await lab.status();
    expect(status).toMatchObject({ run: "7", job: "london-power", state: "succeeded" });
    expect(status.error).toBeUndefined();
    expect(Date.parse(status.deadline ?? "") - Date.parse(status.started)).toBe(5_400_000);
    expect(status.steps.map(({ name, state }) => [name, state])).toEqual([
      ["one", "succeeded"],
      ["two", "succeeded"],
    ]);
    for (const { started = "", ended = "" } of status.steps)
      expect(Date.parse(ended)).toBeGreaterThanOrEqual(Date.parse(started));
    expect(Date.parse(status.steps[1]?.started ?? "")).toBeGreaterThanOrEqual(Date.parse(status.steps[0]?.ended ?? ""));
    expect(begun()).toBe(wanted(mode));
    const wheel = "_wheels/abc/foo-1.0-py3-none-any.whl";
    expect(await lab.keys("_wheels/")).toContain(wheel);
    expect(await lab.read("_wheels/abc/staged.json")).toEqual({ wheels: [wheel] });
    expect(await lab.read("_launches/7.json")).toMatchObject({
      run: "7",
      started: status.started,
      deadline: status.deadline,
    });
  });

  test("says what the machines are at while the run is under way", async () => {
    const stop = new AbortController();
    const following = lab.follow(lab.launch(mode), {}, stop.signal);
    await stallIn(mode);
    await until(async () => (await lab.status().catch(() => undefined))?.cluster?.state === "RUNNING");
    expect(await lab.status()).toMatchObject({
      state: "running",
      cluster: { reason: expect.stringMatching(/^(cluster|oneoff-abc|b-.*)$/) },
    });
    expect((await lab.status()).steps.map(({ state }) => state)).toEqual(["running", "pending"]);
    stop.abort(STOPPED);
    await following;
  });

  test("a step that failed ends the run, with what its wrapper says of it", async () => {
    failStep(mode, "Job failed with message [SystemExit: 1]");
    const following = lab.follow(lab.launch(mode));
    await until(() => begun() > 0);
    await lab.put("_runs/7.json", { run: "7", state: "failed", error: 'step "two" failed (exit 1): no such file' });
    await following;
    const status = await lab.status();
    expect(status).toMatchObject({ state: "failed", error: 'step "two" failed (exit 1): no such file' });
    expect(status.steps.map(({ state }) => state)).toEqual(["succeeded", "failed"]);
  });

  test("a step whose wrapper says nothing is told of in Google's words, and later ones stay pending", async () => {
    lab.google.script.one = {
      states: ["PENDING", "RUNNING", mode === "batch" ? "FAILED" : "ERROR"],
      why: "Task was not\nacquired",
    };
    await lab.follow(lab.launch(mode));
    const status = await lab.status();
    expect(status).toMatchObject({ state: "failed", error: 'step "one" failed: Task was not acquired' });
    expect(status.steps.map(({ state }) => state)).toEqual(["failed", "pending"]);
    expect(begun()).toBe(1);
  });

  test("a run that is stopped cancels what is under way, and says why", async () => {
    const stop = new AbortController();
    const following = lab.follow(lab.launch(mode), {}, stop.signal);
    await stallIn(mode);
    await until(async () => (await lab.status().catch(() => undefined))?.steps[0]?.state === "running");
    stop.abort(STOPPED);
    await following;
    expect(await lab.status()).toMatchObject({
      state: "failed",
      error: "the run was stopped: its stack was destroyed or its execution cancelled",
      steps: [{ state: "failed" }, { state: "pending" }],
    });
    expect(lab.google.cancelled).toHaveLength(1);
  });

  test("a run that is stopped while it asks for something cancels that too", async () => {
    const stop = new AbortController();
    lab.google.silent = /jobs:submit|batches\?|:instantiate/;
    lab.google.script.one = { states: ["PENDING", "RUNNING"] };
    const following = lab.follow(lab.launch(mode), { answerMs: 200 }, stop.signal); // there will be none
    await until(() => begun() > 0);
    stop.abort(STOPPED);
    await following;
    expect(lab.google.cancelled).toHaveLength(1);
    expect((await lab.status()).state).toBe("failed");
  });

  test("a run that is asked to be cancelled in a step cancels what is under way, and is cancelled", async () => {
    const following = lab.follow(lab.launch(mode));
    await stallIn(mode);
    await until(async () => (await lab.status().catch(() => undefined))?.steps[0]?.state === "running");
    await lab.put("_cancels/7.json", { run: "7", at: "2026-11-30T12:00:00Z" });
    await following;
    const status = await lab.status();
    expect(status).toMatchObject({
      state: "cancelled",
      error: "cancelled: that was asked for at 2026-11-30T12:00:00Z",
      steps: [{ state: "cancelled" }, { state: "pending" }],
    });
    expect(lab.google.cancelled).toHaveLength(1);
    // As versions before know it: one that failed.
    expect(await lab.read("_clusters/7/status.json")).toMatchObject({ state: "failed", cancelled: true });
    await lab.follow(lab.launch(mode));
    expect(await lab.status()).toEqual(status);
    expect(begun()).toBe(1);
  });

  test("a run that is asked to be cancelled before it is begun is never begun", async () => {
    await lab.put("_cancels/7.json", "no JSON");
    // Nothing is fetched either: there is no such package.
    await lab.put("_wheels/abc/requirements.txt", `nothing-such==1.0 --hash=sha256:${"0".repeat(64)}\n`);
    for (let time = 0; time < 2; time += 1) await lab.follow(lab.launch(mode));
    expect(await lab.status()).toMatchObject({
      state: "cancelled",
      error: "cancelled: that was asked for at a time that it doesn't say",
      steps: [{ state: "pending" }, { state: "pending" }],
    });
    expect(begun()).toBe(0);
  });

  test("a step that ends because its run is cancelled elsewhere has not failed", async () => {
    const following = lab.follow(lab.launch(mode));
    await stallIn(mode);
    await until(async () => (await lab.status().catch(() => undefined))?.steps[0]?.state === "running");
    await lab.put("_cancels/7.json", { run: "7", at: "2026-11-30T12:00:00Z" });
    for (const work of [...lab.google.jobs.values(), ...lab.google.batches.values()]) work.states = ["CANCELLED"];
    for (const workflow of lab.google.workflows.values()) workflow.cancelled = true;
    await following;
    expect(await lab.status()).toMatchObject({
      state: "cancelled",
      steps: [{ state: "cancelled" }, { state: "pending" }],
    });
  });

  test("a run that had failed, or has succeeded, before it saw the request is not cancelled", async () => {
    failStep(mode, "Job failed");
    const following = lab.follow(lab.launch(mode), { pollMs: 400 });
    await until(() => begun() > 0);
    await lab.put("_runs/7.json", { run: "7", state: "failed", error: 'step "two" failed (exit 1): no such file' });
    await lab.put("_cancels/7.json", { run: "7", at: "2026-11-30T12:00:00Z" });
    await following;
    expect(await lab.status()).toMatchObject({ state: "failed", error: expect.stringMatching(/no such file$/) });
    await lab.put("_runs/8.json", { run: "8", state: "succeeded", started: "2026-11-30T11:00:00Z" });
    await lab.put("_cancels/8.json", { run: "8", at: "2026-11-30T12:00:00Z" });
    await lab.put("_launches/8.json", await claimOf(lab.launch(mode, { run: "8" })));
    await lab.follow(lab.launch(mode, { run: "8" }));
    expect(await lab.read("_clusters/8/status.json")).toMatchObject({ state: "succeeded" });
  });

  test("the deadline ends what is under way", async () => {
    lab.google.script.one = { states: ["PENDING", "RUNNING"] };
    lab.google.stall = 2;
    await lab.follow(lab.launch(mode, { deadlineSeconds: 5, wheels: [] }));
    expect(await lab.status()).toMatchObject({ state: "failed", error: "the deadline of 5 s has passed" });
    expect(lab.google.cancelled).toHaveLength(1);
  });

  test("a step has its time limit", async () => {
    const launch = lab.launch(mode);
    lab.google.script.one = { states: ["PENDING", "RUNNING"] };
    lab.google.stall = 2;
    const steps = launch.steps.map((step) => ({ ...step, timeLimitSeconds: 1 }));
    await lab.follow({ ...launch, steps });
    expect(await lab.status()).toMatchObject({
      state: "failed",
      error: 'step "one" took longer than its time limit of 1 s',
    });
    expect(lab.google.cancelled).toHaveLength(1);
  });

  test.each([
    [
      "Insufficient 'CPUS' quota. Requested 24.0, available 8.0.",
      /quota.*: take fewer or smaller machines, or ask for more at https:\/\/.*project=test-project$/,
    ],
    [
      "Cloud Dataproc API has not been used in project 1 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/dataproc.googleapis.com/overview then retry.",
      /: enable it with "gcloud services enable dataproc\.googleapis\.com --project test-project"/,
    ],
    [
      "Not authorized to requested resource: 'dataproc.agents.create' permission is missing",
      /: give the service account that it names this permission/,
    ],
    [
      "ZONE_RESOURCE_POOL_EXHAUSTED: the zone does not have enough resources available",
      /: Google has no more of these machines there at the moment: try again later/,
    ],
  ])("tells the cure for %j", async (message, expected) => {
    const fits = /jobs:submit|batches\?|:instantiate/;
    lab.google.refusals.push({ fits, answer: refusal(400, message) });
    await lab.follow(lab.launch(mode));
    const { state, error } = await lab.status();
    expect(state).toBe("failed");
    expect(error).toMatch(expected);
    expect(error).not.toContain("\n");
  });

  test.each([
    ["while roles are new", refusal(403, "Permission 'dataproc.jobs.create' denied", "PERMISSION_DENIED"), false],
    ["while Google is busy", refusal(503, "try later", "UNAVAILABLE"), false],
    ["when an answer is lost", refusal(503, "lost", "UNAVAILABLE"), true],
  ])("asks again %s, and for nothing twice", async (_why, answer, met) => {
    lab.google.refusals.push({ fits: /jobs:submit|batches\?|:instantiate/, answer, met });
    await lab.follow(lab.launch(mode));
    expect((await lab.status()).state).toBe("succeeded");
    expect(begun()).toBe(wanted(mode));
  });

  test("bears with Google not answering while it looks", async () => {
    const fits = /GET .*\/(jobs|batches|operations)\//;
    for (let n = 0; n < 3; n += 1) lab.google.refusals.push({ fits, answer: refusal(418, "passing", "UNAVAILABLE") });
    lab.google.refusals.splice(0, 3, ...[408, 503, 500].map((code) => ({ fits, answer: refusal(code, "busy") })));
    await lab.follow(lab.launch(mode));
    expect((await lab.status()).state).toBe("succeeded");
  });

  test("a wheel that can't be had ends the run before anything is asked for", async () => {
    await lab.put("_wheels/abc/requirements.txt", `nothing-such==1.0 --hash=sha256:${"0".repeat(64)}\n`);
    await lab.follow(lab.launch(mode));
    expect(await lab.status()).toMatchObject({
      state: "failed",
      error: `the job's packages can't be put into the lake: the package index ${site.index.url} has no package nothing-such`,
      steps: [{ state: "pending" }, { state: "pending" }],
    });
    expect(begun()).toBe(0);
  });
});
