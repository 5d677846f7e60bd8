/** What Auto Scaling and EC2 answer where workers aren't to be had: each ends in the fallback that was asked for, or in a sentence with the cure. */
import type { Activity } from "@aws-sdk/client-auto-scaling";
import { beforeEach, describe, expect, test } from "vitest";
import { lifeOf } from "../../cli/aws/gpu-fleet/life.ts";
import type { SeenGroup } from "../../cli/aws/gpu-fleet/machines.ts";
import type { SeenFleet } from "../../cli/aws/gpu-fleet/seen.ts";
import { statusOf } from "../../cli/aws/gpu-fleet/status.ts";
import { NodeReport } from "../../core/fleet-lake.ts";
import { at, type Group, type Tags, tagsOf, World } from "../assets/reaper/world.ts";

const FAILED = "Launching EC2 instance failed.";
const failed = (message: string): Activity => ({
  ActivityId: "1",
  AutoScalingGroupName: "workers",
  Cause: "an instance was started in response to a difference between desired and actual capacity",
  StartTime: at(3),
  StatusCode: "Failed",
  Description: "Launching a new EC2 instance.  Status Reason: see below",
  StatusMessage: `${message} ${FAILED}`,
});
const LOST: Activity = {
  ...failed(""),
  StatusCode: "Successful",
  Description: "Terminating EC2 instance: i-0123456789abcdef0",
  Cause: "an instance was taken out of service in response to an EC2 Spot Instance interruption notice.",
};
const answers = {
  "no capacity in a zone": failed(
    "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient g6.xlarge capacity in the Availability Zone you requested (us-west-2a).",
  ),
  "no spot capacity": failed("Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity."),
  "the on-demand quota exceeded": failed(
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of 8 allows.",
  ),
  "the spot quota exceeded": failed("Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Exceeded."),
  "a zone without the type": failed(
    "Could not launch On-Demand Instances. Unsupported - Your requested instance type (g6.xlarge) is not supported in your requested Availability Zone (us-west-2a).",
  ),
  "a free plan": failed(
    "Could not launch On-Demand Instances. InvalidParameterCombination - The specified instance type is not eligible for Free Tier.",
  ),
  "spot lost": LOST,
} as const;

let world: World;
let main: Group;
let spare: Group | undefined;

/** A fleet of two workers; `more` are the tags by which the reaper knows what to do. */
function fleet(kind: "any" | "gang" | "spot or on-demand"): void {
  world = new World();
  world.machine("i-head", "head");
  const tags = (more: Tags) => tagsOf("worker", more);
  main = world.group("workers", {
    ...{ desired: 2, most: 2, there: ["InService"] },
    tags: tags(kind === "gang" ? { "oneoff:gang": "10 minutes" } : {}),
  });
  spare =
    kind === "spot or on-demand"
      ? world.group("spare", { desired: 0, most: 2, tags: tags({ "oneoff:fallback": "10 minutes" }) })
      : undefined;
}

/** As the command line sees it. @param of the groups what Auto Scaling did last. */
function seen(minutes: number, activities: Readonly<Record<string, readonly Activity[]>>): SeenFleet {
  const groupOf = ({ name, tags, desired, most, there, created }: Group): SeenGroup => ({
    ...{ name, desired, most, made: created, there: there?.length ?? desired, activities: activities[name] ?? [] },
    ...{ gang: tags["oneoff:gang"], fallback: tags["oneoff:fallback"] },
  });
  return {
    stack: "team",
    now: at(minutes),
    machines: [
      {
        ...{ id: "i-head", role: "head", type: "m6i.large", zone: "us-west-2a", state: "running" },
        ...{ started: at(0), made: at(0), addresses: [] },
      },
    ],
    nodes: [NodeReport.parse(JSON.parse(world.objects.get("the-lake/_fleets/f/nodes/head.json")?.body as string))],
    unreadable: [],
    reaper: world.said(),
    group: groupOf(main),
    spare: spare && groupOf(spare),
  };
}

const ASKS = '"npx --no oneoff doctor" says which one, and has the command that asks for more';
const ON_DEMAND_QUOTA = `the account's quota for on-demand machines of that family is 8 vCPUs in all: ${ASKS}; or take fewer workers`;
const NO_SPOT =
  "there is no spot machine to be had for these types just now: name more types or GPUs, or more zones, or take on-demand workers";
const SPOT_QUOTA = `the account's quota for spot machines of that family is used up: ${ASKS}; or take on-demand workers`;
const NO_ROOM =
  "there is no on-demand machine to be had for g6.xlarge in us-west-2a just now: name more types or GPUs, or more zones";
const TAKEN =
  "i-0123456789abcdef0 was taken away at 08:03 UTC, as EC2 does with spot machines, and the group asks for another";

describe("workers that come one by one, or fewer than wanted, are asked for until they are there", () => {
  beforeEach(() => fleet("any"));

  test.each<[keyof typeof answers, string]>([
    ["no capacity in a zone", NO_ROOM],
    ["no spot capacity", NO_SPOT],
    ["the on-demand quota exceeded", ON_DEMAND_QUOTA],
    ["the spot quota exceeded", SPOT_QUOTA],
    ["a zone without the type", "g6.xlarge in us-west-2a is not offered: name other types, or more zones"],
    [
      "a free plan",
      "the account is on AWS's free plan, which rents none of these types: upgrade it to the paid plan (console, Billing, Free tier)",
    ],
    ["spot lost", TAKEN],
  ])("%s", async (answer, why) => {
    for (const minutes of [5, 20]) {
      expect(await world.look(minutes)).toEqual([]);
      const { warnings } = statusOf(seen(minutes, { workers: [answers[answer]] }));
      expect(warnings).toEqual([`1 of 2 workers are there: ${why}; the others are asked for again and again`]);
    }
    expect(main.desired).toBe(2);
  });
});

describe("on-demand workers come in the place of spot ones", () => {
  beforeEach(() => fleet("spot or on-demand"));

  test.each<[keyof typeof answers, string]>([
    ["no spot capacity", NO_SPOT],
    ["the spot quota exceeded", SPOT_QUOTA],
    ["spot lost", TAKEN],
  ])("%s", async (answer, why) => {
    const told = async (minutes: number) => {
      await world.look(minutes);
      return seen(minutes, { workers: [answers[answer]] });
    };
    expect(statusOf(await told(5)).warnings).toEqual([
      `1 of 2 workers are there: ${why}; at 08:15 UTC on-demand ones come in their place`,
    ]);
    const after = await told(15);
    expect([after.group?.desired, after.spare?.desired]).toEqual([1, 1]);
    expect(statusOf(after).warnings).toEqual([]);
    expect(lifeOf(after).why).toContain("; 1 worker is on demand in the place of spot ones, until the workers go; ");
  });

  test("before the reaper has seen it, the time is told", () => {
    world.report("head", "head", "i-head");
    const { reaper: _, ...yet } = seen(1, {});
    expect(statusOf(yet).warnings).toEqual([
      "1 of 2 workers are there, and the others are asked for; after 10 minutes on-demand ones come in their place",
    ]);
  });

  test.each<[keyof typeof answers, string]>([
    ["no capacity in a zone", NO_ROOM],
    ["the on-demand quota exceeded", ON_DEMAND_QUOTA],
  ])("and where these aren't to be had either, that is told: %s", async (answer, why) => {
    for (const minutes of [5, 15]) await world.look(minutes);
    Object.assign(spare as Group, { there: [] });
    const all = { workers: [answers["no spot capacity"]], spare: [answers[answer]] };
    expect(statusOf(seen(20, all)).warnings).toEqual([
      `1 of 2 workers are there: ${why}; the others are asked for again and again`,
    ]);
  });
});

describe("a gang is whole, or given back", () => {
  beforeEach(() => fleet("gang"));

  test.each<[keyof typeof answers, string]>([
    ["no capacity in a zone", NO_ROOM],
    ["the on-demand quota exceeded", ON_DEMAND_QUOTA],
  ])("%s", async (answer, why) => {
    const told = async (minutes: number) => {
      await world.look(minutes);
      return seen(minutes, { workers: [answers[answer]] });
    };
    expect(statusOf(await told(5)).warnings).toEqual([
      `1 of 2 workers are there: ${why}; at 08:15 UTC all are given back if they are not all there by then`,
    ]);
    await told(15);
    main.there = [];
    const gone = "the workers were given back at 08:15 UTC, as 1 of 2 were there, and a gang is whole or none";
    const after = await told(20);
    const wake = '"npx --no oneoff fleet wake team"';
    expect(statusOf(after).warnings).toEqual([`${gone}: ${why}; ${wake} asks for all of them again`]);
    expect(lifeOf(after).why).toContain(`; ${gone}, and ${wake} brings them back; `);
  });
});

test("a machine that EC2 takes away within two minutes is told of, with the cure, and by `fleet why`", async () => {
  fleet("spot or on-demand");
  main.there = ["InService", "InService"];
  const worker = world.machine("i-w1", "worker");
  await world.look(30, 0, { "worker-i-w1": { taken: at(32).toISOString() } });
  const { machines, nodes, ...rest } = seen(30, {});
  const report = JSON.parse(world.objects.get("the-lake/_fleets/f/nodes/worker-i-w1.json")?.body as string);
  const more = { ...machines[0], id: worker.id, role: "worker" } as SeenFleet["machines"][number];
  const all = { ...rest, machines: [...machines, more], nodes: [...nodes, NodeReport.parse(report)] };
  expect(statusOf(all).warnings).toEqual([
    "EC2 takes worker-i-w1 away at 08:32 UTC, as it does with spot machines: Spark gives it no more tasks and moves what it holds, and the group asks for another; where that happens often, name more types or zones, or take on-demand workers",
  ]);
  expect(lifeOf(all).why).toContain("; EC2 takes worker-i-w1 away at 08:32 UTC, and its work goes to others; ");
});
