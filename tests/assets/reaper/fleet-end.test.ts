import { beforeEach, describe, expect, test } from "vitest";
import { type Fleet, fleetEnd, fleetsOf } from "../../../assets/reaper/fleets.ts";
import { reap } from "../../../assets/reaper/reap.ts";
import { ReaperReport } from "../../../core/fleet-lake.ts";
import { at, MINUTE, STACK, tagsOf, World } from "./world.ts";

const DEADLINE = 600;
let world: World;
const look = async (minutes: number) => {
  world.now = at(minutes);
  world.calls = [];
  return reap(world.clients, STACK, world.now);
};
const notToday = Object.assign(new Error("not today"), { name: "InternalFailure" });
const failures = (entries: Awaited<ReturnType<typeof reap>>) => entries.filter(({ event }) => event === "failed");

beforeEach(() => {
  world = new World();
  world.group("workers");
  world.machine("i-head", "head");
  world.machine("i-data-1", "data");
  world.machine("i-worker", "worker", { created: at(500), started: at(500) });
  world.disk("vol-1", "i-data-1");
});

describe("a fleet's end", () => {
  test("is one moment for all of it, whenever something joined", async () => {
    world.machine("i-data-2", "data", { created: at(590), started: at(590) });
    world.disk("vol-2", "i-data-2", { created: at(590) });
    await look(DEADLINE - 1 / 60);
    expect(world.calls.filter((call) => !call.startsWith("Update"))).toEqual([]);
    expect(world.said().ends).toBe(at(DEADLINE).toISOString());

    const entries = await look(DEADLINE);

    expect(world.calls).toEqual([
      "DeleteAutoScalingGroup workers",
      "TerminateInstances i-head i-data-1 i-worker i-data-2",
    ]);
    expect(entries.map(({ event }) => event)).toEqual(Array(5).fill("ended"));
    expect(entries[4]).toEqual({
      ...{ event: "ended", kind: "instance", id: "i-data-2", ageSeconds: 36_000, deadlineSeconds: 36_000 },
      ...{ deadlineTag: "10 hours", legible: true },
    });
  });

  test("takes the endpoints, which cost whoever uses them; one that stays is told of and ends no other fleet", async () => {
    world.endpoint("vpce-1");
    world.endpoint("vpce-2", { state: "held" });
    world.endpoint("vpce-loose", { tags: { "oneoff:stack": STACK } });
    await look(DEADLINE - 1);
    expect(world.calls.filter((call) => call.startsWith("Delete"))).toEqual([]);
    const entries = await look(DEADLINE);
    expect(world.calls.filter((call) => call.startsWith("DeleteVpc"))).toEqual([
      "DeleteVpcEndpoints vpce-1",
      "DeleteVpcEndpoints vpce-2",
    ]);
    expect(failures(entries)).toEqual([
      { event: "failed", kind: "endpoint", id: "vpce-2", error: "Error: it is in use" },
    ]);
    world.settle();
    world.endpoints = world.endpoints.map((one) => (one.id === "vpce-2" ? { ...one, state: "held" } : one));
    world.machine("i-new", "head", { created: at(DEADLINE + 20), started: at(DEADLINE + 20) });
    await look(DEADLINE + 25);
    expect(world.calls.filter((call) => call.includes("i-new"))).toEqual([]);
  });

  test("takes the disks once the machines are gone, also one that is younger than the others", async () => {
    world.disk("vol-2", "i-data-1", { created: at(590) });
    world.disk("vol-loose", undefined);
    await look(DEADLINE);
    expect(world.calls).toContain("DeleteVolume vol-loose");
    expect(await look(DEADLINE + 5)).toEqual([]); // in use still
    world.settle();
    // Then nothing is left that is as old as the fleet.
    world.broken = (command, input) => (command === "DeleteVolume" && input.includes("vol-2") ? notToday : undefined);
    expect(failures(await look(DEADLINE + 10))).toMatchObject([{ kind: "volume", id: "vol-2" }]);
    expect(world.disks.map(({ id }) => id)).toEqual(["vol-2"]);
    world.broken = () => undefined;
    expect(await look(DEADLINE + 15)).toMatchObject([{ event: "ended", kind: "volume", id: "vol-2" }]);
    expect(world.said()).toMatchObject({ ends: at(DEADLINE).toISOString(), idleSince: null, why: [] });
    expect(await look(DEADLINE + 20)).toEqual([]);
  });

  test("does not wait for machines that are off", async () => {
    for (const machine of world.machines) Object.assign(machine, { state: "stopped", started: at(599) });
    await look(DEADLINE);
    expect(world.calls).toContain("TerminateInstances i-head i-data-1 i-worker");
  });

  test("is read off what an update reaches, and not off workers, which have the tags of the day they were rented", async () => {
    const retag = (deadline: string) => {
      for (const one of [...world.machines, ...world.disks, ...world.groups]) {
        if (!("state" in one) || one.id !== "i-worker") {
          Object.assign(one, { tags: { ...one.tags, "oneoff:deadline": deadline } });
        }
      }
    };
    retag("20 hours");
    await look(DEADLINE);
    expect(world.said().ends).toBe(at(2 * DEADLINE).toISOString());
    retag("9 hours");
    await look(DEADLINE - 1);
    expect(world.calls[0]).toBe("DeleteAutoScalingGroup workers");
  });

  test("is that of its head where an update reached some of it alone; without a head its group's", async () => {
    Object.assign(world.groups[0] as object, { tags: tagsOf("worker", { "oneoff:deadline": "1 hour" }) });
    await look(61);
    expect(world.said().ends).toBe(at(DEADLINE).toISOString());
    world.machines = world.machines.filter(({ id }) => id !== "i-head");
    await look(62);
    expect(world.said().ends).toBe(at(60).toISOString());
  });

  test("is the longest that equals say, and another stack's say nothing", () => {
    const member = (id: string, deadline: string, more = {}) => ({
      ...{ kind: "volume" as const, id, created: at(0) },
      tags: tagsOf("data", { "oneoff:deadline": deadline, ...more }),
    });
    const members = [member("a", "1 hour"), member("b", "3 hours"), member("c", "2 hours")];
    const theirs = member("d", "9 hours", { "oneoff:stack": "oneoff/other" });
    const fleets = fleetsOf([...members, theirs], STACK);
    expect(fleets).toEqual([{ lake: "the-lake", cluster: "f", members }]);
    expect(fleetEnd(fleets[0] as Fleet, undefined, at(0)).ends).toEqual(at(180));
  });

  test.each([undefined, "soon"])("is 7 days on where no tag says it (%j)", async (deadline) => {
    for (const one of [...world.machines, ...world.disks, ...world.groups]) {
      const { "oneoff:deadline": _, ...tags } = one.tags;
      Object.assign(one, { tags: deadline === undefined ? tags : { ...tags, "oneoff:deadline": deadline } });
    }
    await look(7 * 1440 - 1);
    expect(world.calls.filter((call) => /Terminate|Delete/.test(call))).toEqual([]);
    expect(await look(7 * 1440)).toContainEqual({
      ...{ event: "ended", kind: "instance", id: "i-head", ageSeconds: 604_800, deadlineSeconds: 604_800 },
      ...{ deadlineTag: deadline, legible: false },
    });
  });

  test("is no other fleet's, no other stack's, and not that of what is no fleet's", async () => {
    const { "oneoff:role": _, ...noFleet } = tagsOf("data");
    const young = { created: at(590), started: at(590) };
    world.lakes.add("their-lake");
    world.machine("i-other", "head", { ...young, tags: tagsOf("head", { "oneoff:cluster": "g" }) });
    world.machine("i-twin", "head", { ...young, tags: tagsOf("head", { "oneoff:lake": "their-lake" }) });
    world.machine("i-stranger", "head", { tags: tagsOf("head", { "oneoff:stack": "oneoff/other" }) });
    world.machine("i-dashboard", "-", { ...young, tags: noFleet });
    world.machine("i-old", "-", { tags: noFleet });
    world.disk("vol-theirs", undefined, { tags: tagsOf("data", { "oneoff:stack": "oneoff/other" }) });
    world.disk("vol-dashboard", undefined, { tags: noFleet });
    await look(DEADLINE);
    expect(world.calls).toEqual([
      "DeleteAutoScalingGroup workers",
      "TerminateInstances i-head i-data-1 i-worker i-old",
    ]);
    expect(world.said("the-lake/_fleets/g").ends).toBe(at(590 + DEADLINE).toISOString());
    expect(world.said("their-lake/_fleets/f").ends).toBe(at(590 + DEADLINE).toISOString());
  });

  test("leaves a new fleet of the same name alone, while a disk of the old one is waited for", async () => {
    await look(DEADLINE);
    world.settle();
    Object.assign(world.disks[0] as object, { machine: "i-somebodys" });
    world.group("workers-2", { created: at(DEADLINE + 7) });
    world.machine("i-new", "head", { created: at(DEADLINE + 7), started: at(DEADLINE + 7) });
    for (const minutes of [DEADLINE + 10, DEADLINE + 15]) expect(await look(minutes)).toEqual([]);
    Object.assign(world.disks[0] as object, { machine: undefined });
    expect(await look(DEADLINE + 20)).toMatchObject([{ event: "ended", id: "vol-1" }]);
    await look(DEADLINE + 25);
    expect(world.said().ends).toBe(at(DEADLINE + 7 + DEADLINE).toISOString());
    expect(world.machines.map(({ state }) => state)).toEqual(["running"]);
  });

  test("comes for what a group rents that could not be deleted", async () => {
    world.broken = (command) => (command === "DeleteAutoScalingGroup" ? notToday : undefined);
    expect(failures(await look(DEADLINE))).toMatchObject([{ kind: "group", id: "workers" }]);
    world.settle();
    world.disks = [];
    world.machine("i-replacement", "worker", { created: at(DEADLINE + 1), started: at(DEADLINE + 1) });
    await look(DEADLINE + 5);
    expect(world.calls).toEqual(["TerminateInstances i-replacement"]);
  });

  test("comes though the lake, or one of AWS's answers, is missing", async () => {
    for (const broken of [
      "GetObject",
      "PutObject",
      "DescribeVolumes",
      "TerminateInstances",
      "DeleteAutoScalingGroup",
    ]) {
      world.broken = (command) => (command === broken ? notToday : undefined);
      const entries = await look(DEADLINE);
      expect(failures(entries).length, broken).toBeGreaterThan(0);
      const ended = ["DeleteAutoScalingGroup", "TerminateInstances"].filter((command) => command !== broken);
      for (const command of ended) expect(world.calls.join(), broken).toContain(command);
      for (const machine of world.machines) machine.state = "running";
      if (world.groups.length === 0) world.group("workers");
      world.objects.clear();
    }
  });

  test("is written as the contract says, and counts from the first of the fleet, be that a disk", async () => {
    world.disk("vol-0", "i-head", { created: new Date(at(0).getTime() - 3 * MINUTE) });
    await look(5);
    expect(ReaperReport.parse(world.said())).toEqual(world.said());
    expect(world.said()).toMatchObject({ looked: at(5).toISOString(), ends: at(DEADLINE - 3).toISOString() });
  });

  test("comes for what tags don't name a fleet of, and that nobody can tell of is said", async () => {
    const { "oneoff:lake": _, ...tags } = tagsOf("head");
    world.machines = [];
    world.groups = [];
    world.disks = [];
    world.machine("i-nameless", "head", { tags });
    const error = "Error: it has no tag oneoff:lake or oneoff:cluster: nobody can tell whether it is idle";
    expect(await look(5)).toEqual([{ event: "failed", kind: "fleet", id: "?/f", error }]);
    await look(DEADLINE);
    expect(world.calls).toEqual(["TerminateInstances i-nameless"]);
  });
});
