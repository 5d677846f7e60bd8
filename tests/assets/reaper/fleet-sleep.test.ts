import { beforeEach, describe, expect, test } from "vitest";
import { reap } from "../../../assets/reaper/reap.ts";
import type { NodeReport } from "../../../core/fleet-lake.ts";
import { at, idleFrom, STACK, type Tags, tagsOf, World } from "./world.ts";

let world: World;
const iso = (minutes: number) => at(minutes).toISOString();

beforeEach(() => {
  world = new World();
  world.group("workers", { desired: 2, min: 1 });
  world.machine("i-head", "head");
  world.machine("i-data-1", "data");
  world.machine("i-w1", "worker");
});

/** As the group does once it sees to no instance. */
const workersEnd = () => {
  world.machines = world.machines.filter(({ tags }) => tags["oneoff:role"] !== "worker");
};
const retag = (more: Tags) => {
  for (const one of [...world.machines, ...world.groups]) Object.assign(one, { tags: { ...one.tags, ...more } });
};

describe("an idle fleet", () => {
  test("gives its workers back, then stops its other machines, and stays so until it is woken", async () => {
    expect(await world.look(69.9)).toEqual([]);
    expect(world.calls).toEqual([]);
    expect(world.said()).toEqual({
      ...{ looked: iso(69.9), ends: iso(600), idleSince: iso(10), why: [] },
      ...{ workersGo: iso(70), nodesStop: iso(100), shortSince: null, gaveBack: null },
      power: { state: "on", done: true },
    });

    const slept = { fleet: "the-lake/f", idleSince: iso(10) };
    expect(await world.look(70)).toEqual([{ event: "emptied", kind: "group", id: "workers", ...slept }]);
    expect(world.calls).toEqual(["UpdateAutoScalingGroup workers 0 0"]);
    expect(world.said()).toMatchObject({ idleSince: iso(10), workersGo: null, nodesStop: iso(100) });

    workersEnd();
    expect(await world.look(99.9)).toEqual([]);
    expect(await world.look(100)).toEqual([
      { event: "stopped", kind: "instance", id: "i-head", ...slept },
      { event: "stopped", kind: "instance", id: "i-data-1", ...slept },
    ]);
    expect(world.calls).toEqual(["StopInstances i-head i-data-1"]);
    expect(world.said()).toMatchObject({ idleSince: iso(10), workersGo: null, nodesStop: null });

    for (const minutes of [105, 300]) {
      expect(await world.look(minutes)).toEqual([]);
      expect(world.calls).toEqual([]);
      expect(world.said()).toMatchObject({ idleSince: iso(10), why: [], workersGo: null, nodesStop: null });
    }

    for (const machine of world.machines) Object.assign(machine, { state: "running", started: at(301) });
    Object.assign(world.groups[0] as object, { min: 1, desired: 2 });
    expect(await world.look(305, 10)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(305), workersGo: iso(365), nodesStop: iso(395) });
    expect(await world.look(364.9, 302)).toEqual([]);
    expect(await world.look(365, 302)).toMatchObject([{ event: "emptied" }]);
  });

  test("is idle since the last of its machines is, and keeps that when this one is gone", async () => {
    await world.look(70, 10, { "worker-i-w1": idleFrom(40, at(70)) });
    expect(world.said()).toMatchObject({ idleSince: iso(40), workersGo: iso(100) });
    expect(await world.look(100, 10, { "worker-i-w1": idleFrom(40, at(100)) })).toMatchObject([{ event: "emptied" }]);
    workersEnd();
    await world.look(105, 10);
    expect(world.said()).toMatchObject({ idleSince: iso(40), nodesStop: iso(130) });
  });

  test("isn't put to sleep within its limit of its machines' start, whatever they say", async () => {
    Object.assign(world.machines[1] as object, { started: at(60) });
    expect(await world.look(119)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(60), workersGo: iso(120) });
  });

  test("isn't put to sleep when it was woken and no worker could be had yet", async () => {
    await world.look(70);
    workersEnd();
    await world.look(75);
    Object.assign(world.groups[0] as object, { desired: 2 });
    for (const minutes of [80, 139]) {
      expect(await world.look(minutes)).toEqual([]);
      expect(world.said()).toMatchObject({ idleSince: iso(80), workersGo: iso(140) });
    }
    expect(await world.look(140)).toMatchObject([{ event: "emptied" }]);
  });

  test("is none any more once somebody works; its workers don't come back by that", async () => {
    await world.look(70);
    workersEnd();
    expect(await world.look(99, 10, { head: world.busy("ada has an SSH session") })).toEqual([]);
    const why = ["head is busy: ada has an SSH session"];
    expect(world.said()).toMatchObject({ idleSince: null, why, workersGo: null, nodesStop: null });
    expect(world.groups[0]).toMatchObject({ min: 0, desired: 0 });
    expect(await world.look(189, 100)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(100), nodesStop: iso(190) });
    expect(await world.look(190, 100)).toMatchObject([{ event: "stopped" }, { event: "stopped" }]);
  });

  test("has workers that are still there stopped by their group alone", async () => {
    await world.look(70);
    await world.look(100);
    expect(world.calls).toEqual(["StopInstances i-head i-data-1"]);
  });

  test("has HDFS come to rest before its machines are stopped, and waits for that ten minutes", async () => {
    const busy = { head: { rests: false } };
    await world.look(70);
    workersEnd();
    for (const minutes of [100, 105, 109.9]) {
      expect(await world.look(minutes, 10, busy)).toEqual([]);
      expect(world.said()).toMatchObject({ nodesStop: iso(100), stopping: iso(100) });
    }
    expect(await world.look(110, 10, busy)).toMatchObject([{ event: "stopped" }, { event: "stopped" }]);
    expect(world.said(), "they aren't off yet").toMatchObject({ nodesStop: null, stopping: iso(100) });
    await world.look(115);
    expect(world.said().stopping).toBeUndefined();
  });

  test("has HDFS come to rest for nothing when somebody comes meanwhile", async () => {
    await world.look(70);
    workersEnd();
    await world.look(100, 10, { head: { rests: false } });
    await world.look(105, 10, { head: world.busy("ada has an SSH session") });
    expect(world.calls).toEqual([]);
    expect(world.said()).toMatchObject({ nodesStop: null });
    expect(world.said().stopping).toBeUndefined();
  });

  test("is ready by what its own head says, and no other machine", async () => {
    await world.look(70);
    workersEnd();
    const others = { head: { rests: false }, "data-1": { rests: true } };
    world.report("head-2", "head", "i-head", { rests: true });
    expect(await world.look(100, 10, others)).toEqual([]);
  });

  test("isn't idle since a moment to come", async () => {
    await world.look(20, 400);
    expect(world.said()).toMatchObject({ idleSince: iso(20), workersGo: iso(80) });
  });

  test("keeps its other machines where nothing says when they are stopped", async () => {
    for (const one of [...world.machines, ...world.groups]) {
      const { "oneoff:idle-off": _, ...tags } = one.tags;
      Object.assign(one, { tags });
    }
    await world.look(70);
    workersEnd();
    expect(await world.look(599)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(10), workersGo: null, nodesStop: null });
  });

  test.each(["", "soon"])("keeps all where its limit is no limit (%j)", async (limit) => {
    retag({ "oneoff:idle": limit });
    expect(await world.look(599)).toEqual([]);
    expect(world.said()).toMatchObject({ workersGo: null, nodesStop: null });
  });

  test("of whose machines none runs is idle since it was seen so, and not since another of its name was", async () => {
    world.machines = [];
    world.objects.set("the-lake/_fleets/f/reaper.json", {
      body: JSON.stringify({
        ...{ looked: iso(-500), ends: iso(-400), idleSince: iso(-600), why: [], workersGo: iso(-540), nodesStop: null },
      }),
      modified: at(-500),
    });
    expect(await world.look(1)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(1), workersGo: iso(61) });
    expect(await world.look(61)).toMatchObject([{ event: "emptied" }]);
  });

  test("is told so by reports whose other parts are another version's", async () => {
    const more = { gpus: "none", services: 7, news: {} } as unknown as Partial<NodeReport>;
    expect(await world.look(70, 10, { head: more })).toMatchObject([{ event: "emptied" }]);
  });
});

describe("a fleet isn't idle", () => {
  const why = async (more: Partial<NodeReport>, minutes = 120) => {
    await world.look(minutes, 10, { head: more });
    expect(world.calls).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: null, workersGo: null, nodesStop: null });
    return world.said().why;
  };
  const known = () => ({ busy: false, reasons: [], idleSince: iso(10), looked: world.now.toISOString() });

  test.each<[string, () => Partial<NodeReport>, string]>([
    ["works", () => world.busy("GPU 0 is at 97 %"), "head is busy: GPU 0 is at 97 %"],
    ["works and doesn't say on what", () => world.busy(), "head is busy"],
    ["has reasons and says that it isn't busy", () => ({ idle: { ...known(), reasons: ["x"] } }), "head is busy: x"],
    ["can't tell", () => ({ idle: null }), "head can't tell whether anybody works there"],
    [
      "can't tell, and says why",
      () => ({ idle: null, problem: "idle.py ended with 1" }),
      "head can't tell whether anybody works there: idle.py ended with 1",
    ],
    [
      "doesn't say since when",
      () => ({ idle: { ...known(), idleSince: null } }),
      "head doesn't say since when nobody works there",
    ],
    [
      "hasn't looked",
      () => ({ idle: { ...known(), looked: iso(112) } }),
      "head hasn't looked for 8 min whether anybody works there",
    ],
    [
      "is being installed",
      () => ({ state: "installing", problem: "fetches Hadoop" }),
      "head is being installed since 2 h: fetches Hadoop",
    ],
    ["could not be installed", () => ({ state: "failed", problem: "no Java" }), "head could not be installed: no Java"],
    ["reported long ago", () => ({ reported: iso(114.5) }), "head hasn't reported for 5 min 30 s"],
    ["says another machine", () => ({ instance: "i-data-1" }), "head hasn't reported since it started 2 h ago"],
  ])("when a machine %s", async (_what, more, sentence) => {
    world.now = at(120);
    expect(await why(more())).toEqual([sentence]);
  });

  test("when a machine has never reported: it boots, or it doesn't answer", async () => {
    world.machine("i-w2", "worker", { started: at(91), state: "pending" });
    expect(await why({})).toEqual(["worker-i-w2 boots, since 29 min"]);
    expect(await why({}, 121)).toEqual(["worker-i-w2 hasn't reported since it started 30 min ago"]);
  });

  test("when a data node has never reported, which is called as its tags call it", async () => {
    Object.assign(world.machines[1] as object, { tags: { ...tagsOf("data"), Name: "my-data-fleet-data-1" } });
    world.machine("i-data-2", "data", { tags: { ...tagsOf("data"), Name: "somebody renamed it" }, state: "pending" });
    world.now = at(70);
    await reap(world.clients, STACK, world.now);
    const since = "hasn't reported since it started 1 h 10 min ago";
    expect(world.said().why).toEqual(
      ["head", "data-1", "worker-i-w1", "data-i-data-2"].map((node) => `${node} ${since}`),
    );
  });

  test("when a machine was started anew and its report is of before", async () => {
    await world.look(55);
    world.objects.delete("the-lake/_fleets/f/nodes/data-1.json");
    Object.assign(world.machines[0] as object, { started: at(58), state: "pending" });
    await world.look(61);
    expect(world.said().why).toEqual(["head boots, since 3 min"]);
  });

  test("by the clock of S3, when a machine's clock is fast and it no longer reports", async () => {
    await world.look(70, 10, { head: { reported: iso(10_000) } });
    expect(world.calls).toEqual(["UpdateAutoScalingGroup workers 0 0"]);
    Object.assign(world.groups[0] as object, { desired: 2 });
    world.now = at(76);
    await reap(world.clients, STACK, at(76));
    expect(world.said().why).toContain("head hasn't reported for 6 min");
  });

  test("in spite of machines that are off, and of reports of those that are no more", async () => {
    Object.assign(world.machines[1] as object, { state: "stopped" });
    for (const node of ["data-1", "worker-i-w9"]) {
      world.now = at(69);
      world.report(node, node === "data-1" ? "data" : "worker", `i-${node}`, world.busy("ada's kernel"));
    }
    expect(await world.look(70)).toMatchObject([{ event: "emptied" }]);
  });
});
