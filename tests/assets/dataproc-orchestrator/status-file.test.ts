import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { StatusFile } from "../../../assets/dataproc-orchestrator/status.ts";
import type { RunStatus } from "../../../core/run.ts";

const first: RunStatus = {
  run: "7",
  job: "job",
  state: "running",
  started: "2026-01-01T00:00:00Z",
  steps: [{ name: "one", state: "pending" }],
};

/** A status file with what is written of it, by a lake that fails as often as it is told. */
function kept(everyMs: number, failures = 0) {
  const written: RunStatus[] = [];
  let left = failures;
  const write = async (_key: string, status: unknown) => {
    left -= 1;
    if (left >= 0) throw new Error("busy");
    written.push(status as RunStatus);
  };
  return { file: new StatusFile({ write }, first, everyMs), written };
}

test("many changes are few writings, and the last of them is what is there", async () => {
  const [everyMs, begun] = [200, Date.now()];
  const { file, written } = kept(everyMs);
  for (let n = 0; n < 50; n += 1) {
    file.machines({ state: "RUNNING", reason: `${n}` });
    await sleep(2);
  }
  await file.end("succeeded");
  // As many as there was time for: a machine that is busy takes more of it.
  expect(written.length).toBeLessThanOrEqual(2 + (Date.now() - begun) / everyMs);
  expect(written.at(-1)).toMatchObject({ state: "succeeded", cluster: { reason: "49" }, ended: expect.any(String) });
});

test("what did not change is not written again", async () => {
  const { file, written } = kept(1);
  file.step("one", "running", { started: "2026-01-01T00:00:01Z" });
  await expect.poll(() => written.at(-1)?.steps[0]?.state).toBe("running");
  const before = written.length;
  file.step("one", "running", { started: "2026-01-01T00:00:01Z" });
  file.step("one", "running");
  // What is begun later has been written by now.
  const later = kept(1);
  await expect.poll(() => later.written).toHaveLength(1);
  expect(written.length).toBe(before);
});

test("the end is written also when that fails at first, and is given up at last", async () => {
  const passing = kept(1, 3);
  await passing.file.end("failed", "why");
  expect(passing.written.at(-1)).toMatchObject({ state: "failed", error: "why" });
  const broken = kept(1, 1000);
  await broken.file.end("failed", "why");
  expect(broken.written).toEqual([]);
});

test("a step that runs when its run fails has failed, and its times stay", async () => {
  const { file, written } = kept(1);
  file.step("one", "running", { started: "2026-01-01T00:00:01Z" });
  await file.end("failed", "why");
  expect(written.at(-1)?.steps).toEqual([
    { name: "one", state: "failed", started: "2026-01-01T00:00:01Z", ended: expect.any(String) },
  ]);
});
