/** What of Google's answers is passing: access that was granted a moment ago, and what it was given a moment ago. */
// @module-tag go
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type DataprocMode, templateStep } from "../../../assets/dataproc-orchestrator/launch.ts";
import { type Answer, type Route, refusal } from "../../google/api.ts";
import { type Lab, type Site, STOPPED, startSite, until } from "./orchestrator.ts";

let site: Site;
let lab: Lab;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site?.close());
beforeEach(async () => {
  lab = await site.begin();
});

const MODES: readonly DataprocMode[] = ["cluster", "workflow", "batch"];
const ASKING = /jobs:submit|batches\?|:instantiate/;
const LOOKING = /GET .*\/(jobs|batches|operations)\/[^/?]/;
const denied = refusal(403, "Permission 'dataproc.jobs.get' denied", "PERMISSION_DENIED");
const absent = refusal(404, "Not found", "NOT_FOUND");

/** Answers each look that comes after the work was asked for, so many times. */
function afterwards(times: number, answer: Answer): void {
  const [route] = lab.google.routes;
  const [, answered] = route as Route;
  let left = times;
  site.api.routes = [
    [
      /^/,
      (asked, found) => {
        const line = `${asked.method} ${asked.path}`;
        const isLate = lab.google.log.some((one) => ASKING.test(one)) && LOOKING.test(line);
        if (isLate && left > 0) {
          left -= 1;
          lab.google.log.push(line);
          return answer;
        }
        return typeof answered === "function" ? answered(asked, found) : answered;
      },
    ],
  ];
}

describe.each(MODES)("mode %s", (mode) => {
  test.each([
    ["may not be looked at yet", denied],
    ["is not found yet", absent],
  ])("what was asked for and %s goes on", async (_, answer) => {
    afterwards(3, answer);
    await lab.follow(lab.launch(mode), { patienceMs: 60_000 });
    const { state, error, steps } = await lab.status();
    expect([state, error, ...steps.map((step) => step.state)]).toEqual([
      "succeeded",
      undefined,
      "succeeded",
      "succeeded",
    ]);
    expect(lab.google.cancelled).toEqual([]);
    expect(lab.google.jobs.size + lab.google.batches.size + lab.google.workflows.size).toBe(
      mode === "workflow" ? 1 : 2,
    );
  });

  test("what may never be looked at fails the run, and is cancelled", async () => {
    lab.google.stall = 2;
    afterwards(Number.POSITIVE_INFINITY, denied);
    await lab.follow(lab.launch(mode), { patienceMs: 100 });
    expect((await lab.status()).error).toMatch(/was refused: .*'dataproc\.jobs\.get' denied: give the service account/);
    expect(lab.google.cancelled).toHaveLength(1);
  });

  test("what never comes to be seen is gone", async () => {
    afterwards(Number.POSITIVE_INFINITY, absent);
    await lab.follow(lab.launch(mode), { patienceMs: 100 });
    expect((await lab.status()).error).toMatch(/^(step "one"|the workflow \S+) is gone: somebody deleted it$/);
  });

  test("what was seen and is not there any more is gone at once", async () => {
    lab.google.stall = 2;
    lab.google.script.one = { states: ["PENDING", "RUNNING"] };
    const following = lab.follow(lab.launch(mode), { patienceMs: 600_000 });
    await until(async () => (await lab.status().catch(() => undefined))?.steps[0]?.state === "running");
    for (const all of [lab.google.jobs, lab.google.batches, lab.google.workflows]) all.clear();
    await following;
    expect((await lab.status()).error).toMatch(/ is gone: somebody deleted it$/);
  });
});

test("who goes on with a workflow bears with not being allowed to list operations yet", async () => {
  lab.google.deaf = ASKING;
  void lab.follow(lab.launch("workflow"));
  await until(() => lab.google.log.some((line) => ASKING.test(line)));
  lab.google.deaf = undefined;
  lab.google.refusals.push({ fits: /GET .*\/operations(\?|$)/, answer: denied });
  await lab.follow(lab.launch("workflow"), { patienceMs: 60_000 });
  expect(await lab.status()).toMatchObject({ state: "succeeded" });
});

test("a cluster ends once there is an operation that deletes it, not before", async () => {
  let operationId: string | undefined;
  lab.google.stall = 2;
  const [, answered] = lab.google.routes[0] as Route;
  site.api.routes = [
    [
      /^/,
      async (asked, found) => {
        const answer = await (typeof answered === "function" ? answered(asked, found) : answered);
        const { body } = answer as { body: { metadata?: object } };
        // Google gives an empty one from the first.
        if (body?.metadata) Object.assign(body.metadata, { deleteCluster: { ...(operationId && { operationId }) } });
        return answer;
      },
    ],
  ];
  const stop = new AbortController();
  const following = lab.follow(lab.launch("workflow"), {}, stop.signal);
  const isIn = (state: string) =>
    until(async () => (await lab.status().catch(() => undefined))?.cluster?.state === state);
  await isIn("RUNNING");
  operationId = "d";
  await isIn("TERMINATING");
  stop.abort(STOPPED);
  await following;
});

test("steps of a template have ids of their own, however long their names are", () => {
  expect(templateStep({ name: "simulate" })).toBe("step-simulate");
  const long = "a-".repeat(60);
  const names = [
    ...["x", "x-", "x_", "x-1"],
    ...[38, 39, 40, 45, 46, 60].flatMap((length) => [`${long.slice(0, length)}b`, `${long.slice(0, length)}-`]),
    ...["one", "two"].map((end) => `${long}${end}`),
  ];
  const ids = names.map((name) => templateStep({ name }));
  expect(new Set(ids).size).toBe(names.length);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z][\w-]{1,48}[A-Za-z0-9]$/);
  // As in every program that makes it.
  expect(templateStep({ name: `${"long-".repeat(10)}one` })).toBe("step-long-long-long-long-long-long-long-long586e9d");
});
