import { beforeEach, describe, expect, test } from "vitest";
import { at, World } from "./world.ts";

let world: World;
const iso = (minutes: number) => at(minutes).toISOString();

beforeEach(() => {
  world = new World();
  world.group("workers", { desired: 2, min: 0 });
  world.machine("i-head", "head");
  world.machine("i-data-1", "data");
  world.machine("i-w1", "worker");
});

/** As the group does once it sees to no instance. */
const workersEnd = () => {
  world.machines = world.machines.filter(({ tags }) => tags["oneoff:role"] !== "worker");
};
/** A look at which somebody works there; HDFS rests as it is told. */
const lookBusy = (minutes: number) => {
  world.now = at(minutes);
  return world.look(minutes, 10, { "data-1": world.busy("ada has an SSH session") });
};
const states = () => world.machines.map(({ state }) => state);

/** The fleet was made at 8:00 on a Thursday, UTC. */
const schedule = { power: "schedule", on: "0 8 * * 1-5", off: "0 9 * * *", timeZone: "UTC" } as const;
const DAY = 24 * 60;

describe("a fleet that is told to be off", () => {
  test("loses its workers, then HDFS rests, then all is stopped, whoever works there; and comes back when told", async () => {
    await lookBusy(20);
    world.power({ power: "off" });
    expect(await lookBusy(25)).toEqual([{ event: "emptied", kind: "group", id: "workers", fleet: "the-lake/f" }]);
    expect(world.said()).toMatchObject({
      ...{ idleSince: null, why: ["data-1 is busy: ada has an SSH session"], workersGo: null },
      ...{ nodesStop: iso(25), stopping: iso(25), power: { state: "off", done: false } },
    });
    workersEnd();
    expect(await lookBusy(30)).toMatchObject([
      { event: "stopped", id: "i-head" },
      { event: "stopped", id: "i-data-1" },
    ]);
    expect(world.said()).toMatchObject({ nodesStop: null, stopping: iso(25), power: { state: "off", done: true } });
    for (const minutes of [35, 400]) {
      expect(await lookBusy(minutes)).toEqual([]);
      expect(world.said()).toMatchObject({ workersGo: null, nodesStop: null, power: { state: "off", done: true } });
    }

    world.power({ power: "on" });
    expect(await lookBusy(405)).toEqual([
      { event: "started", kind: "instance", id: "i-head", fleet: "the-lake/f" },
      { event: "started", kind: "instance", id: "i-data-1", fleet: "the-lake/f" },
      { event: "filled", kind: "group", id: "workers", fleet: "the-lake/f" },
    ]);
    expect(world.calls, "nodes first").toEqual(["StartInstances i-head i-data-1", "UpdateAutoScalingGroup workers 2"]);
    expect(world.said().power).toEqual({ state: "on", done: true });
    expect(await lookBusy(410)).toEqual([]);
  });

  test("has what somebody starts stopped again, once it has come up", async () => {
    world.power({ power: "off" });
    await lookBusy(40);
    workersEnd();
    await lookBusy(45);
    Object.assign(world.machines[0] as object, { state: "running", started: at(45.5) });
    for (const minutes of [46, 51]) expect(await world.look(minutes, 10, { head: { rests: false } })).toEqual([]);
    expect(world.said().stopping, "HDFS comes to rest again").toBe(iso(46));
    expect(await lookBusy(52)).toMatchObject([{ event: "stopped", id: "i-head" }]);
  });

  test("is made first: a machine that is being set up is not stopped in the middle of that, as long as that may take", async () => {
    world.power({ power: "off" });
    Object.assign(world.groups[0] as object, { desired: 0 });
    workersEnd();
    const installing = { "data-1": { state: "installing" as const } };
    for (const minutes of [5, 12, 29]) expect(await world.look(minutes, 0, installing)).toEqual([]);
    expect(await world.look(30, 0, installing)).toMatchObject([{ event: "stopped" }, { event: "stopped" }]);
  });

  test("comes back when it is told so before it is off", async () => {
    world.power({ power: "off" });
    await lookBusy(25);
    world.power({ power: "on" });
    expect(await lookBusy(26)).toMatchObject([{ event: "filled", id: "workers" }]);
    expect(world.said()).toMatchObject({ nodesStop: null, power: { state: "on", done: true } });
  });

  test("comes back whole: what is still being stopped, or can't be started, is at a later look", async () => {
    world.power({ power: "off" });
    await lookBusy(40);
    workersEnd();
    await lookBusy(45);
    Object.assign(world.machines[1] as object, { state: "stopping" });
    world.power({ power: "on" });
    world.broken = (command, input) =>
      command === "StartInstances" && input.includes("i-head") ? new Error("InsufficientInstanceCapacity") : undefined;
    expect((await lookBusy(50)).map(({ event, id }) => `${event} ${id}`)).toEqual(["failed i-head", "filled workers"]);
    expect(world.said().power).toEqual({ state: "on", done: false });
    world.broken = () => undefined;
    expect(await lookBusy(55)).toMatchObject([{ event: "started", id: "i-head" }]);
    Object.assign(world.machines[1] as object, { state: "stopped" });
    expect(await lookBusy(60)).toMatchObject([{ event: "started", id: "i-data-1" }]);
    expect(world.said().power).toEqual({ state: "on", done: true });
  });

  test("is not woken by what says that it is on, when it sleeps for want of work", async () => {
    world.power({ power: "on" });
    await world.look(70);
    workersEnd();
    await world.look(100);
    expect(states()).toEqual(["stopped", "stopped"]);
    expect(await world.look(105)).toEqual([]);
    expect(await world.look(110)).toEqual([]);
  });

  test.each(["{", '{"power":"dim"}', '{"power":"schedule","on":"0 8 * * *","off":"0 9 * * *","timeZone":"Mars"}'])(
    "in words that can't be read stays as it is, and that is said: %s",
    async (body) => {
      await lookBusy(20);
      world.write("the-lake/_fleets/f/power.json", body);
      expect(await lookBusy(25)).toMatchObject([{ event: "failed", kind: "fleet", id: "the-lake/f" }]);
      expect(world.calls).toEqual([]);
      expect(world.said().power).toEqual({ state: "on", done: true });
    },
  );

  test("isn't touched while not all of it is known", async () => {
    world.power({ power: "off" });
    world.broken = (command) => (command === "DescribeAutoScalingGroups" ? new Error("not today") : undefined);
    await lookBusy(40);
    expect(world.calls).toEqual([]);
  });
});

describe("a fleet that goes by the clock", () => {
  beforeEach(() => {
    for (const one of [...world.machines, ...world.groups]) {
      Object.assign(one, { tags: { ...one.tags, "oneoff:deadline": "20 days" } });
    }
    world.power(schedule);
  });

  test("is told of it before, goes when it says so, and comes when it says so", async () => {
    expect(await lookBusy(59)).toEqual([]);
    expect(world.said()).toMatchObject({
      ...{ workersGo: iso(60), nodesStop: iso(60), power: { state: "on", at: iso(0), done: true } },
      clock: { off: iso(60), on: iso(DAY) },
    });
    expect(await lookBusy(64)).toMatchObject([{ event: "emptied" }]);
    expect(world.said()).toMatchObject({ stopping: iso(64), power: { state: "off", at: iso(60), done: false } });
    workersEnd();
    expect(await lookBusy(69)).toMatchObject([{ event: "stopped" }, { event: "stopped" }]);
    expect(world.said()).toMatchObject({ power: { state: "off", at: iso(60), done: true } });
    expect(await lookBusy(DAY - 1)).toEqual([]);
    expect(await lookBusy(DAY + 4)).toMatchObject([{ event: "started" }, { event: "started" }, { event: "filled" }]);
    expect(world.said()).toMatchObject({
      power: { state: "on", at: iso(DAY), done: true },
      clock: { off: iso(DAY + 60), on: iso(4 * DAY) },
    });
    // Over the weekend it is off.
    await lookBusy(DAY + 60);
    await lookBusy(DAY + 65);
    expect(await lookBusy(3 * DAY)).toEqual([]);
    expect(await lookBusy(4 * DAY)).toMatchObject([{ event: "started" }, { event: "started" }, { event: "filled" }]);
  });

  test("is had by who wakes it, until it is idle or the clock says so again", async () => {
    await lookBusy(60);
    workersEnd();
    await lookBusy(65);
    for (const machine of world.machines) Object.assign(machine, { state: "running", started: at(70) });
    for (const minutes of [75, 120, DAY - 1]) expect(await lookBusy(minutes)).toEqual([]);
    expect(world.calls).toEqual([]);
    expect(states()).toEqual(["running", "running"]);
    await lookBusy(DAY);
    expect(await lookBusy(DAY + 60)).toMatchObject([{ event: "emptied" }]);
  });

  test("sleeps for want of work within its hours, and is idle anew when it comes", async () => {
    world.power({ ...schedule, off: "0 20 * * *" });
    await world.look(5);
    expect(await world.look(70)).toMatchObject([{ event: "emptied" }]);
    workersEnd();
    await world.look(100);
    expect(states()).toEqual(["stopped", "stopped"]);
    await world.look(DAY);
    expect(states()).toEqual(["running", "running"]);
    expect(world.groups[0]?.desired).toBe(2);
    await world.look(DAY + 59);
    expect(world.calls).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(DAY + 59), workersGo: iso(DAY + 119) });
  });

  test("that is made outside its hours is on until they end next: its first run isn't ended", async () => {
    world.power({ ...schedule, on: "0 12 * * *", off: "0 7 * * *" });
    for (const minutes of [1, 6, 200]) expect(await lookBusy(minutes)).toEqual([]);
    expect(world.said()).toMatchObject({ clock: { off: iso(DAY - 60) } });
  });

  test("that was told to go by it outside its hours goes, and that was off within them comes", async () => {
    world.power({ power: "on" });
    await lookBusy(70);
    world.power(schedule);
    expect(await lookBusy(75)).toMatchObject([{ event: "emptied" }]);
    workersEnd();
    await lookBusy(80);
    world.power({ power: "off" });
    await lookBusy(85);
    world.power({ ...schedule, off: "0 20 * * *" });
    expect(await lookBusy(90)).toMatchObject([{ event: "started" }, { event: "started" }, { event: "filled" }]);
  });

  test("isn't that of another fleet of its name", async () => {
    world.write(
      "the-lake/_fleets/f/reaper.json",
      JSON.stringify({
        ...{ looked: iso(-500), ends: iso(-400), idleSince: null, why: [], workersGo: null, nodesStop: null },
        power: { state: "off", at: iso(-2000), done: false },
      }),
      at(-500),
    );
    expect(await lookBusy(5)).toEqual([]);
  });
});

describe("workers that are added", () => {
  test("are asked for where the fleet is awake, and not where they went", async () => {
    await lookBusy(20);
    Object.assign(world.groups[0] as object, { most: 4 });
    expect(await lookBusy(25)).toMatchObject([{ event: "filled", id: "workers" }]);
    expect(world.calls).toEqual(["UpdateAutoScalingGroup workers 4"]);
    expect(await lookBusy(30)).toEqual([]);

    await world.look(130, 30);
    expect(world.groups[0]?.desired).toBe(0);
    Object.assign(world.groups[0] as object, { most: 5 });
    workersEnd();
    await world.look(135, 30);
    expect(world.groups[0]?.desired).toBe(0);
  });
});
