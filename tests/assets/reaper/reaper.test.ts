import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
  DescribeAutoScalingGroupsCommand,
  UpdateAutoScalingGroupCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  CreateTagsCommand,
  CreateVolumeCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  EC2Client,
  paginateDescribeInstances,
  RunInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import {
  DescribeClusterCommand,
  EMRClient,
  paginateListClusters,
  RunJobFlowCommand,
  TerminateJobFlowsCommand,
} from "@aws-sdk/client-emr";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { Clients } from "../../../assets/reaper/clients.ts";
import { handler } from "../../../assets/reaper/index.ts";
import { overdue } from "../../../assets/reaper/overdue.ts";
import { reap } from "../../../assets/reaper/reap.ts";
import { ReaperReport } from "../../../core/fleet-lake.ts";
import { type Moto, startMoto } from "../../moto.ts";

const STACK = "oneoff/emr-oneoff";
const HOUR = 3_600_000;
const hoursOn = (hours: number) => new Date(Date.now() + hours * HOUR);
const image = "ami-12c6146b"; // one that moto knows

let moto: Moto;
let clients: Clients;

beforeAll(async () => {
  moto = await startMoto();
  clients = {
    emr: new EMRClient({}),
    autoScaling: new AutoScalingClient({}),
    ec2: new EC2Client({}),
    s3: new S3Client({ forcePathStyle: true }),
  };
});
afterAll(() => moto?.close());
afterEach(() => moto.reset());

type Tags = Readonly<Record<string, string>>;
const ours = (deadline?: string, more: Tags = {}): Tags => ({
  "oneoff:stack": STACK,
  ...(deadline !== undefined && { "oneoff:deadline": deadline }),
  ...more,
});
const list = (tags: Tags) => Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

async function cluster(tags: Tags, TerminationProtected = false): Promise<string> {
  const Instances = { KeepJobFlowAliveWhenNoSteps: true, TerminationProtected };
  const { JobFlowId } = await clients.emr.send(
    new RunJobFlowCommand({ Name: "a cluster", ReleaseLabel: "emr-7.13.0", Instances, Tags: list(tags) }),
  );
  return JobFlowId as string;
}

async function clusterState(id: string): Promise<string | undefined> {
  const { Cluster } = await clients.emr.send(new DescribeClusterCommand({ ClusterId: id }));
  return Cluster?.Status?.State;
}

async function instance(tags: Tags): Promise<string> {
  const specification = { ResourceType: "instance" as const, Tags: list(tags) };
  const { Instances } = await clients.ec2.send(
    new RunInstancesCommand({ ImageId: image, MinCount: 1, MaxCount: 1, TagSpecifications: [specification] }),
  );
  return Instances?.[0]?.InstanceId as string;
}

async function instanceState(id: string): Promise<string | undefined> {
  const { Reservations } = await clients.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0]?.State?.Name;
}

async function group(name: string, tags: Tags): Promise<void> {
  await clients.autoScaling.send(
    new CreateAutoScalingGroupCommand({
      AutoScalingGroupName: name,
      LaunchConfigurationName: "configuration",
      MinSize: 1,
      MaxSize: 1,
      AvailabilityZones: ["us-west-2a"],
      Tags: list(tags).map((tag) => ({ ...tag, PropagateAtLaunch: true })),
    }),
  );
}

async function groupNames(): Promise<readonly string[]> {
  const { AutoScalingGroups } = await clients.autoScaling.send(new DescribeAutoScalingGroupsCommand({}));
  return (AutoScalingGroups ?? []).map(({ AutoScalingGroupName }) => AutoScalingGroupName as string).sort();
}

/** Lets a call fail whose input, as JSON, has this text. */
function failWhen(client: EMRClient | EC2Client | AutoScalingClient, command: string, text: string): void {
  // The clients' stacks differ in their types alone.
  (client as EMRClient).middlewareStack.add(
    (next, context) => async (args) => {
      if (context.commandName === command && JSON.stringify(args.input).includes(text)) {
        throw Object.assign(new Error("not today"), { name: "InternalServerException" });
      }
      return next(args);
    },
    { step: "initialize" },
  );
}

describe("what is overdue", () => {
  const created = new Date("2026-01-01T00:00:00Z");
  const at = (seconds: number) => new Date(created.getTime() + seconds * 1000);
  const decide = (tags: Tags, seconds: number) =>
    overdue({ kind: "cluster", id: "j-1", created, tags }, STACK, at(seconds));

  test("what is as old as its deadline, and not a second before", () => {
    expect(decide(ours("90 minutes"), 5399)).toBeUndefined();
    expect(decide(ours("90 minutes"), 5400)).toEqual({
      kind: "cluster",
      id: "j-1",
      ageSeconds: 5400,
      deadlineSeconds: 5400,
      deadlineTag: "90 minutes",
      legible: true,
    });
  });

  test.each([undefined, "", "soon", "90", "-1 minutes", "0 hours", "90 MINUTES"])(
    "without a legible deadline (%j) what is 7 days old",
    (deadline) => {
      expect(decide(ours(deadline), 7 * 86_400 - 1)).toBeUndefined();
      expect(decide(ours(deadline), 7 * 86_400)).toMatchObject({ legible: false, deadlineSeconds: 604_800 });
    },
  );

  test.each(["oneoff/emr-oneoff-2", "oneoff/emr", "Oneoff/emr-oneoff", ""])("never what is %j's", (stack) => {
    expect(decide({ "oneoff:stack": stack, "oneoff:deadline": "1 second" }, 1e9)).toBeUndefined();
  });

  test("never what has no tag of a stack", () => {
    expect(decide({ "oneoff:deadline": "1 second" }, 1e9)).toBeUndefined();
  });
});

describe("reap", () => {
  test("ends clusters that are overdue, protected ones too, and no bystander", async () => {
    const due = [await cluster(ours("90 minutes")), await cluster(ours("2 hours"), true)];
    const bystanders = [
      await cluster(ours("3 hours", { "oneoff:run": "2" })),
      await cluster({ "oneoff:stack": "oneoff/other", "oneoff:deadline": "90 minutes" }),
      await cluster({ "oneoff:deadline": "90 minutes" }),
      await cluster({}),
      await cluster(ours()),
      await cluster(ours("when it is done")),
    ];
    const ended = await cluster(ours("90 minutes"));
    await clients.emr.send(new TerminateJobFlowsCommand({ JobFlowIds: [ended] }));

    const entries = await reap(clients, STACK, hoursOn(2.01));

    expect(entries.map((entry) => [entry.event, entry.id]).sort()).toEqual(due.map((id) => ["ended", id]).sort());
    expect(await Promise.all(due.map(clusterState))).toEqual(["TERMINATED", "TERMINATED"]);
    expect(await Promise.all(bystanders.map(clusterState))).toEqual(bystanders.map(() => "WAITING"));
    expect(await reap(clients, STACK, hoursOn(2.01))).toEqual([]);
  });

  test("ends a cluster whose run is to be cancelled, however young, and no other run's or lake's", async () => {
    for (const Bucket of ["the-lake", "their-lake"]) {
      const CreateBucketConfiguration = { LocationConstraint: "us-west-2" } as const;
      await clients.s3.send(new CreateBucketCommand({ Bucket, CreateBucketConfiguration }));
    }
    await clients.s3.send(new PutObjectCommand({ Bucket: "the-lake", Key: "_cancels/1.json", Body: "{}" }));
    const of = (run: string, lake: string, more: Tags = {}) =>
      cluster({ ...ours("90 minutes", { "oneoff:run": run, "oneoff:lake": lake }), ...more }, true);
    const id = await of("1", "the-lake");
    const bystanders = await Promise.all([
      of("2", "the-lake"),
      of("1", "their-lake"),
      of("1", "lake-that-is-gone"),
      of("1", "the-lake", { "oneoff:stack": "oneoff/other" }),
    ]);
    expect(await reap(clients, STACK, new Date())).toEqual([{ event: "ended", kind: "cluster", id, cancelled: "1" }]);
    expect(await clusterState(id)).toBe("TERMINATED");
    expect(await Promise.all(bystanders.map(clusterState))).toEqual(bystanders.map(() => "WAITING"));
    expect(await reap(clients, STACK, new Date())).toEqual([]);
  });

  test("ends what is overdue though nobody can tell whether a run is to be cancelled", async () => {
    const s3 = new S3Client({ forcePathStyle: true });
    failWhen(s3 as never, "HeadObjectCommand", "the-lake");
    const tags = { "oneoff:run": "1", "oneoff:lake": "the-lake" };
    const [young, due] = [await cluster(ours("3 hours", tags)), await cluster(ours("90 minutes", tags))];
    const entries = await reap({ ...clients, s3 }, STACK, hoursOn(2));
    expect(entries.map(({ event, id }) => [event, id]).sort()).toEqual([
      ["ended", due],
      ["failed", young],
    ]);
  });

  test("ends what has no legible deadline after 7 days, and says so", async () => {
    const ids = [await cluster(ours()), await cluster(ours("when it is done"))];
    expect(await reap(clients, STACK, hoursOn(7 * 24 - 0.1))).toEqual([]);
    const entries = await reap(clients, STACK, hoursOn(7 * 24 + 0.1));
    expect(entries.map(({ id }) => id).sort()).toEqual(ids.sort());
    for (const entry of entries) expect(entry).toMatchObject({ event: "ended", legible: false });
  });

  test("finds clusters on every page", async () => {
    const bystander = await cluster({ "oneoff:stack": "oneoff/other", "oneoff:deadline": "1 hour" });
    const due = await Promise.all(Array.from({ length: 61 }, () => cluster(ours("1 hour"))));
    let pages = 0;
    for await (const _page of paginateListClusters({ client: clients.emr }, {})) pages += 1;
    expect(pages).toBeGreaterThan(1);

    const entries = await reap(clients, STACK, hoursOn(2));

    expect(entries.filter(({ event }) => event === "ended")).toHaveLength(61);
    expect(new Set(await Promise.all(due.map(clusterState)))).toEqual(new Set(["TERMINATED"]));
    expect(await clusterState(bystander)).toBe("WAITING");
  });

  test("ends groups that are overdue, and no bystander", async () => {
    await clients.autoScaling.send(
      new CreateLaunchConfigurationCommand({
        LaunchConfigurationName: "configuration",
        ImageId: image,
        InstanceType: "t3.micro",
      }),
    );
    await group("due", ours("90 minutes"));
    await group("young", ours("3 hours"));
    await group("other", { "oneoff:stack": "oneoff/other", "oneoff:deadline": "90 minutes" });
    await group("untagged", {});

    const entries = await reap(clients, STACK, hoursOn(2));

    expect(entries.filter(({ kind }) => kind === "group")).toMatchObject([{ event: "ended", id: "due" }]);
    expect(await groupNames()).toEqual(["other", "untagged", "young"]);
  });

  test("ends instances that are overdue, stopped ones too, and no bystander", async () => {
    const due = [await instance(ours("90 minutes")), await instance(ours("90 minutes"))];
    await clients.ec2.send(new StopInstancesCommand({ InstanceIds: [due[1] as string] }));
    const bystanders = [
      await instance(ours("3 hours")),
      await instance({ "oneoff:stack": "oneoff/other", "oneoff:deadline": "90 minutes" }),
      await instance({ Name: "somebody's" }),
    ];
    const ended = await instance(ours("90 minutes"));
    await clients.ec2.send(new TerminateInstancesCommand({ InstanceIds: [ended] }));

    const entries = await reap(clients, STACK, hoursOn(2));

    expect(entries.map(({ id }) => id).sort()).toEqual([...due].sort());
    expect(await Promise.all(due.map(instanceState))).toEqual(["terminated", "terminated"]);
    expect(await Promise.all(bystanders.map(instanceState))).toEqual(bystanders.map(() => "running"));
  });

  test("stopping and starting an instance doesn't make it younger", async () => {
    const due = await instance(ours("90 minutes"));
    const ec2 = new EC2Client({});
    ec2.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const { Reservations = [] } = result.output as { Reservations?: { Instances: { LaunchTime: Date }[] }[] };
        for (const { Instances } of Reservations) for (const one of Instances) one.LaunchTime = hoursOn(1.9);
        return result;
      },
      { step: "initialize" },
    );
    expect(await reap({ ...clients, ec2 }, STACK, hoursOn(2))).toMatchObject([{ event: "ended", id: due }]);
  });

  test("finds instances on every page", async () => {
    const due: string[] = [];
    for (let n = 0; n < 101; n += 1) due.push(await instance(ours("1 hour")));
    let pages = 0;
    for await (const _page of paginateDescribeInstances({ client: clients.ec2 }, {})) pages += 1;
    expect(pages).toBeGreaterThan(1);
    expect(await reap(clients, STACK, hoursOn(2))).toHaveLength(101);
  });

  test("goes on when one can't be ended, and one can't be described", async () => {
    const stubborn = await cluster(ours("1 hour"));
    const mute = await cluster(ours("1 hour"));
    const due = await Promise.all([1, 2, 3].map(() => cluster(ours("1 hour"))));
    const machine = await instance(ours("1 hour"));
    const emr = new EMRClient({});
    failWhen(emr, "TerminateJobFlowsCommand", stubborn);
    failWhen(emr, "DescribeClusterCommand", mute);

    const entries = await reap({ ...clients, emr }, STACK, hoursOn(2));

    expect(entries.filter(({ event }) => event === "failed")).toEqual([
      { event: "failed", kind: "cluster", id: mute, error: "InternalServerException: not today" },
      { event: "failed", kind: "cluster", id: stubborn, error: "InternalServerException: not today" },
    ]);
    expect(entries.filter(({ event }) => event === "ended").map(({ id }) => id)).toEqual(
      expect.arrayContaining([...due, machine]),
    );
    expect(await clusterState(stubborn)).toBe("WAITING");
    expect(await Promise.all(due.map(clusterState))).toEqual(due.map(() => "TERMINATED"));
    expect(await instanceState(machine)).toBe("terminated");
  });

  test("goes on when a service can't be asked at all", async () => {
    const machine = await instance(ours("1 hour"));
    const emr = new EMRClient({});
    failWhen(emr, "ListClustersCommand", "");
    const entries = await reap({ ...clients, emr }, STACK, hoursOn(2));
    expect(entries).toMatchObject([
      { event: "failed", kind: "cluster", id: "*" },
      { event: "ended", kind: "instance", id: machine },
    ]);
  });
});

describe("a fleet", () => {
  const role = (name: string) =>
    ours("2 hours", { ...fleet, "oneoff:role": name, "oneoff:idle": "1 hour", "oneoff:idle-off": "1 hour" });
  const fleet = { "oneoff:lake": "the-lake", "oneoff:cluster": "f" };
  let machines: string[];

  beforeEach(async () => {
    const CreateBucketConfiguration = { LocationConstraint: "us-west-2" } as const;
    await clients.s3.send(new CreateBucketCommand({ Bucket: "the-lake", CreateBucketConfiguration }));
    await clients.autoScaling.send(
      new CreateLaunchConfigurationCommand({
        LaunchConfigurationName: "configuration",
        ImageId: image,
        InstanceType: "t3.micro",
      }),
    );
    await group("workers", role("worker"));
    machines = [await instance(role("head")), await instance(role("data"))];
  });

  const workers = async () => {
    const { AutoScalingGroups } = await clients.autoScaling.send(new DescribeAutoScalingGroupsCommand({}));
    return AutoScalingGroups?.map(({ MinSize, DesiredCapacity, Instances = [] }) => [
      MinSize,
      DesiredCapacity,
      ...Instances.map(({ InstanceId }) => InstanceId as string),
    ]);
  };

  /** Writes what each machine says as one whose clock is `hours` fast, so that the reaper takes it for new. */
  async function report(hours: number): Promise<S3Client> {
    const [[, , worker] = []] = (await workers()) ?? [];
    const all = { head: machines[0], "data-1": machines[1], ...(worker && { [`worker-${worker}`]: worker }) };
    for (const [node, instance] of Object.entries(all)) {
      const now = hoursOn(hours).toISOString();
      const idle = { busy: false, reasons: [], idleSince: hoursOn(-1).toISOString(), looked: now };
      const what = {
        node,
        role: node.split("-")[0],
        instance,
        reported: now,
        state: "ready",
        problem: null,
        idle,
        rests: node === "head",
      };
      const Body = JSON.stringify(what);
      await clients.s3.send(new PutObjectCommand({ Bucket: "the-lake", Key: `_fleets/f/nodes/${node}.json`, Body }));
    }
    const s3 = new S3Client({ forcePathStyle: true });
    s3.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const { Contents = [] } = result.output as { Contents?: { LastModified: Date }[] };
        for (const one of Contents) one.LastModified = hoursOn(hours);
        return result;
      },
      { step: "initialize" },
    );
    return s3;
  }

  const said = async () => {
    const { Body } = await clients.s3.send(new GetObjectCommand({ Bucket: "the-lake", Key: "_fleets/f/reaper.json" }));
    return ReaperReport.parse(JSON.parse((await Body?.transformToString()) as string));
  };

  test("that nobody works on gives its workers back, and ends at its deadline with its disks", async () => {
    expect(await reap({ ...clients, s3: await report(0.9) }, STACK, hoursOn(0.9))).toEqual([]);
    expect(await workers()).toEqual([[1, 1, expect.any(String)]]);
    expect(await said()).toMatchObject({ why: [], nodesStop: expect.any(String) });

    expect(await reap({ ...clients, s3: await report(1.1) }, STACK, hoursOn(1.1))).toMatchObject([
      { event: "emptied", kind: "group", id: "workers" },
    ]);
    expect(await workers()).toEqual([[0, 0]]);
    expect(await said()).toMatchObject({ why: [], workersGo: null });

    const specification = { ResourceType: "volume" as const, Tags: list(role("data")) };
    const { VolumeId } = await clients.ec2.send(
      new CreateVolumeCommand({ AvailabilityZone: "us-west-2a", Size: 8, TagSpecifications: [specification] }),
    );
    const entries = await reap(clients, STACK, hoursOn(2.01));
    expect(entries.map((entry) => [entry.event, entry.id])).toEqual(
      ["workers", ...machines, VolumeId].map((id) => ["ended", id]),
    );
    expect(await Promise.all(machines.map(instanceState))).toEqual(["terminated", "terminated"]);
    const { Volumes = [] } = await clients.ec2.send(new DescribeVolumesCommand({}));
    expect(Volumes.filter(({ Tags = [] }) => Tags.length > 0)).toEqual([]);
    expect(await groupNames()).toEqual([]);
    expect(await reap(clients, STACK, hoursOn(2.1))).toEqual([]);
  });

  test("has its other machines stopped once its workers are gone, and stays so", async () => {
    await clients.autoScaling.send(
      new UpdateAutoScalingGroupCommand({ AutoScalingGroupName: "workers", MinSize: 0, DesiredCapacity: 0 }),
    );
    // The deadline is the same moment, so that it has to be another one.
    await clients.ec2.send(
      new CreateTagsCommand({ Resources: machines, Tags: [{ Key: "oneoff:deadline", Value: "1 day" }] }),
    );
    const s3 = await report(2.01);
    expect(await reap({ ...clients, s3 }, STACK, hoursOn(2.01))).toMatchObject(
      machines.map((id) => ({ event: "stopped", kind: "instance", id })),
    );
    expect(await Promise.all(machines.map(instanceState))).toEqual(["stopped", "stopped"]);
    expect(await reap({ ...clients, s3 }, STACK, hoursOn(5))).toEqual([]);
    expect(await said()).toMatchObject({ why: [], workersGo: null, nodesStop: null });

    for (const [power, events] of [
      ["off", []],
      ["on", ["started", "started", "filled"]],
    ] as const) {
      const Body = JSON.stringify({ power });
      await clients.s3.send(new PutObjectCommand({ Bucket: "the-lake", Key: "_fleets/f/power.json", Body }));
      const done = await reap({ ...clients, s3 }, STACK, hoursOn(5.1));
      expect(done.map(({ event }) => event)).toEqual(events);
    }
    expect(await Promise.all(machines.map(instanceState))).toEqual(["running", "running"]);
    expect(await workers()).toEqual([[0, 1, expect.any(String)]]);
  });

  test("is kept by a machine that doesn't report, and by a lake that isn't there", async () => {
    expect(await reap(clients, STACK, hoursOn(1.5))).toEqual([]);
    const { why } = await said();
    expect(why).toHaveLength(3);
    for (const sentence of why)
      expect(sentence).toMatch(/^(head|data-i-\w+|worker-i-\w+) hasn't reported since it started/);
    expect(await workers()).toEqual([[1, 1, expect.any(String)]]);

    const tags = { ...role("head"), "oneoff:lake": "lake-that-is-gone" };
    await instance(tags);
    expect(await reap(clients, STACK, hoursOn(1.5))).toMatchObject([
      { event: "left", kind: "fleet", id: "lake-that-is-gone/f", error: expect.stringContaining("NoSuchBucket") },
    ]);
  });
});

describe("handler", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
  });

  test("logs a line of JSON for each thing that it ended", async () => {
    vi.stubEnv("ONEOFF_STACK", STACK);
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const due = await instance(ours("1 second"));
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(await handler()).toEqual({ ended: 1 });
    expect(log).toHaveBeenCalledTimes(1);
    expect(JSON.parse(log.mock.calls[0]?.[0])).toMatchObject({ event: "ended", id: due, deadlineTag: "1 second" });
  });

  test("fails, so that the function's errors are counted, when something was not ended", async () => {
    vi.stubEnv("ONEOFF_STACK", STACK);
    vi.stubEnv("AWS_ENDPOINT_URL_EMR", "http://127.0.0.1:9");
    vi.stubEnv("AWS_MAX_ATTEMPTS", "1");
    vi.spyOn(console, "log").mockImplementation(() => {});
    await expect(handler()).rejects.toThrow(/^1 could not be ended or looked at: cluster \* /);
  });

  test("refuses to run without a stack, for then it would be nobody's", async () => {
    vi.stubEnv("ONEOFF_STACK", "");
    await expect(handler()).rejects.toThrow("ONEOFF_STACK is not set");
  });
});
