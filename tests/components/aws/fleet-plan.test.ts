import { expect, test } from "vitest";
import { nids } from "../../../assets/jobs/nids/index.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { reaperBill } from "../../../components/aws/bill.ts";
import type { FleetPlanArgs } from "../../../components/aws/fleet/args.ts";
import { candidates } from "../../../components/aws/fleet/bill.ts";
import { fleetPlan } from "../../../components/aws/fleet/plan.ts";
import { quotaNeeds } from "../../../components/aws/fleet/quotas.ts";
import { GpuFleet } from "../../../components/aws/index.ts";
import { ceiling } from "../../../core/bill.ts";
import { UsageError } from "../../../core/errors.ts";
import { type JobArgs, job } from "../../../core/job.ts";

const lifetime = { deadline: "8 hours", idle: "1 hour" } as const;
const planOf = (args: Partial<FleetPlanArgs> = {}) => fleetPlan({ lifetime, region: "us-east-1", ...args });

test("without anything said it is small, and without GPUs", () => {
  const { bill, ...plan } = planOf();
  expect(plan).toEqual({
    region: "us-east-1",
    scheduler: "standalone",
    gpu: [],
    nodes: "m6i.large",
    hdfs: { datanodes: 3, replication: 2, diskGibibytes: 64 },
    workers: { count: 2, types: ["m6i.large", "m7i.large"] },
    notebook: true,
    app: false,
    users: [],
    zones: 2,
    deadlineSeconds: 8 * 3600,
    idleSeconds: 3600,
    power: { power: "on" },
    warnings: [],
  });
  expect(bill).toHaveLength(9);
});

test("what is said is taken", () => {
  expect(
    planOf({
      lifetime: { deadline: "30 days", idle: "7 days", maxCost: 17_595.1 },
      gpu: "L4",
      workers: { count: 4, types: ["g6.12xlarge"], spot: { fallback: "fewer", onDemand: 1, wait: "1 day" } },
      hdfs: { datanodes: 2, disk: "1 TB", replication: 1 },
      nodes: "r7i.xlarge",
      scheduler: "yarn",
      capacity: "any",
      power: "on",
      notebook: false,
      zones: 3,
      region: "eu-central-1",
    }),
  ).toMatchObject({
    region: "eu-central-1",
    scheduler: "yarn",
    gpu: ["L4"],
    nodes: "r7i.xlarge",
    hdfs: { datanodes: 2, replication: 1, diskGibibytes: 1024 },
    workers: { count: 4, types: ["g6.12xlarge"], spot: { fallback: "fewer", onDemand: 1, waitMinutes: 1440 } },
    notebook: false,
    zones: 3,
    deadlineSeconds: 30 * 86_400,
    idleSeconds: 7 * 86_400,
    warnings: ["hdfs.replication is 1: what is on a data node is lost with its disk; with 2 or more a copy is left"],
  });
});

const SPOT = 'say what is to happen when there are no spot instances: "on-demand" or "fewer"';
const CRON = 'expected minute, hour, day of the month, month and day of the week in numbers, such as "0 8 * * 1-5"';
const mornings = { on: "0 8 * * 1-5", off: "30 19 * * *", timeZone: "Europe/Berlin" };

test.each<[string, object]>([
  [`workers.spot.fallback is undefined: ${SPOT}`, { workers: { spot: {} } }],
  [`workers.spot.fallback is "terminate": ${SPOT}`, { workers: { spot: { fallback: "terminate" } } }],
  [
    "workers.spot.onDemand is 3: expected a whole number up to 2, as many as there are workers",
    { workers: { spot: { fallback: "fewer", onDemand: 3 } } },
  ],
  [
    'workers.spot.wait is "4 minutes": expected whole minutes from "5 minutes" to "1 day"',
    { workers: { spot: { fallback: "fewer", wait: "4 minutes" } } },
  ],
  ["workers.count is 0: expected a whole number from 1 to 1000", { workers: { count: 0 } }],
  [
    "hdfs.replication is 3 and hdfs.datanodes is 2: a block has at most one copy per datanode; lower the first or raise the second",
    { hdfs: { datanodes: 2, replication: 3 } },
  ],
  [
    "hdfs.datanodes is 0: HDFS needs at least one, and a fleet without HDFS isn't offered: steps share data by it",
    { hdfs: { datanodes: 0 } },
  ],
  ["hdfs.datanodes is -1: expected a whole number from 1 to 400", { hdfs: { datanodes: -1 } }],
  ['hdfs.disk is "8 GB": expected whole gigabytes, "16 GB" to "16 TB"', { hdfs: { disk: "8 GB" } }],
  [
    'scheduler is "mesos": Spark 3.2 deprecated Mesos and Spark 4 has it no more; take standalone or yarn, which share out CPUs, memory and GPUs as well',
    { scheduler: "mesos" },
  ],
  ['scheduler is "slurm": expected standalone or yarn', { scheduler: "slurm" }],
  ['capacity is "all": expected any or gang', { capacity: "all" }],
  ['gangWait is "2 days": expected whole minutes from "5 minutes" to "1 day"', { gangWait: "2 days" }],
  [
    'capacity is "gang" and workers.spot is set: a gang is given back when one of it is missing, and any spot machine may be taken away; rent on demand, or take capacity any',
    { capacity: "gang", workers: { spot: { fallback: "fewer" } } },
  ],
  ['power is "sleep": expected on, off or a schedule', { power: "sleep" }],
  [`power.on is "8 o'clock": ${CRON}`, { power: { ...mornings, on: "8 o'clock" } }],
  [`power.off is "0 25 * * *": its hour isn't within 0 to 23; ${CRON}`, { power: { ...mornings, off: "0 25 * * *" } }],
  [
    `power.on is "0 8 * * 5-1": its day of the week isn't within 0 to 7; ${CRON}`,
    { power: { ...mornings, on: "0 8 * * 5-1" } },
  ],
  [
    'power.timeZone is "Mars/Olympus": expected a time zone, such as "Europe/Berlin" or "UTC"',
    { power: { ...mornings, timeZone: "Mars/Olympus" } },
  ],
  [
    'nodes is "g6.xlarge": it has a GPU, which nobody would use there; take a type without one, such as "m6i.large"',
    { nodes: "g6.xlarge" },
  ],
  [
    'nodes is "m6g.large": it is arm64, and all nodes are x86_64, as those with GPUs are; take another, such as "m7i.large"',
    { nodes: "m6g.large" },
  ],
  ["zones is 0: expected a whole number from 1 to 6", { zones: 0 }],
  ['region is "mars-1": its prices are not known; take one of us-east-1', { region: "mars-1" }],
  [
    'deadline is "10 minutes" (10 min): expected something from "30 minutes" to "30 days"',
    { lifetime: { ...lifetime, deadline: "10 minutes" } },
  ],
  [
    'lifetime.idle is not set: say after how long without work the fleet gives its workers back, such as "1 hour"',
    { lifetime: { deadline: "8 hours" } },
  ],
  ['lifetime.idle is "5 minutes": expected "10 minutes" to "7 days"', { lifetime: { ...lifetime, idle: "5 minutes" } }],
  [
    "maxCost is 5.69 USD and this can cost up to 5.81 USD, most of it for 3 data nodes, m6i.large (2.38 USD)",
    { lifetime: { ...lifetime, maxCost: 5.69 } },
  ],
  ['gpu is "L40S": it is not known to be offered in eu-west-1, but in us-east-1', { gpu: "L40S", region: "eu-west-1" }],
  [
    'users is "/there/is/none": there is no such folder; give one with a public key for each user',
    { users: "/there/is/none" },
  ],
])("%s", (message, args) => {
  expect(() => planOf(args)).toThrow(UsageError);
  expect(() => planOf(args)).toThrow(message);
});

test("it is off, or on by the clock", () => {
  expect(planOf({ power: "off" }).power).toEqual({ power: "off" });
  for (const on of ["*/15 * * * *", "0,30 8-18/2 1 1-6 0,6", "59 23 31 12 7"]) {
    expect(planOf({ power: { ...mornings, on } }).power).toEqual({ power: "schedule", ...mornings, on });
  }
});

test("what it costs while it is off is told, and no part of the ceiling: it may be on until its end", () => {
  const { bill } = planOf();
  const off = bill.at(-1);
  // A head with 32 and 16, 3 data nodes with 32 and 64; 3 endpoints in 2 zones.
  const usdPerHour = ((48 + 3 * 96) * 0.08) / 730 + 6 * 0.01;
  expect(off).toEqual({
    what: "while its machines are off: disks and endpoints",
    usdPerHour: expect.closeTo(usdPerHour, 9),
    ...{ hours: 0, usd: 0 },
  });
  expect(ceiling(bill.slice(0, -1))).toBe(ceiling(bill));
  expect(planOf({ power: "off" }).bill).toEqual(bill);
});

test("the bill is of the dearest type that will do, on demand, with all that stands beside it", () => {
  const { bill } = planOf({
    gpu: "L4",
    workers: { count: 3, types: ["g6.12xlarge", "g6.xlarge"], spot: { fallback: "fewer" } },
    zones: 3,
  });
  const hours = 8.25;
  // 3 GPU workers with 100 GB, a namenode with 32 and 16, 3 data nodes with 32 and 64.
  const disks = ((3 * 100 + 32 + 16 + 3 * (32 + 64)) * 0.08) / 730;
  const lines = [
    ["head, m6i.large", 0.096],
    ["3 data nodes, m6i.large", 3 * 0.096],
    ["3 workers, g6.12xlarge, at the on-demand price", 3 * 4.6016],
    ["disks of 7 nodes", disks],
    ["3 endpoints in 3 zones", 9 * 0.01],
    // The head's lists and reads, and of each node reads and reports, by what a thousand cost.
    ["S3 requests of 7 nodes", ((1440 + 7 * 60) * 0.005 + (2880 + 7 * 240) * 0.0004) / 1000],
  ] as const;
  expect(bill.slice(0, -3)).toEqual(
    lines.map(([what, usdPerHour]) => ({ what, usdPerHour, hours, usd: usdPerHour * hours })),
  );
  expect(bill.at(-2)).toEqual(reaperBill("us-east-1", hours)[0]);
  expect(bill.at(-3)).toMatchObject({ usdPerHour: 0, usd: expect.closeTo(0.024, 3) });
  expect(ceiling(bill)).toBe(118.5);
});

test("workers that come on demand in the place of spot ones are counted once", () => {
  const ceilingOf = (fallback: "on-demand" | "fewer") => ceiling(planOf({ workers: { spot: { fallback } } }).bill);
  expect(ceilingOf("on-demand")).toBe(ceilingOf("fewer"));
});

test("how long a gang may take is known of a gang alone", () => {
  expect(planOf({ capacity: "gang" }).gangMinutes).toBe(10);
  expect(planOf({ capacity: "gang", gangWait: "2 hours" }).gangMinutes).toBe(120);
  expect(planOf({ gangWait: "2 hours" }).gangMinutes).toBeUndefined();
});

test("the reaper costs as long as the stack stands, and what it ends until the deadline", () => {
  const { bill } = fleetPlan({ lifetime, region: "us-east-1" }, "10 days");
  expect(bill.map(({ hours }) => hours)).toEqual([8.25, 8.25, 8.25, 8.25, 8.25, 8.25, 8.25, 240.25, 0]);
  expect(fleetPlan({ lifetime, region: "us-east-1" }, "1 hour").bill).toEqual(planOf().bill);
});

test("what scores flows costs its software and its looks for a model, and no machine", () => {
  const [off, on] = [planOf().bill, planOf({ app: true }).bill];
  const more = on.filter(({ what }) => off.every((line) => line.what !== what));
  expect(more).toEqual([
    expect.objectContaining({ what: "S3 requests of what scores flows", usdPerHour: expect.closeTo(0.0009, 6) }),
  ]);
  expect(ceiling(on) - ceiling(off)).toBeCloseTo(0.03, 2);
});

test("GPU on or off changes the workers and their disks alone", () => {
  const what = (gpu: string) => planOf({ gpu }).bill.map((line) => line.what);
  expect(what("none").filter((line) => !what("A10G").includes(line))).toEqual(["2 workers, m7i.large"]);
  const { gpu, workers, bill, ...off } = planOf();
  const { gpu: gpuOn, workers: workersOn, bill: billOn, ...on } = planOf({ gpu: "A10G" });
  expect(on).toEqual(off);
  expect([gpu, gpuOn]).toEqual([[], ["A10G"]]);
  expect([workers.count, workersOn.count]).toEqual([2, 2]);
  expect(ceiling(billOn)).toBeGreaterThan(ceiling(bill));
});

test("candidates say what they cost and which quota they take", () => {
  expect(candidates(planOf({ gpu: "L4", workers: { spot: { fallback: "fewer" } } }))).toEqual([
    {
      type: "g6.xlarge",
      vcpus: 4,
      memoryGiB: 16,
      gpu: { type: "g6.xlarge", model: "L4", gpus: 1, gpuMebibytes: 22_888 },
      usdPerHour: 0.8048,
      quotas: ["L-3819A6DF"],
    },
    {
      type: "g6.2xlarge",
      vcpus: 8,
      memoryGiB: 32,
      gpu: { type: "g6.2xlarge", model: "L4", gpus: 1, gpuMebibytes: 22_888 },
      usdPerHour: 0.9776,
      quotas: ["L-3819A6DF"],
    },
  ]);
  expect(candidates(planOf())[0]).toMatchObject({ type: "m6i.large", gpu: undefined, quotas: ["L-1216C47A"] });
});

test.each<[string, Partial<FleetPlanArgs>, Readonly<Record<string, number>>]>([
  // 4 nodes and 2 workers of 2 vCPUs.
  ["CPU", {}, { "L-1216C47A": 12 }],
  ["CPU by spot", { workers: { spot: { fallback: "fewer" } } }, { "L-34B43A08": 4, "L-1216C47A": 8 }],
  ["GPU", { gpu: "L4", workers: { count: 3 } }, { "L-DB2E81BA": 24, "L-1216C47A": 8 }],
  [
    "GPU, the largest first",
    { gpu: "L4", workers: { types: ["g6.2xlarge", "g6.xlarge"] } },
    { "L-DB2E81BA": 16, "L-1216C47A": 8 },
  ],
  [
    "GPU by spot, one of three on demand",
    { gpu: "L4", workers: { count: 3, spot: { fallback: "fewer", onDemand: 1 } } },
    { "L-3819A6DF": 16, "L-DB2E81BA": 8, "L-1216C47A": 8 },
  ],
  [
    "GPU by spot, of which all but one may come on demand",
    { gpu: "L4", workers: { count: 3, spot: { fallback: "on-demand", onDemand: 1 } } },
    { "L-3819A6DF": 16, "L-DB2E81BA": 24, "L-1216C47A": 8 },
  ],
  [
    "spot of which none is",
    { gpu: "H100", workers: { spot: { fallback: "fewer", onDemand: 2 } } },
    { "L-417A185B": 32, "L-1216C47A": 8 },
  ],
  [
    "P and G by spot",
    { gpu: "H100,T4", workers: { spot: { fallback: "fewer" } } },
    { "L-7212CCBC": 32, "L-3819A6DF": 16, "L-1216C47A": 8 },
  ],
])("vCPUs by quota: %s", (_, args, expected) => {
  const needs = quotaNeeds(planOf(args));
  expect(Object.fromEntries(needs.map(({ code, vcpus }) => [code, vcpus]))).toEqual(expected);
  expect(needs).toHaveLength(Object.keys(expected).length);
});

const counts = (step: Partial<JobArgs["steps"][number]>) =>
  job({
    ...{ name: "counts", from: import.meta.url },
    steps: [
      {
        name: "count",
        script: "../../boot/count.py",
        arguments: ["--numbers", "{numbers}"],
        leaves: ["numbers"],
        ...step,
      },
    ],
    tables: [{ name: "numbers", about: "Numbers", columns: [{ name: "n", type: "integer" }] }],
  });

test.each([
  [
    "a secret that it isn't given",
    { job: counts({ secrets: ["token"] }) },
    'secrets has no "token", which job "counts" asks for',
  ],
  [
    "a package",
    { job: counts({ packages: ["org.example:x_2.12:1.0"] }) },
    'job has step "count", which needs package "org.example:x_2.12:1.0": machines of a fleet reach no Maven repository; run it on stack emr-oneoff',
  ],
  [
    "a page that would never find a model",
    { job: xo(), app: true },
    'app is true, and job "xo" leaves no table networks with a model that scores flows: leave it out, or run job nids',
  ],
])("a job with %s is refused", (_, args, why) => {
  expect(() => GpuFleet.bill({ lifetime, region: "us-east-1", ...args })).toThrow(UsageError);
  expect(() => GpuFleet.bill({ lifetime, region: "us-east-1", ...args })).toThrow(why);
});

test("job nids can be scored with", () => {
  expect(GpuFleet.bill({ lifetime, region: "us-east-1", job: nids(), app: true })).toHaveLength(10);
});
