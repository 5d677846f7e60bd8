/** What an orchestrator does that is started again, and that a run is begun once. */
// @module-tag go
import { describe, expect, test } from "vitest";
import { digestOfJson } from "../../../core/digest.ts";
import { begun, lab, MODES, STOPPED, until, useLab, wanted } from "./orchestrator.ts";

useLab();

describe.each(MODES)("mode %s, begun again after its orchestrator died", (mode) => {
  const asking =
    mode === "cluster" ? /POST .*jobs:submit/ : mode === "workflow" ? /POST .*:instantiate/ : /POST .*batches\?/;
  const looking = /GET .*\/(jobs|batches|operations)\//;

  /** Goes on where another stopped for good. */
  async function goOn() {
    lab.google.silent = undefined;
    lab.google.deaf = undefined;
    await lab.follow(lab.launch(mode));
    expect(await lab.status()).toMatchObject({
      state: "succeeded",
      steps: [{ state: "succeeded" }, { state: "succeeded" }],
    });
    expect(begun()).toBe(wanted(mode));
  }

  test.each([
    ["before its request was met", "deaf", asking],
    ["between a request and its answer", "silent", asking],
    ["while it looked", "deaf", looking],
  ] as const)("%s", async (_when, how, pattern) => {
    lab.google[how] = pattern;
    void lab.follow(lab.launch(mode));
    await until(() => lab.google.log.some((line) => pattern.test(line)));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await goOn();
  });

  test("after its claim alone", async () => {
    const launch = lab.launch(mode);
    const started = new Date(Date.now() - 60_000).toISOString();
    const deadline = new Date(Date.now() + 60_000).toISOString();
    await lab.put("_launches/7.json", { run: "7", digest: digestOfJson(launch), started, deadline });
    await goOn();
    expect(await lab.status()).toMatchObject({ started, deadline });
  });

  test("after the deadline, which ends what it had begun", async () => {
    lab.google.script.one = { states: ["PENDING", "RUNNING"] };
    lab.google.stall = 2;
    lab.google.silent = asking;
    void lab.follow(lab.launch(mode));
    await until(() => begun() > 0);
    lab.google.silent = undefined;
    const deadline = new Date(Date.now() - 1000).toISOString();
    await lab.put("_launches/7.json", { ...(await lab.read<object>("_launches/7.json")), deadline });
    for (const { parameters } of lab.google.workflows.values()) parameters.DEADLINE = deadline.replace(/\.\d+Z$/, "Z");
    await lab.follow(lab.launch(mode));
    expect(await lab.status()).toMatchObject({ state: "failed", error: "the deadline of 1 h 30 min has passed" });
    expect(lab.google.cancelled).toHaveLength(1);
    expect(begun()).toBe(1);
  });
});

describe("a run is begun once", () => {
  test("one that has ended is left as it is", async () => {
    await lab.put("_runs/7.json", { run: "7", state: "succeeded" });
    await lab.follow(lab.launch("cluster"));
    expect(await lab.keys("_")).toEqual(["_runs/7.json", "_wheels/abc/requirements.txt"]);
    expect(lab.google.log).toEqual([]);
  });

  test("one that was followed to its end is too", async () => {
    await lab.follow(lab.launch("batch"));
    const [status, asked] = [await lab.status(), lab.google.log.length];
    await lab.follow(lab.launch("batch"));
    expect(await lab.status()).toEqual(status);
    expect(lab.google.log).toHaveLength(asked);
  });

  test("other settings change nothing", async () => {
    await lab.follow(lab.launch("cluster"));
    const [claim, status] = [await lab.read("_launches/7.json"), await lab.status()];
    await lab.follow(lab.launch("batch", { deadlineSeconds: 60 }));
    expect(await lab.read("_launches/7.json")).toEqual(claim);
    expect(await lab.status()).toEqual(status);
    expect(lab.google.batches.size).toBe(0);
  });

  test("two at the same time begin each step once", async () => {
    await Promise.all([lab.follow(lab.launch("cluster")), lab.follow(lab.launch("cluster"))]);
    expect(begun()).toBe(2);
    expect((await lab.status()).state).toBe("succeeded");
  });

  test("what the last step recorded counts, whoever was there to see it", async () => {
    const stop = new AbortController();
    lab.google.script.one = { states: ["RUNNING"] };
    const following = lab.follow(lab.launch("cluster"), {}, stop.signal);
    await until(() => begun() > 0);
    await lab.put("_runs/7.json", { run: "7", state: "succeeded" });
    stop.abort(STOPPED);
    await following;
    expect((await lab.status()).state).toBe("succeeded");
  });
});
