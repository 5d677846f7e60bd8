import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Event, Resource } from "../engine/fake-provider.ts";
import {
  type Engine,
  engine,
  provesFailures,
  provesLifecycle,
  provesRefusals,
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

describe("on the real engine, with providers that make nothing", { timeout: 300_000 }, () => {
  test("up, an empty second up, destroy to nothing, in two sizes", async () => {
    [made, madeLarge] = await Promise.all([provesLifecycle(under), provesLifecycle(large)]);
    expect(countsOf(made)).toMatchInlineSnapshot(`
      {
        "Bucket": 1,
        "BucketLifecycleConfiguration": 1,
        "BucketObjectv2": 23,
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
        "RolePolicy": 5,
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

describe("one stack through its life", { timeout: 300_000 }, () => {
  let project: Engine;
  const up = (...more: readonly string[]) =>
    project.mustPulumi("up", "--yes", "--skip-preview", "--stack", under.stack, ...more);
  beforeAll(async () => {
    project = await engine(under);
    await up();
  }, 120_000);
  afterAll(() => project.remove());

  const at = (what: Event["what"], name: string) => {
    const index = project.provider.events.findIndex((event) => event.what === what && event.name === name);
    expect(index, `${what} ${name}`).toBeGreaterThanOrEqual(0);
    return index;
  };
  const outputs = async () => JSON.parse(await project.mustPulumi("stack", "output", "--json", "--stack", under.stack));

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
      dashboard: "npx oneoff open emr-oneoff",
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

  test("a new run id changes the run and nothing else", async () => {
    const before = project.provider.events.length;
    await project.mustPulumi("config", "set", "oneoff:runId", "2", "--stack", under.stack);
    await up();
    expect(project.provider.events.slice(before)).toEqual([
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

test("what is refused, is refused before anything is made", { timeout: 300_000 }, async () => {
  await provesRefusals(under, [
    [{ "oneoff:spot": "true", "oneoff:spotFallback": "" }, "oneoff:spotFallback"],
    [{ "oneoff:workers": "0" }, 'oneoff:workers is "0": expected a number above zero'],
    [{ "oneoff:maxCost": "0.10" }, "oneoff:maxCost is 0.1 USD and this can cost up to"],
    [{ "oneoff:keepAlive": "true" }, "oneoff:keepAlive needs oneoff:idle: how long"],
    [{ "oneoff:sshKey": "me", "oneoff:sshCidr": "0.0.0.0/0" }, 'oneoff:sshCidr is "0.0.0.0/0": that is the world'],
    [{ "oneoff:subnets": "subnet-1" }, "oneoff:subnets is set and oneoff:vpc is not: give the VPC"],
    [{ "oneoff:vpc": "vpc-1" }, "oneoff:vpc is set and oneoff:subnets is not: give at least one, or set neither"],
    [{ "oneoff:reads": "books" }, 'oneoff:reads has "books": expected a bucket or what is below it'],
    [{ "oneoff:deadline": "8 days" }, 'oneoff:deadline is "8 days": expected something from "20 minutes" to "7 days"'],
    [{ "oneoff:bucket": "My Bucket" }, 'bucket is "My Bucket": expected 3 to 63'],
    [{ "oneoff:workerTypes": "m6i.xlarge" }, 'oneoff:workerTypes has "m6i.xlarge" (x86_64)'],
    [{ "oneoff:dashboardType": "x.huge" }, 'instance type is "x.huge": its price is not known'],
    [{ "aws:region": "" }, "there is no region: pulumi config set aws:region us-west-2, or set AWS_REGION"],
  ]);
});

test("a failure at one resource of each kind leaves nothing after destroy", { timeout: 900_000 }, async () => {
  const kinds = new Map(made.map((resource) => [resource.type, resource]));
  await provesFailures(under, [...kinds.values()]);
});
