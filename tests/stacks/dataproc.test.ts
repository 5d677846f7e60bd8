import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event, Resource } from "../engine/fake-provider.ts";
import { type Engine, engine, provesFailures, provesLifecycle, provesRefusals, provesUp } from "../engine/harness.ts";
import { dataproc } from "./dataproc-modes.ts";
import { breaches } from "./gcp-rules.ts";

const under = dataproc("workflow");
const stays = dataproc("cluster");
const serverless = dataproc("batch");

const shortType = (type: string) => type.split(":").at(-1) as string;
const countsOf = (resources: readonly Resource[]) => {
  const counts: Record<string, number> = {};
  for (const { type } of resources) counts[shortType(type)] = (counts[shortType(type)] ?? 0) + 1;
  return counts;
};

let made: (readonly Resource[])[];
let madeToStay: readonly Resource[];

describe("a stack with a cluster that stays, through its life", { timeout: 300_000 }, () => {
  let project: Engine;
  const up = (...more: readonly string[]) =>
    project.mustPulumi("up", "--yes", "--skip-preview", "--stack", stays.stack, ...more);
  beforeAll(async () => {
    project = await engine(stays);
  }, 120_000);
  afterAll(() => project.remove());

  const at = (what: Event["what"], name: string) => {
    const index = project.provider.events.findIndex((event) => event.what === what && event.name === name);
    expect(index, `${what} ${name}`).toBeGreaterThanOrEqual(0);
    return index;
  };
  const outputs = async () => JSON.parse(await project.mustPulumi("stack", "output", "--json", "--stack", stays.stack));

  test("a preview makes nothing, an up everything, and a second up changes nothing", async () => {
    madeToStay = await provesUp(project, stays.stack);
  });

  test("the outputs are ready to use", async () => {
    const { bill, ceiling, ...rest } = await outputs();
    expect(rest).toEqual({
      cluster: "dataproc",
      run: "1",
      mode: "cluster",
      project: "my-project",
      region: "europe-west1",
      clusterName: expect.stringMatching(/^oneoff-dataproc-1-[0-9a-f]{8}$/),
      notebook: expect.stringMatching(/^https:.*jupyter/),
      orchestrator: expect.stringMatching(/^oneoff-[0-9a-f]{8}$/),
      deadline: "90 minutes",
      lake: expect.stringMatching(/^gs:\/\/oneoff-dataproc-lake-[0-9a-f]{8}$/),
      dataset: expect.stringMatching(/^oneoff_dataproc_lake_[0-9a-f]{8}$/),
      logs: expect.stringMatching(/^gs:\/\/oneoff-dataproc-lake-[0-9a-f]{8}\/_logs\/$/),
      dashboard: "npx --no oneoff open dataproc",
      dashboardInstance: expect.any(String),
      dashboardZone: "europe-west1-b",
      dashboardDeadline: "7 days",
    });
    expect(ceiling).toBeCloseTo(
      bill.reduce((sum: number, { usd }: { usd: number }) => sum + usd, 0),
      1,
    );
  });

  test("a cluster is made when all that it needs is there, and needs no orchestrator for that", () => {
    for (const part of [
      "cluster-nodes",
      "cluster-nodes-worker",
      "network-internal",
      "lake-staging",
      "cluster-node-init.sh",
    ]) {
      expect(at("create", part)).toBeLessThan(at("create", "cluster-1"));
    }
    for (const part of ["cluster-orchestrator-lake", "cluster-orchestrator-acts", "cluster-launch"]) {
      expect(at("create", part)).toBeLessThan(at("create", "cluster-orchestrator-job"));
    }
  });

  test("a new run id has a cluster of its own with an end of its own, and starts the orchestrator again", async () => {
    const cluster = () => [...project.provider.ledger.values()].find(({ type }) => shortType(type) === "Cluster");
    const end = () => JSON.stringify(cluster()?.properties.clusterConfig).match(/"autoDeleteTime":"([^"]+)"/)?.[1];
    const first = end();
    const before = project.provider.events.length;
    await project.mustPulumi("config", "set", "oneoff:runId", "2", "--stack", stays.stack);
    await up();
    const changes = project.provider.events.slice(before).filter(({ type }) => !type.includes("DataTransferConfig"));
    expect(changes.map(({ what, name }) => `${what} ${name}`)).toEqual(
      expect.arrayContaining(["create cluster-2", "update cluster-orchestrator-job", "delete cluster-1"]),
    );
    expect(await outputs()).toMatchObject({ run: "2", clusterName: expect.stringContaining("-2-") });
    expect(Date.parse(end() as string)).toBeGreaterThan(Date.parse(first as string));
    await up("--expect-no-changes");
  });

  test("the orchestrator goes before what it needs, and the network after all machines", async () => {
    await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", stays.stack);
    for (const part of ["cluster-orchestrator-lake", "cluster-nodes", "lake-bucket", "network-subnet"]) {
      expect(at("delete", "cluster-orchestrator-job")).toBeLessThan(at("delete", part));
    }
    for (const machine of ["cluster-2", "dashboard-instance"]) {
      expect(at("delete", machine)).toBeLessThan(at("delete", "network-subnet"));
    }
    expect([...project.provider.ledger.values()]).toEqual([]);
  });
});

describe("on the real engine, with providers that make nothing", { timeout: 300_000 }, () => {
  test("up, an empty second up, destroy to nothing, in all modes", async () => {
    made = [...(await Promise.all([under, serverless].map(provesLifecycle))), madeToStay];
    const [workflow = {}, batch = {}, cluster = {}] = made.map(countsOf);
    expect(workflow).toMatchInlineSnapshot(`
      {
        "Account": 4,
        "Bucket": 3,
        "BucketIAMMember": 8,
        "BucketObject": 34,
        "DataTransferConfig": 5,
        "Dataset": 1,
        "DatasetIamMember": 3,
        "Firewall": 3,
        "IAMMember": 8,
        "Instance": 1,
        "Job": 1,
        "Network": 1,
        "RandomId": 5,
        "Service": 1,
        "ServiceIdentity": 1,
        "Subnetwork": 1,
        "Table": 4,
        "WorkflowTemplate": 1,
      }
    `);
    const { WorkflowTemplate: _, BucketObject: objects = 0, ...alike } = workflow;
    const { IAMMember = 0, DatasetIamMember = 0 } = alike;
    // The notebook, and what it may do with tables.
    const interactive = { IAMMember: IAMMember + 1, DatasetIamMember: DatasetIamMember + 1 };
    expect(cluster).toEqual({ ...alike, ...interactive, Cluster: 1, BucketObject: objects + 1 });
    expect(batch).toEqual({ ...alike, BucketObject: objects });
  });

  test("no resource breaks a rule", () => {
    expect(made.map((resources) => breaches(resources))).toEqual([[], [], []]);
  });
});

test("what is refused, is refused before anything is made", { timeout: 300_000 }, async () => {
  await provesRefusals(under, [
    [
      { "oneoff:mode": "cluster", "oneoff:idle": "2 minutes" },
      'oneoff:idle is "2 minutes": expected something from "5 minutes"',
    ],
    [{ "oneoff:workers": "1" }, "oneoff:workers is 1: Dataproc takes 2 or more"],
  ]);
});

test("a failure at one resource of each kind leaves nothing after destroy", { timeout: 900_000 }, async () => {
  const kinds = new Map(made[0]?.map((resource) => [resource.type, resource]));
  expect(kinds.size).toBeGreaterThan(15);
  await provesFailures(under, [...kinds.values()]);
});
