import { beforeEach, describe, expect, test } from "vitest";
import { at, type Group, tagsOf, World } from "./world.ts";

let world: World;
const iso = (minutes: number) => at(minutes).toISOString();

beforeEach(() => {
  world = new World();
  world.machine("i-head", "head");
});

/** Looks at minute `minutes` while somebody works. */
const look = (minutes: number) => {
  world.now = at(minutes);
  return world.look(minutes, 0, { head: world.busy("ada has an SSH session") });
};
const IN = "InService";

describe("a fleet with on-demand workers in the place of spot ones", () => {
  let main: Group;
  let spare: Group;
  const sizes = () => [main.desired, spare.desired];

  beforeEach(() => {
    main = world.group("workers", { desired: 4, most: 4 });
    spare = world.group("spare", {
      ...{ desired: 0, most: 3 },
      tags: tagsOf("worker", { "oneoff:fallback": "10 minutes" }),
    });
  });

  test("waits for spot ones, and then rents as many as are missing, which are wanted no more by spot", async () => {
    main.there = [IN, IN];
    expect(await look(3)).toEqual([]);
    expect(world.said()).toMatchObject({ shortSince: iso(3), gaveBack: null });
    expect(await look(12.9)).toEqual([]);
    expect(await look(13)).toEqual([
      { event: "resized", kind: "group", id: "spare", fleet: "the-lake/f", from: 0, to: 2 },
      { event: "resized", kind: "group", id: "workers", fleet: "the-lake/f", from: 4, to: 2 },
    ]);
    expect(world.calls).toEqual(["UpdateAutoScalingGroup spare 0 2", "UpdateAutoScalingGroup workers 0 2"]);
    for (const minutes of [18, 60]) {
      expect(await look(minutes)).toEqual([]);
      expect(world.said().shortSince).toBeNull();
    }
    // One of those by spot is taken away: the same again.
    main.there = [IN, "Terminating"];
    await look(65);
    await look(75);
    expect(sizes()).toEqual([1, 3]);
  });

  test("asks for nothing while all are there, or on their way, or come within the time", async () => {
    main.there = [IN, IN, "Pending", "Pending:Wait"];
    for (const minutes of [5, 20]) expect(await look(minutes)).toEqual([]);
    expect(world.said().shortSince).toBeNull();
    main.there = [IN, IN, IN];
    await look(25);
    main.there = [IN, IN, IN, IN];
    await look(30);
    main.there = [IN, IN, IN];
    await look(35);
    await look(44);
    expect(world.said().shortSince).toBe(iso(35));
    expect(sizes()).toEqual([4, 0]);
  });

  test("rents no more than may be by spot: who is on demand in any case is asked for by the first group", async () => {
    main.there = [];
    await look(5);
    await look(15);
    expect(sizes()).toEqual([1, 3]);
    for (const minutes of [20, 40]) await look(minutes);
    expect(sizes()).toEqual([1, 3]);
    expect(world.said().shortSince).toBe(iso(5));
  });

  test("has those that the owner adds come by spot, beside those in the place of spot ones", async () => {
    Object.assign(main, { desired: 1, most: 6, there: [IN] });
    Object.assign(spare, { desired: 3, most: 5 });
    expect(await look(5)).toEqual([{ event: "filled", kind: "group", id: "workers", fleet: "the-lake/f" }]);
    expect(sizes()).toEqual([3, 3]);
    main.there = [IN, IN, IN];
    expect(await look(10)).toEqual([]);
  });

  test("never wants more workers than the fleet has, after an update, a wake or a call that failed", async () => {
    Object.assign(spare, { desired: 2 });
    main.there = [IN, IN];
    await look(5); // a refresh and an update want four again
    expect(sizes()).toEqual([2, 2]);
    Object.assign(main, { desired: 4, there: [IN, IN, IN, IN] });
    await look(10);
    expect(sizes()).toEqual([4, 0]);

    main.there = [IN];
    await look(15);
    world.broken = (command, input) =>
      command === "UpdateAutoScalingGroup" && input.includes("workers") ? new Error("not today") : undefined;
    expect(await look(25)).toMatchObject([
      { event: "resized", id: "spare", to: 3 },
      { event: "failed", id: "workers", error: "Error: not today" },
    ]);
    world.broken = () => undefined;
    await look(30);
    expect(sizes()).toEqual([1, 3]);
  });

  test("rents none where asking for them fails, and goes on asking for the others", async () => {
    main.there = [];
    await look(5);
    world.broken = (command) => (command === "UpdateAutoScalingGroup" ? new Error("not today") : undefined);
    expect(await look(15)).toMatchObject([{ event: "failed", id: "spare" }]);
    expect(sizes()).toEqual([4, 0]);
  });

  test("gives all of them back when it is idle, and then lacks none", async () => {
    Object.assign(main, { desired: 1 });
    Object.assign(spare, { desired: 3 });
    expect(await world.look(70)).toMatchObject([
      { event: "emptied", id: "workers" },
      { event: "emptied", id: "spare" },
    ]);
    expect(sizes()).toEqual([0, 0]);
    await world.look(75);
    expect(world.said().shortSince).toBeNull();
  });

  test("doesn't fall back in the look in which it is put to sleep", async () => {
    main.there = [IN];
    await world.look(60);
    expect(await world.look(70)).toMatchObject([{ event: "emptied", id: "workers" }]);
    expect(sizes()).toEqual([0, 0]);
  });

  test.each(["", "soon"])("waits for ever where the time can't be read: %j", async (wait) => {
    Object.assign(spare, { tags: tagsOf("worker", { "oneoff:fallback": wait }) });
    main.there = [];
    for (const minutes of [5, 300]) expect(await look(minutes)).toEqual([]);
  });

  test("ends whole at its deadline", async () => {
    expect((await look(600)).map(({ id }) => id)).toEqual(["workers", "spare", "i-head"]);
  });

  test("begins to wait anew where another fleet of its name waited before", async () => {
    main.there = [];
    await look(-60);
    expect(await look(5)).toEqual([]);
    expect(world.said().shortSince).toBe(iso(5));
  });
});

describe("a gang", () => {
  let group: Group;
  beforeEach(() => {
    group = world.group("workers", {
      ...{ desired: 2, most: 2 },
      tags: tagsOf("worker", { "oneoff:gang": "10 minutes" }),
    });
  });

  test("that isn't whole in time is given back, and that is told until it is asked for again", async () => {
    group.there = [IN];
    expect(await look(5)).toEqual([]);
    expect(await look(14.9)).toEqual([]);
    expect(await look(15)).toEqual([
      { event: "resized", kind: "group", id: "workers", fleet: "the-lake/f", from: 2, to: 0 },
    ]);
    const gaveBack = { at: iso(15), there: 1, wanted: 2 };
    expect(world.said()).toMatchObject({ gaveBack });
    group.there = [];
    expect(await look(60)).toEqual([]);
    expect(world.said()).toMatchObject({ gaveBack, shortSince: null });

    group.desired = 2;
    group.there = [IN, "Pending"];
    await look(65);
    expect(world.said()).toMatchObject({ gaveBack: null, shortSince: null });
    // A member is lost, and no other comes.
    group.there = [IN];
    await look(70);
    expect(await look(80)).toMatchObject([{ event: "resized", to: 0 }]);
  });

  test("that could not be given back is tried again, and not told to be gone", async () => {
    group.there = [IN];
    await look(5);
    world.broken = (command) => (command === "UpdateAutoScalingGroup" ? new Error("not today") : undefined);
    expect(await look(15)).toMatchObject([{ event: "failed", id: "workers" }]);
    expect(world.said()).toMatchObject({ shortSince: iso(5), gaveBack: null });
    world.broken = () => undefined;
    expect(await look(20)).toMatchObject([{ event: "resized", to: 0 }]);
  });

  test("that is whole stays", async () => {
    for (const minutes of [5, 60]) expect(await look(minutes)).toEqual([]);
  });
});

test("workers of which fewer will do are waited for without an end, and the shortage is told", async () => {
  world.group("workers", { desired: 2, there: [] });
  for (const minutes of [5, 300]) expect(await look(minutes)).toEqual([]);
  expect(world.said()).toMatchObject({ shortSince: iso(5), gaveBack: null });
});

test("what an earlier reaper said last is read", async () => {
  world.group("workers", { desired: 2 });
  const last = { looked: iso(1), ends: iso(600), idleSince: null, why: [], workersGo: null, nodesStop: null };
  world.write("the-lake/_fleets/f/reaper.json", JSON.stringify(last));
  expect(await look(5)).toEqual([]);
  expect(world.said()).toMatchObject({ shortSince: null, gaveBack: null });
});
