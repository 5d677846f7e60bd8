import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event, Resource } from "../engine/fake-provider.ts";
import {
  type Engine,
  engine,
  provesFailures,
  provesLifecycle,
  provesRefusals,
  provesUp,
  type StackUnderTest,
} from "../engine/harness.ts";
import { fakeAws } from "./fake-aws.ts";
import { breaches } from "./rules.ts";

const under: StackUnderTest = { stack: "emr-oneoff", packages: ["aws", "random", "tls"], fake: fakeAws };
const large: StackUnderTest = { ...under, stack: "emr-oneoff-large" };

const shortType = (type: string) => type.split(":").at(-1) as string;
const countsOf = (resources: readonly Resource[]) => {
  const counts: Record<string, number> = {};
  for (const { type } of resources) counts[shortType(type)] = (counts[shortType(type)] ?? 0) + 1;
  return counts;
};

let made: readonly Resource[];
let madeLarge: readonly Resource[];

describe("one stack through its life, on the real engine, with providers that make nothing", {
  timeout: 300_000,
}, () => {
  let project: Engine;
  const up = (...more: readonly string[]) =>
    project.mustPulumi("up", "--yes", "--skip-preview", "--stack", under.stack, ...more);
  beforeAll(async () => {
    project = await engine(under);
  }, 120_000);
  afterAll(() => project.remove());

  const at = (what: Event["what"], name: string) => {
    const index = project.provider.events.findIndex((event) => event.what === what && event.name === name);
    expect(index, `${what} ${name}`).toBeGreaterThanOrEqual(0);
    return index;
  };
  const outputs = async () => JSON.parse(await project.mustPulumi("stack", "output", "--json", "--stack", under.stack));

  test("a preview makes nothing, an up everything, and a second up changes nothing", async () => {
    made = await provesUp(project, under.stack);
    expect(countsOf(made)).toMatchInlineSnapshot(`
      {
        "Bucket": 1,
        "BucketLifecycleConfiguration": 1,
        "BucketObjectv2": 31,
        "BucketPolicy": 1,
        "BucketPublicAccessBlock": 1,
        "BucketServerSideEncryptionConfiguration": 1,
        "CatalogDatabase": 1,
        "CatalogTable": 4,
        "EventRule": 1,
        "EventTarget": 1,
        "Function": 2,
        "Instance": 1,
        "InstanceProfile": 2,
        "InternetGateway": 1,
        "Invocation": 2,
        "Key": 1,
        "LaunchTemplate": 1,
        "LogGroup": 2,
        "Permission": 1,
        "PrivateKey": 1,
        "RandomId": 2,
        "Role": 5,
        "RolePolicy": 6,
        "RolePolicyAttachment": 1,
        "RouteTable": 1,
        "RouteTableAssociation": 2,
        "SecurityConfiguration": 1,
        "SecurityGroup": 3,
        "SecurityGroupEgressRule": 3,
        "SelfSignedCert": 1,
        "Subnet": 2,
        "Vpc": 1,
        "VpcEndpoint": 1,
        "Workgroup": 1,
      }
    `);
  });

  test("the reaper is there before anything that it must end", () => {
    for (const part of ["reaper-target", "reaper-permission", "reaper-function", "reaper-policy"]) {
      expect(at("create", part)).toBeLessThan(at("create", "cluster-guard"));
      expect(at("create", "cluster-guard")).toBeLessThan(at("create", "cluster-run"));
      expect(at("create", part)).toBeLessThan(at("create", "dashboard-instance"));
    }
  });

  test("the outputs are ready to use", async () => {
    const { bill, ceiling, ...rest } = await outputs();
    expect(rest).toEqual({
      cluster: "emr",
      run: "1",
      clusterId: "j-RUN1",
      deadline: "90 minutes",
      keepAlive: false,
      lake: expect.stringMatching(/^s3:\/\/oneoff-emr-oneoff-lake-[0-9a-f]{8}$/),
      logs: expect.stringMatching(/^s3:\/\/oneoff-emr-oneoff-lake-[0-9a-f]{8}\/_logs\/$/),
      region: "us-west-2",
      dashboard: "npx --no oneoff open emr-oneoff",
      dashboardInstance: expect.stringMatching(/^dashboard-instance-/),
      dashboardDeadline: "7 days",
    });
    expect(ceiling).toBeCloseTo(
      bill.reduce((sum: number, { usd }: { usd: number }) => sum + usd, 0),
      1,
    );
  });

  test("a cluster that has ended is no drift: after a refresh there is nothing to do", async () => {
    await project.mustPulumi("refresh", "--yes", "--skip-preview", "--stack", under.stack);
    await up("--expect-no-changes");
  });

  test("a new run id changes the run, tells what made it, and nothing else", async () => {
    const before = project.provider.events.length;
    await project.mustPulumi("config", "set", "oneoff:runId", "2", "--stack", under.stack);
    await up();
    expect(project.provider.events.slice(before)).toEqual([
      { what: "create", type: "aws:s3/bucketObjectv2:BucketObjectv2", name: "cluster-origin-2" },
      { what: "create", type: "aws:lambda/invocation:Invocation", name: "cluster-run" },
      { what: "delete", type: "aws:lambda/invocation:Invocation", name: "cluster-run" },
    ]);
    expect(await outputs()).toMatchObject({ run: "2", clusterId: "j-RUN2" });
  });

  test("the reaper goes after what it ends, and the machines' roles after the machines", async () => {
    await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", under.stack);
    for (const part of [
      "reaper-target",
      "reaper-function",
      "reaper-policy",
      "cluster-nodes",
      "cluster-service",
      "cluster-primary-group",
    ]) {
      expect(at("delete", "cluster-guard")).toBeLessThan(at("delete", part));
    }
    for (const part of ["reaper-target", "dashboard-role", "dashboard-group"]) {
      expect(at("delete", "dashboard-instance")).toBeLessThan(at("delete", part));
    }
    expect([...project.provider.ledger.values()]).toEqual([]);
  });
});

describe("another stack, of another size", { timeout: 300_000 }, () => {
  test("up, an empty second up, destroy to nothing", async () => {
    madeLarge = await provesLifecycle(large);
    expect(countsOf(madeLarge)).toEqual(countsOf(made));
  });

  test("no resource breaks a rule", () => {
    expect(breaches(made)).toEqual([]);
    expect(breaches(madeLarge)).toEqual([]);
  });

  test("two stacks in one account have no name in common", () => {
    const names = (resources: readonly Resource[]) =>
      resources.flatMap(({ type, properties: { name, bucket } }) =>
        type === "aws:s3/bucket:Bucket"
          ? [bucket]
          : type.startsWith("aws:") && !type.includes(":CatalogTable") && name
            ? [name]
            : [],
      );
    expect(names(made).length).toBeGreaterThan(20);
    expect(names(made).filter((name) => names(madeLarge).includes(name))).toEqual([]);
  });
});

test("what is refused, is refused before anything is made", { timeout: 300_000 }, async () => {
  await provesRefusals(under, [
    [{ "oneoff:workers": "0" }, 'oneoff:workers is "0": expected a number above zero'],
    [{ "oneoff:maxCost": "0.10" }, "oneoff:maxCost is 0.1 USD and this can cost up to"],
  ]);
});

test("a failure at one resource of each kind leaves nothing after destroy", { timeout: 900_000 }, async () => {
  const kinds = new Map(made.map((resource) => [resource.type, resource]));
  await provesFailures(under, [...kinds.values()]);
});
