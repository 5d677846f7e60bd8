import type { Cluster, StepSummary } from "@aws-sdk/client-emr";
import { expect, test } from "vitest";
import { unlaunched } from "../../cli/aws/emr/cluster.ts";
import { whyEnded } from "../../cli/aws/emr/ending.ts";
import { type EmrRun, machinesOf, stepsOf } from "../../cli/aws/emr/machines.ts";
import { costSoFar } from "../../cli/cost-so-far.ts";
import { runStatus, spentOn } from "../../cli/follow.ts";
import { ProgressReader, wholeCharacters } from "../../cli/step-log.ts";
import { RunRecord, RunStatus, recordedStatus } from "../../core/run.ts";

const START = Date.parse("2026-05-01T10:00:00Z");
const at = (minutes: number) => new Date(START + minutes * 60_000);
const iso = (minutes: number) => at(minutes).toISOString();

const launched = { run: "1", cluster: "j-1", launched: iso(0), digest: "d" };

function step(name: string, State: string, from?: number, to?: number, more: object = {}): StepSummary {
  const Timeline = {
    CreationDateTime: at(0),
    ...(from !== undefined && { StartDateTime: at(from) }),
    ...(to !== undefined && { EndDateTime: at(to) }),
  };
  const Args = ["python", "step.py", "--run", "1", "--job", "xo", "--step", name, "--", "spark-submit", "--run", "9"];
  return { Id: `s-${name}`, Name: name, Config: { Args }, Status: { State, Timeline, ...more } } as StepSummary;
}

function cluster(State: string, reason: object = {}, ended?: number, deadline = "90 minutes"): Cluster {
  return {
    Id: "j-1",
    Tags: [{ Key: "oneoff:deadline", Value: deadline }],
    Status: {
      State,
      StateChangeReason: reason,
      Timeline: { CreationDateTime: at(0), ...(ended !== undefined && { EndDateTime: at(ended) }) },
    },
  } as Cluster;
}

/** How a run does by what EMR says, and the record where there is one. */
function statusOf({ record, ...change }: Partial<EmrRun> & { readonly record?: RunRecord }): RunStatus {
  const run: EmrRun = { launched, steps: [], now: at(20), ...change };
  return runStatus("1", recordedStatus(undefined, record), machinesOf(run), run.now) as RunStatus;
}
const record = (state: RunRecord["state"], more: object = {}) =>
  RunRecord.parse({ run: "1", job: "xo", state, started: iso(9), steps: [], ...more });

test("while the cluster starts its steps are pending, and it is said what it is at", () => {
  const steps = [step("generate", "PENDING"), step("train", "PENDING")];
  const status = statusOf({ cluster: cluster("STARTING"), steps });
  expect(status).toEqual({
    run: "1",
    job: "xo",
    state: "running",
    started: iso(0),
    deadline: iso(90),
    steps: [
      { name: "generate", state: "pending" },
      { name: "train", state: "pending" },
    ],
    cluster: { state: "STARTING", reason: "provisioning Amazon EC2 capacity" },
  });
  expect(RunStatus.parse(status)).toEqual(status);
  const later = statusOf({ cluster: cluster("BOOTSTRAPPING", { Message: "Running bootstrap actions." }), steps });
  expect(later.cluster).toEqual({ state: "BOOTSTRAPPING", reason: "Running bootstrap actions" });
});

test("what has been done costs so much, hourly things only, until the machines end", () => {
  const steps = [step("generate", "COMPLETED", 8, 10), step("train", "RUNNING", 10)];
  const bill = [
    { what: "2 workers, m7g.xlarge", usdPerHour: 0.6, hours: 1.75, usd: 1.05 },
    { what: "Athena", usdPerHour: 0, hours: 0, usd: 9 },
  ];
  const running = { cluster: cluster("RUNNING"), steps };
  expect(statusOf(running)).toMatchObject({ state: "running" });
  expect(statusOf(running).steps).toEqual([
    { name: "generate", state: "succeeded", started: iso(8), ended: iso(10) },
    { name: "train", state: "running", started: iso(10) },
  ]);
  const cost = (seen: Partial<EmrRun>, now: number) =>
    spentOn(statusOf(seen), machinesOf({ launched, steps: [], now: at(now), ...seen }), bill, at(now));
  expect(cost(running, 20)).toBeCloseTo(0.2);
  expect(costSoFar(bill, 100)).toBeCloseTo(1.05);
  expect(cost({ cluster: cluster("TERMINATED", {}, 30), steps }, 6000)).toBeCloseTo(0.3);
  const done = [step("generate", "COMPLETED", 8, 10)];
  expect(cost({ cluster: cluster("WAITING"), steps: done }, 20)).toBeCloseTo(0.2);
  expect(cost({ steps: done }, 6000)).toBeCloseTo(0.1); // EMR knows its cluster no more
});

test("the outcome is the steps', whatever the cluster does after them", () => {
  const done = [step("generate", "COMPLETED", 8, 10), step("train", "COMPLETED", 10, 15)];
  const lingers = statusOf({ cluster: cluster("WAITING"), steps: done, idleSeconds: 600 });
  expect(lingers).toMatchObject({ state: "succeeded", ended: iso(15), cluster: { state: "WAITING", stays: iso(25) } });
  const long = statusOf({ cluster: cluster("WAITING"), steps: done, idleSeconds: 86_400 });
  expect(long.cluster?.stays).toBe(iso(90));
  for (const state of ["RUNNING", "TERMINATING", "TERMINATED"]) {
    expect(statusOf({ cluster: cluster(state), steps: done })).toMatchObject({ state: "succeeded" });
  }
  const failed = [step("generate", "FAILED", 8, 9, { FailureDetails: { Reason: "Unknown Error." } })];
  const waits = statusOf({ cluster: cluster("WAITING"), steps: [...failed, step("train", "CANCELLED")] });
  expect(waits).toMatchObject({ state: "failed", error: 'step "generate" failed: Unknown Error.', ended: iso(9) });
  expect(waits.steps.map(({ state }) => state)).toEqual(["failed", "pending"]);
  const told = record("failed", { error: 'step "generate" failed (exit 1): no luck', ended: iso(9) });
  expect(statusOf({ cluster: cluster("WAITING"), steps: failed, record: told }).error).toBe(
    'step "generate" failed (exit 1): no luck',
  );
  expect(statusOf({ cluster: cluster("RUNNING"), steps: done, record: told }).state).toBe("failed");
});

test("a cluster that EMR has forgotten leaves the record's word", () => {
  expect(statusOf({ record: record("succeeded", { ended: iso(15) }) })).toMatchObject({ state: "succeeded" });
  expect(statusOf({ record: record("running") })).toMatchObject({
    state: "failed",
    error: "EMR knows its cluster no more, and its record has no end",
  });
  const nobodys = (record: RunRecord, now: Date) => {
    const recorded = recordedStatus(undefined, record);
    return runStatus("1", recorded, unlaunched(recorded, now), now);
  };
  expect(nobodys(record("running", { deadline: iso(90) }), at(20))?.state).toBe("running");
  expect(nobodys(record("running", { deadline: iso(90) }), at(91))).toMatchObject({
    state: "failed",
    error: "its cluster ended without saying so",
    ended: iso(90),
  });
  expect(nobodys(record("succeeded"), at(91))).not.toHaveProperty("tables");
});

test("a step that the deadline cut off failed for that, whatever EMR calls it; one that failed before did not", () => {
  const ended = cluster("TERMINATED", { Code: "USER_REQUEST", Message: "Terminated by user request" }, 91);
  const of = (steps: readonly StepSummary[]) => statusOf({ cluster: ended, steps, now: at(95) }).error;
  expect(of([step("train", "INTERRUPTED", 10, 91)])).toContain("at its deadline of 1 h 30 min");
  expect(of([step("train", "FAILED", 10, 91)])).toContain("at its deadline of 1 h 30 min");
  expect(of([step("train", "FAILED", 10, 20)])).toBe('step "train" failed');
});

test("steps that someone added to the cluster are not the run's", () => {
  const foreign = { Id: "s-x", Name: "mine", Config: { Args: ["hello"] }, Status: { State: "FAILED" } } as StepSummary;
  const own = step("train", "COMPLETED", 10, 15);
  expect(stepsOf("1", [own, foreign])).toEqual([own]);
  expect(stepsOf("2", [own])).toEqual([own]);
  expect(stepsOf("1", [foreign])).toEqual([foreign]);
});

const TERMINATED = "TERMINATED_WITH_ERRORS";
test.each([
  [
    cluster("TERMINATED", { Code: "USER_REQUEST", Message: "Terminated by user request" }, 95),
    "its cluster was ended at its deadline of 1 h 30 min by the reaper: allow more time (oneoff:deadline), or more or larger machines",
  ],
  [
    cluster("TERMINATED", { Code: "USER_REQUEST", Message: "Terminated by user request" }, 60),
    'its cluster was ended by someone, such as "pulumi destroy", 1 h after its start',
  ],
  [
    cluster("TERMINATED", { Code: "USER_REQUEST", Message: "Cluster auto-terminated: idle" }, 60),
    "its cluster was ended by its idle limit: Cluster auto-terminated: idle",
  ],
  [
    cluster(TERMINATED, {
      Code: "BOOTSTRAP_FAILURE",
      Message: "On the master instance (i-1), bootstrap action 1 failed.",
    }),
    "the nodes could not be set up: On the master instance (i-1), bootstrap action 1 failed",
  ],
  [
    cluster(TERMINATED, { Code: "INSTANCE_FLEET_TIMEOUT", Message: "Instance fleet provisioning timed out." }),
    "EMR could not have its machines (INSTANCE_FLEET_TIMEOUT): Instance fleet provisioning timed out; try other worker types, let spot fall back to on-demand, or take subnets in other zones",
  ],
  [
    cluster(TERMINATED, { Code: "INTERNAL_ERROR", Message: "EC2 is out of capacity for m7g.xlarge" }),
    "EMR could not have its machines (INTERNAL_ERROR): EC2 is out of capacity for m7g.xlarge; try other worker types, let spot fall back to on-demand, or take subnets in other zones",
  ],
  [
    cluster(TERMINATED, { Code: "VALIDATION_ERROR", Message: "The vCPU limit of the account is exceeded." }),
    'EMR could not have its machines (VALIDATION_ERROR): The vCPU limit of the account is exceeded; ask for a higher quota ("npx --no oneoff doctor" tells which), or take fewer or smaller machines',
  ],
  [
    cluster(TERMINATED, { Code: "VALIDATION_ERROR", Message: "Invalid InstanceProfile: x." }),
    "EMR could not have its machines (VALIDATION_ERROR): Invalid InstanceProfile: x",
  ],
  [
    cluster(TERMINATED, { Code: "STEP_FAILURE", Message: "Shut down as step failed" }),
    "a step failed and ended the cluster: Shut down as step failed",
  ],
  [cluster("TERMINATED", {}), "its cluster ended before its steps had: EMR doesn't say why"],
])("a cluster that ended before its steps is a failed run, with EMR's reason in words (%#)", (ended, error) => {
  expect(whyEnded(ended, at(60))).toBe(error);
  const status = statusOf({ cluster: ended, steps: [step("train", "CANCELLED")], now: at(60) });
  expect(status).toMatchObject({ state: "failed", error });
});

test("progress is read on from where it was, also over a line that came in two parts", async () => {
  let log = "starting\n[oneoff] models 3/30\n[oneoff] mod";
  const reads: number[] = [];
  const reader = new ProgressReader(async (_step, from) => {
    reads.push(from);
    return { text: log.slice(from), next: log.length };
  });
  expect(await reader.progress("train")).toEqual({ what: "models", done: 3, total: 30 });
  log += "els 4/30\n";
  expect(await reader.progress("train")).toEqual({ what: "models", done: 4, total: 30 });
  expect(await reader.progress("train")).toEqual({ what: "models", done: 4, total: 30 });
  expect(reads).toEqual([0, 42, 51]);
});

test("a character of UTF-8 is never cut in two", () => {
  const bytes = new TextEncoder().encode("a€😀");
  expect([...Array(9).keys()].map((length) => wholeCharacters(bytes.subarray(0, length)))).toEqual([
    0, 1, 1, 1, 4, 4, 4, 4, 8,
  ]);
});
