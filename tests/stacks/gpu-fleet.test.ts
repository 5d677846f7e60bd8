import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Resource } from "../engine/fake-provider.ts";
import { configure, type Engine, engine, provesUp, type StackUnderTest } from "../engine/harness.ts";
import { fakeAws } from "./fake-aws.ts";
import { breaches } from "./rules.ts";

const under: StackUnderTest = { stack: "gpu-fleet", packages: ["aws", "random"], fake: fakeAws };
const ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKHEChAmZ9zGsNNpnjqiZTqGJC8rgl1ReuEJFOWd3kVF ada@laptop\n";

const shortType = (type: string) => type.split(":").at(-1) as string;
const countsOf = (resources: readonly Resource[]) => {
  const counts: Record<string, number> = {};
  for (const { type } of resources) counts[shortType(type)] = (counts[shortType(type)] ?? 0) + 1;
  return counts;
};

describe("a fleet through its life, on the real engine, with providers that make nothing", { timeout: 300_000 }, () => {
  let project: Engine;
  let made: readonly Resource[];
  const up = (...more: readonly string[]) =>
    project.mustPulumi("up", "--yes", "--skip-preview", "--stack", under.stack, ...more);
  /** What an `up` with other settings does, by "create name". */
  const changed = async (settings: Readonly<Record<string, string | undefined>>) => {
    const before = project.provider.events.length;
    configure(project, under.stack, settings);
    await up();
    return project.provider.events.slice(before).map(({ what, name }) => `${what} ${name}`);
  };
  beforeAll(async () => {
    project = await engine(under);
  }, 120_000);
  afterAll(() => project.remove());

  test("a preview makes nothing, an up everything, and a second up changes nothing", async () => {
    made = await provesUp(project, under.stack);
    expect(countsOf(made)).toMatchInlineSnapshot(`
      {
        "Bucket": 1,
        "BucketLifecycleConfiguration": 1,
        "BucketObjectv2": 69,
        "BucketPolicy": 1,
        "BucketPublicAccessBlock": 1,
        "BucketServerSideEncryptionConfiguration": 1,
        "CatalogDatabase": 1,
        "CatalogTable": 8,
        "EventRule": 1,
        "EventTarget": 1,
        "Function": 3,
        "Group": 1,
        "Instance": 5,
        "InstanceProfile": 4,
        "InternetGateway": 1,
        "Invocation": 2,
        "LaunchTemplate": 3,
        "LogGroup": 3,
        "NetworkInterface": 4,
        "Parameter": 1,
        "Permission": 1,
        "RandomId": 1,
        "RandomPassword": 1,
        "Role": 9,
        "RolePolicy": 10,
        "RouteTable": 2,
        "RouteTableAssociation": 4,
        "SecurityGroup": 3,
        "SecurityGroupEgressRule": 4,
        "SecurityGroupIngressRule": 2,
        "Subnet": 4,
        "Volume": 4,
        "VolumeAttachment": 4,
        "Vpc": 2,
        "VpcEndpoint": 5,
        "Workgroup": 1,
      }
    `);
    expect(breaches(made)).toEqual([]);
  });

  test("GPUs on changes the workers, and what applications ask for; no data node, no disk", async () => {
    const done = await changed({ "oneoff:gpu": "L4,A10G", "oneoff:capacity": "gang" });
    expect(done.sort()).toEqual([
      "create fleet-gpu-worker-config",
      "create fleet-gpu-worker-template",
      "delete fleet-worker-template",
      "update fleet-spark-conf",
      "update fleet-workers",
    ]);
    const workers = [...project.provider.ledger.values()].find(({ name }) => name === "fleet-workers");
    expect(workers?.properties.tags).toContainEqual({
      key: "oneoff:gang",
      value: "10 minutes",
      propagateAtLaunch: false,
    });
  });

  test("a user is an object of the lake, and no machine", async () => {
    const keys = join(project.folder, "keys");
    mkdirSync(keys);
    writeFileSync(join(keys, "ada.pub"), ADA);
    expect(await changed({ "oneoff:users": "keys" })).toEqual(["update fleet-users"]);
  });

  test("a new run id is another run, and what scores flows is told to the head, and to no other machine", async () => {
    const done = await changed({ "oneoff:runId": "2", "oneoff:app": "true" });
    const software = /^create fleet-(scoring-|jobs-|requirements-scoring$)/;
    expect(done.filter((one) => !software.test(one)).sort()).toEqual([
      "create fleet-app-policy",
      "create fleet-app-role",
      "create fleet-run-2",
      "create fleet-staged-head",
      "delete fleet-run-1",
      "update fleet-head", // which AWS's provider makes anew, as its user data is another
      "update fleet-head-config",
      "update fleet-head-policy",
    ]);
  });

  test("off, by a clock and on again are one object, which the reaper reads", async () => {
    const told = () =>
      [...project.provider.ledger.values()].find(({ name }) => name === "fleet-power")?.properties.content;
    const clock = {
      "oneoff:powerOn": "0 8 * * 1-5",
      "oneoff:powerOff": "30 18 * * *",
      "oneoff:timeZone": "Europe/Berlin",
    };
    for (const [settings, content] of [
      [{ "oneoff:power": "off" }, { power: "off" }],
      [
        { "oneoff:power": "schedule", ...clock },
        { power: "schedule", on: "0 8 * * 1-5", off: "30 18 * * *", timeZone: "Europe/Berlin" },
      ],
      [{ "oneoff:power": "on" }, { power: "on" }],
    ] as const) {
      expect(await changed(settings)).toEqual(["update fleet-power"]);
      expect(JSON.parse(String(told()))).toEqual(content);
    }
  });

  test("YARN in place of Spark's own master is another head and other workers; no data node, no disk", async () => {
    const done = await changed({ "oneoff:scheduler": "yarn" });
    expect(done.filter((one) => !/^create fleet-(yarn|images|jars-yarn)\b/.test(one)).sort()).toEqual([
      "create fleet-staged-head",
      "create fleet-staged-worker",
      "delete fleet-staged-head",
      "update fleet-gpu-worker-config",
      "update fleet-gpu-worker-template", // whose next version the group's machines begin with
      "update fleet-head",
      "update fleet-head-config",
      "update fleet-spark-conf",
    ]);
    await changed({ "oneoff:scheduler": undefined });
  });

  test("workers that the reaper gave back stay away, also when that was read by a refresh", async () => {
    const group = [...project.provider.ledger.values()].find(({ name }) => name === "fleet-workers") as Resource;
    project.provider.change(group.id, { desiredCapacity: 0 });
    await project.mustPulumi("refresh", "--yes", "--skip-preview", "--stack", under.stack);
    expect(await changed({})).toEqual([]);
    // More of them: there may be so many, and the reaper asks for them once it is awake.
    expect(await changed({ "oneoff:workers": "3" })).toEqual(["update fleet-workers"]);
    expect(project.provider.ledger.get(group.id)?.properties).toMatchObject({ maxSize: 3, desiredCapacity: 0 });
    await changed({ "oneoff:workers": undefined });
  });

  test("a data node more is one with a disk and an address, and the others stay", async () => {
    const done = await changed({ "oneoff:datanodes": "4" });
    expect([...done].sort()).toEqual([
      "create fleet-data-4",
      "create fleet-data-4-attachment",
      "create fleet-data-4-card",
      "create fleet-data-4-config",
      "create fleet-data-4-disk",
      "update fleet-members",
      "update fleet-settled",
    ]);
    const order = ["update fleet-members", "update fleet-settled", "create fleet-data-4"].map((one) =>
      done.indexOf(one),
    );
    expect(order, "a namenode sends away whom it doesn't know").toEqual([...order].sort((a, b) => a - b));
  });

  test("what the reaper ends is made after it and goes before it, and all of it goes", async () => {
    await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", under.stack);
    expect([...project.provider.ledger.values()]).toEqual([]);
    const at = (what: string, name: string) => {
      const index = project.provider.events.findIndex((event) => event.what === what && event.name === name);
      expect(index, `${what} ${name}`).toBeGreaterThanOrEqual(0);
      return index;
    };
    for (const costs of ["fleet-head", "fleet-data-1", "fleet-data-1-disk", "fleet-workers", "dashboard-instance"]) {
      expect(at("create", "reaper-target")).toBeLessThan(at("create", costs));
      expect(at("delete", costs)).toBeLessThan(at("delete", "reaper-target"));
    }
  });
});
