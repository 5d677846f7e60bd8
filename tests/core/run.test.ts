import { expect, test } from "vitest";
import { z } from "zod";
import { asWritten, cancelledError, cancelledStatus, failedStatus, RunRecord, RunStatus } from "../../core/run.ts";

const running = RunStatus.parse({
  run: "1",
  job: "xo",
  state: "running",
  started: "2026-11-30T10:00:00.000Z",
  steps: [
    { name: "points", state: "succeeded" },
    { name: "models", state: "running" },
    { name: "optimum", state: "pending" },
  ],
  cluster: { state: "waiting" },
});
const error = cancelledError({ run: "1", at: "2026-11-30T10:05:00.000Z" });
const states = (status: Pick<RunStatus, "steps">) => status.steps.map(({ state }) => state);

test("what was at work when a run was cancelled is cancelled, and what was to come still is", () => {
  const status = cancelledStatus(running, error, "2026-11-30T10:05:01.000Z");
  expect(status).toMatchObject({ state: "cancelled", ended: "2026-11-30T10:05:01.000Z" });
  expect(status.error).toBe("cancelled: that was asked for at 2026-11-30T10:05:00.000Z");
  expect(states(status)).toEqual(["succeeded", "cancelled", "pending"]);
  expect(status).not.toHaveProperty("cluster");
  expect(states(failedStatus(running, "killed"))).toEqual(["succeeded", "failed", "pending"]);
});

test("a cancelled run is written as one that failed, for those who know no other, and read as what it is", () => {
  const status = cancelledStatus(running, error, "2026-11-30T10:05:01.000Z");
  const written = asWritten({ ...status, tables: {} });
  expect(written).toMatchObject({ state: "failed", cancelled: true });
  expect(states(written)).toEqual(["succeeded", "failed", "pending"]);
  expect(RunStatus.parse(JSON.parse(JSON.stringify(written)))).toEqual(status);
  expect(RunRecord.parse(written)).toMatchObject({ state: "cancelled", steps: status.steps });
  expect(RunRecord.parse(written)).not.toHaveProperty("cancelled");
});

test("what failed, or is no record, is read as it stands", () => {
  const failed = { ...failedStatus(running, "killed", "2026-11-30T10:05:01.000Z"), tables: {} };
  expect(asWritten(failed)).toBe(failed);
  expect(RunRecord.parse(failed).state).toBe("failed");
  expect(RunRecord.parse({ ...failed, cancelled: false }).state).toBe("failed");
  for (const none of [null, undefined, 7, "failed", [], { state: "failed", cancelled: true, steps: [null] }]) {
    expect(RunRecord.safeParse(none).success).toBe(false);
  }
});

test("who knows of version 0.1.0 what a record is takes a cancelled run for one that has ended", () => {
  const Step = z.object({ name: z.string(), state: z.enum(["pending", "running", "succeeded", "failed"]) });
  const state = z.enum(["running", "succeeded", "failed"]);
  const ended = z.iso.datetime({ offset: true });
  const Old = z.object({ run: z.string(), state, ended, error: z.string(), steps: z.array(Step) });
  const status = cancelledStatus(running, error, "2026-11-30T10:05:01.000Z");
  expect(Old.safeParse(status).success).toBe(false); // it would be left out, and the run begun again
  expect(Old.parse(asWritten(status))).toMatchObject({ state: "failed", error, ended: status.ended });
});
