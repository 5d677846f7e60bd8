/** Stacks that an earlier version left, taken over by the code of today: the real engine, and fake providers with all that is there. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../engine/harness.ts";
import {
  CLOUDS,
  engineOfBefore,
  nameOf,
  readState,
  type State,
  type StateResource,
  statesOf,
  versions,
} from "./states.ts";

interface Ours {
  /** Properties in which anything may change, for it is our own code. */
  readonly content: readonly string[];
  /** Properties in which nothing may change but the digests that stand for such content. */
  readonly names: readonly string[];
  /** Files of our own code, and what may be read, that may be new. */
  readonly files?: readonly string[];
}

/** What nodes run beside what version 0.1.0 had them run. */
const ON_NODES: readonly string[] = [
  "guard.sh",
  "job.json",
  "run_record.py",
  "step_endless.py",
  "step_problem.py",
  "table_check.py",
  "typed_json.py",
];

/** What may change, by kind of stack: resources and their properties, none of which holds data or costs money. */
const OURS: Readonly<Record<string, Ours>> = {
  "emr-oneoff": {
    files: [
      ...ON_NODES.map((name) => `cluster-emr-${name}`),
      "cluster-origin-1", // what made the run
      "cluster-reaper-policy", // the reaper sees which runs are to be cancelled
    ],
    content: [
      "reaper-function: code",
      "reaper-policy: policy", // it ends fleets with their volumes, and puts them to sleep
      "cluster-launcher-function: code",
      "lake-database: description", // whose it is
      "cluster-nodes-policy: policy", // the machines read what made the run, and that it is to be cancelled
      "cluster-launcher-policy: policy", // so does the launcher
      "dashboard-policy: policy", // the page reads logs of steps
      "cluster-run: input", // steps are told of the job by a file
      ...["cluster-emr-*: source", "cluster-steps-*: source"],
      ...["dashboard-index.mjs: source", "dashboard-page-*: source", "dashboard-config: content"],
      "dashboard-current: content", // the release's digest
    ],
    names: [
      ...["cluster-emr-*: key", "cluster-steps-*: key"],
      ...["dashboard-index.mjs: key", "dashboard-page-*: key", "dashboard-config: key"],
    ],
  },
  dataproc: {
    files: [
      ...ON_NODES.map((name) => `cluster-node-${name}`),
      "cluster-origin-1",
      ...["dashboard-step-logs", "dashboard-step-logs-bucket"], // the page reads logs of steps
    ],
    content: [
      ...["cluster-node-*: source", "cluster-steps-*: source", "cluster-orchestrator.mjs: source"],
      "cluster-notebook: content",
      "dashboard-instance: metadata", // in place: it is what a new machine starts with
      ...["dashboard-index.mjs: source", "dashboard-page-*: source", "dashboard-config: content"],
      "dashboard-current: content",
      ...["cluster-template: jobs", "cluster-template: parameters"],
    ],
    names: [
      ...["cluster-node-*: name", "cluster-steps-*: name", "cluster-orchestrator.mjs: name"],
      ...["cluster-launch: content", "cluster-launch: name"],
      ...["cluster-orchestrator-job: startExecutionToken", "cluster-orchestrator-job: template"],
      "cluster-template: placement",
      ...["dashboard-index.mjs: name", "dashboard-page-*: name", "dashboard-config: name"],
    ],
  },
  swarm: {
    content: [
      ...["cluster-analysis-config: data", "cluster-startup-config: data", "cluster-mongo-init-config: data"],
      // Whose it is: of services alone a label can change, and nothing starts anew for that.
      ...["cluster-master: labels", "cluster-worker: labels", "cluster-history: labels", "cluster-notebook: labels"],
      ...[
        "cluster-namenode: labels",
        "cluster-datanode: labels",
        "cluster-mongo: labels",
        "cluster-mongo-express: labels",
      ],
      "dashboard-container: envs", // its configuration, which names the stack; the image is another in any case
    ],
    names: [
      ...["cluster-analysis-config: name", "cluster-startup-config: name", "cluster-mongo-init-config: name"],
      ...["cluster-spark-image: name", "cluster-hdfs-image: name", "dashboard-dashboard-image: name"],
      ...["cluster-master: taskSpec", "cluster-worker: taskSpec", "cluster-history: taskSpec"],
      ...["cluster-namenode: taskSpec", "cluster-datanode: taskSpec", "cluster-notebook: taskSpec"],
      ...["cluster-mongo: taskSpec", "cluster-mongo-express: taskSpec"],
      ...["cluster-gateway: image", "dashboard-container: image"],
      "cluster-services: services", // a digest of each, in which is too where this machine has the lake, and whose it is
    ],
  },
};

const oursOf = (stack: string): Ours => OURS[stack] ?? { content: [], names: [] };

const matches = (pattern: string, text: string): boolean => {
  const [before = "", after] = pattern.split("*");
  return after === undefined ? text === pattern : text.startsWith(before) && text.endsWith(after);
};

/** Stands in a preview for what only `up` will know. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const withoutDigests = (text: string): string => text.replace(/(?<![0-9a-z])[0-9a-f]{8,64}(?![0-9a-z])/g, "...");

/** Whether two values differ in nothing but digests. */
function alike(old: unknown, now: unknown): boolean {
  if (now === UNKNOWN) return true;
  if (typeof old === "string" && typeof now === "string") return withoutDigests(old) === withoutDigests(now);
  if (typeof old !== "object" || typeof now !== "object" || !old || !now) return old === now;
  const [before, after] = [old, now] as Record<string, unknown>[];
  const keys = new Set([...Object.keys(old), ...Object.keys(now)]);
  // What follows "-e" is a program, and content.
  return [...keys].every((key) => before?.[Number(key) - 1] === "-e" || alike(before?.[key], after?.[key]));
}

interface Step {
  readonly op: string;
  readonly urn: string;
  readonly oldState?: StateResource;
  readonly newState?: StateResource;
  readonly diffReasons?: readonly string[] | null;
}

function isOurs(stack: string, { op, urn, oldState, newState }: Step, property: string): boolean {
  const { content, names } = oursOf(stack);
  const change = `${nameOf(urn)}: ${property}`;
  if (op !== "update" && op !== "replace") return false;
  if (content.some((pattern) => matches(pattern, change))) return true;
  const isNamed = names.some((pattern) => matches(pattern, change));
  return isNamed && alike(oldState?.inputs?.[property], newState?.inputs?.[property]);
}

interface Preview {
  /** Whether there is anything to do. */
  readonly isEmpty: boolean;
  /** What nobody allowed: "update aws:lambda/function:Function reaper-function: timeout", one line for each property. */
  readonly others: readonly string[];
  readonly warnings: readonly string[];
}

/** The fake providers have no version, and Pulumi tells of outputs that a stack doesn't have. */
const USUAL = /resource plugin \w+ is expected to have version|Undefined value \(\w+\) will not show/;

/** What the engine would do, and what it warns of. */
async function preview(project: Engine, stack: string): Promise<Preview> {
  const text = await project.mustPulumi("preview", "--json", "--stack", stack);
  const { steps, changeSummary, diagnostics } = JSON.parse(text) as {
    readonly steps: readonly Step[];
    readonly changeSummary: Readonly<Record<string, number>>;
    readonly diagnostics: readonly { readonly severity: string; readonly message: string }[];
  };
  expect(changeSummary.same, "the state was taken").toBeGreaterThan(20);
  const others = steps
    .filter(({ op }) => op !== "same") // of those only the stack's own is told
    .flatMap((step) => {
      const what = `${step.op} ${step.urn.split("::")[2]?.split("$").at(-1)} ${nameOf(step.urn)}`;
      if (step.op === "create" && isNew(stack, step.urn)) return [];
      if (!step.diffReasons?.length) return [what];
      return step.diffReasons.filter((property) => !isOurs(stack, step, property)).map((one) => `${what}: ${one}`);
    });
  const warnings = diagnostics
    .filter(({ severity, message }) => !/^info/.test(severity) && !USUAL.test(message))
    .map(({ message }) => message);
  return { isEmpty: Object.keys(changeSummary).every((op) => op === "same"), others: others.sort(), warnings };
}

const outputsIn = ({ deployment: { resources } }: State) =>
  resources.find(({ type }) => type === "pulumi:pulumi:Stack")?.outputs;
const urnsIn = ({ deployment: { resources } }: State) => resources.map(({ urn }) => urn).sort();
const isNew = (stack: string, urn: string) => oursOf(stack).files?.includes(nameOf(urn)) ?? false;

const fixtures = versions().flatMap((version) => statesOf(version).map((name) => [name, version] as const));

test("there are states of every stack", () => {
  expect([...new Set(fixtures.map(([name]) => name))].sort()).toEqual(Object.keys(CLOUDS).sort());
});

describe.each(fixtures)("a stack %s that version %s left", (name, version) => {
  const under = CLOUDS[name] as (typeof CLOUDS)[string];
  const before = readState(version, name);
  let project: Engine;
  let seen: Preview;
  const act = (what: string, ...more: readonly string[]) =>
    project.mustPulumi(what, "--yes", "--skip-preview", "--stack", under.stack, ...more);
  beforeAll(async () => {
    project = await engineOfBefore(under, before);
    seen = await preview(project, under.stack);
  });
  afterAll(() => project?.remove());

  test("has nothing changed but the content of our own code, and is warned of nothing", () => {
    expect(seen.others).toEqual([]);
    expect(seen.warnings).toEqual([]);
    expect(project.provider.events).toEqual([]);
  });

  test("is brought up with the same resources and outputs, and then there is nothing to do", async () => {
    if (!seen.isEmpty) await act("up");
    await act("up", "--expect-no-changes");
    const state = JSON.parse(await project.mustPulumi("stack", "export", "--show-secrets", "--stack", under.stack));
    expect(JSON.stringify(outputsIn(state)).replaceAll(project.folder, "{project}")).toBe(
      JSON.stringify(outputsIn(before)).replaceAll("npx oneoff", "npx --no oneoff"), // a command that is to be typed
    );
    const old = urnsIn(before);
    expect(urnsIn(state).filter((urn) => old.includes(urn) || !isNew(under.stack, urn))).toEqual(old);
  });

  test("has not drifted, and is destroyed to nothing", async () => {
    await act("refresh", "--expect-no-changes");
    await act("destroy");
    expect([...project.provider.ledger.values()]).toEqual([]);
  });
});

test("a change that nobody allowed is named, with its resource and its property", async () => {
  const [version = ""] = versions();
  const under = CLOUDS["emr-oneoff"] as (typeof CLOUDS)[string];
  const altered = readState(version, "emr-oneoff");
  for (const resource of altered.deployment.resources) {
    const set = (property: string, change: (old: string) => unknown) => {
      resource.inputs = { ...resource.inputs, [property]: change(String(resource.inputs?.[property])) };
    };
    const name = nameOf(resource.urn);
    if (name === "reaper-logs") set("retentionInDays", () => 99);
    if (name === "dashboard-current") resource.urn = `${resource.urn}-of-before`;
    if (name === "cluster-guard") set("input", (text) => text.replace('"cluster":"cluster"', '"cluster":"other"'));
    // What is allowed to change is not told of.
    if (name === "cluster-launcher-function") set("code", () => ({}));
    if (name.startsWith("cluster-emr-")) set("key", (key) => key.replace(/[0-9a-f]{16}/, "0123456789abcdef"));
  }
  const project = await engineOfBefore(under, altered);
  try {
    expect((await preview(project, under.stack)).others).toEqual([
      "create aws:s3/bucketObjectv2:BucketObjectv2 dashboard-current",
      "delete aws:s3/bucketObjectv2:BucketObjectv2 dashboard-current-of-before",
      "update aws:cloudwatch/logGroup:LogGroup reaper-logs: retentionInDays",
      "update aws:lambda/invocation:Invocation cluster-guard: input",
    ]);
  } finally {
    project.remove();
  }
});
