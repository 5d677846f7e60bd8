import { beforeEach, describe, expect, test } from "vitest";
import type { NodeReport } from "../../../core/fleet-lake.ts";
import { at, idleFrom, type Tags, tagsOf, World } from "./world.ts";

const notToday = Object.assign(new Error("not today"), { name: "InternalFailure" });
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

describe("what is in a lake", () => {
  const nodes = "the-lake/_fleets/f/nodes";
  const other = tagsOf("head", { "oneoff:cluster": "g" });

  beforeEach(() => {
    world.machine("i-g", "head", { tags: other });
    world.group("g-workers", { tags: { ...other, "oneoff:role": "worker" } });
    world.now = at(120);
    world.report("head", "head", "i-g", { ...idleFrom(10, at(120)), rests: true }, "the-lake/_fleets/g");
  });

  test.each<[string, string, string]>([
    ["no JSON", "{", "it is no JSON"],
    ["nothing", "", "it is empty"],
    ["another thing", "[]", "it: Invalid input: expected object, received array"],
    ["of wrong types", '{"node":7}', "node: Invalid input: expected string, received number"],
    ["too large", `{"node":"${"x".repeat(300_000)}"}`, "it has more than 256 KiB"],
    ["deep", "[".repeat(200_000), "it is no JSON"],
  ])("keeps its own fleet alone: %s", async (_what, body, problem) => {
    world.machines = world.machines.filter(({ id }) => id !== "i-w1");
    world.write(`${nodes}/worker-x.json`, body, at(119));
    expect(await world.look(120)).toMatchObject([{ event: "emptied", id: "g-workers" }]);
    expect(world.said().why).toEqual([`worker-x: its report can't be read: ${problem}`]);
    expect(world.read.includes("_fleets/f/nodes/worker-x.json")).toBe(body.length < 300_000);
    // Nobody writes it any more.
    world.write(`${nodes}/worker-x.json`, body, at(110));
    expect(await world.look(120)).toContainEqual(expect.objectContaining({ event: "emptied", id: "workers" }));
  });

  test("is read up to its limit, though it grew since it was listed", async () => {
    world.write(`${nodes}/worker-x.json`, "[1]");
    const { body } = world.objects.get(`${nodes}/worker-x.json`) as { body: string };
    world.broken = (command, input) => {
      if (command === "GetObject" && input.includes("worker-x")) {
        expect(input).toContain("bytes=0-262144");
        world.write(`${nodes}/worker-x.json`, " ".repeat(1e6) + body);
      }
      return undefined;
    };
    await world.look(120);
    expect(world.said().why).toEqual(["worker-x: its report can't be read: it has more than 256 KiB"]);
  });

  test("is read up to a limit of all together", async () => {
    const reasons = Array.from({ length: 1000 }, () => "z".repeat(200));
    for (let i = 0; i < 30; i += 1) world.report(`more-${i}`, "worker", `i-gone-${i}`, world.busy(...reasons));
    let read = 0;
    world.broken = (command, input) => {
      if (command === "GetObject" && input.includes("/more-")) read += 1;
      return undefined;
    };
    expect(await world.look(120)).toMatchObject([{ event: "emptied", id: "g-workers" }]);
    expect(read).toBeGreaterThan(10);
    expect(read).toBeLessThan(30);
    const left = "its report can't be read: all together have more than 4 MiB";
    expect(world.said().why).toContain(`worker-i-w1: ${left}`);
  });

  test("is read up to a limit of all together, though each grew since it was listed", async () => {
    for (let i = 0; i < 99; i += 1) world.write(`${nodes}/more-${i}.json`, "{}");
    let read = 0;
    world.broken = (command, input) => {
      const key = /_fleets\/f\/nodes\/more-\d+\.json/.exec(input)?.[0];
      if (command !== "GetObject" || !key) return undefined;
      read += 1;
      world.write(`the-lake/${key}`, " ".repeat(250_000));
      return undefined;
    };
    await world.look(120);
    expect(read).toBeGreaterThan(10);
    expect(read).toBeLessThan(30);
  });

  test.each([
    ["instance", { instance: "i".repeat(1000) }],
    ["state", { state: "asleep" }],
    ["idle.idleSince", { idle: { busy: false, reasons: [], idleSince: "yesterday", looked: iso(120) } }],
    ["idle.reasons", { idle: { busy: false, reasons: {}, idleSince: iso(10), looked: iso(120) } }],
  ])("counts as busy for what it is looked at for: %s", async (path, more) => {
    await world.look(120, 10, { head: more as unknown as Partial<NodeReport> });
    expect(world.said().why).toContainEqual(expect.stringMatching(`^head: its report can't be read: ${path}: `));
    expect(world.calls).toEqual(["UpdateAutoScalingGroup g-workers 0 0"]);
  });

  test("doesn't speak for machines of another fleet or another role, nor twice for one in peace", async () => {
    world.report("worker-i-w1", "worker", "i-g", world.busy("all"), "the-lake/_fleets/f");
    world.write(`${nodes}/impostor.json`, world.objects.get("the-lake/_fleets/g/nodes/head.json")?.body ?? "");
    world.report("worker-x", "head", "i-head", idleFrom(10, at(120)));
    world.report("data-2", "data", "i-data-1", world.busy("a twin"));
    world.machines = world.machines.filter(({ id }) => id !== "i-w1");
    expect(await world.look(120)).toMatchObject([{ event: "emptied", id: "g-workers" }]);
    expect(world.said().why).toEqual([
      "data-2 is busy: a twin",
      "impostor: its report can't be read: it is that of head head",
      "worker-x: its report can't be read: it is that of head worker-x",
    ]);
  });

  test("makes no long report, and none with more than one line to a sentence", async () => {
    const reasons = Array.from({ length: 100 }, (_, i) => `${i}\n\u001b[2J\u202e ${"y".repeat(100)}🦉`.repeat(3));
    for (let i = 0; i < 40; i += 1) world.machine(`i-x${i}`, "worker");
    const all = Object.fromEntries(world.machines.map(({ id }) => [`worker-${id}`, world.busy(...reasons)]));
    await world.look(120, 10, all);
    const { why } = world.said();
    expect(why).toHaveLength(51);
    expect(why.at(-1)).toBe(`and ${41 * 6 - 50} more reasons`);
    for (const sentence of why) {
      expect([...sentence].length).toBeLessThanOrEqual(200);
      expect(sentence).not.toMatch(/\p{C}/u);
    }
    expect(why[5]).toBe("worker-i-w1 is busy: 95 more");
  });

  test("goes a day after its machine went, and no sooner", async () => {
    const day = 1440;
    retag({ "oneoff:deadline": "20 days" });
    world.now = at(0);
    for (const node of ["head-old", "data-1"]) world.report(node, "data", `i-${node}`);
    world.write(`${nodes}/junk.json`, "{");
    world.write("the-lake/_fleets/f/nodes/no-report.txt", "{");
    Object.assign(world.machines[1] as object, { state: "stopped" });
    await world.look(day);
    expect(world.calls.filter((call) => call.startsWith("DeleteObject"))).toEqual([]);
    await world.look(day + 1);
    expect(world.calls.filter((call) => call.startsWith("DeleteObject"))).toEqual([
      "DeleteObject _fleets/f/nodes/head-old.json",
      "DeleteObject _fleets/f/nodes/junk.json",
    ]);
  });

  test("that is another stack's of this name is left to its own reaper", async () => {
    const forbidden = Object.assign(new Error("Access Denied"), { $metadata: { httpStatusCode: 403 } });
    world.machine("i-twin", "head", { tags: tagsOf("head", { "oneoff:lake": "their-lake" }) });
    const entries = await world.look(120);
    expect(entries.filter(({ event }) => event === "left")).toEqual([
      { event: "left", kind: "fleet", id: "their-lake/f", error: "NoSuchBucket: no such bucket" },
    ]);
    expect(entries.filter(({ event }) => event === "emptied")).toHaveLength(2);
    world.broken = (command, input) => (command === "GetObject" && input.includes("_fleets/g") ? forbidden : undefined);
    expect(await world.look(121)).toContainEqual({
      event: "left",
      kind: "fleet",
      id: "the-lake/g",
      error: "Error: Access Denied",
    });
  });
});

describe("what fails", () => {
  /** What fails in a look at an idle fleet, beside one that is well. */
  async function lookWith(broken: World["broken"]) {
    const tags = tagsOf("head", { "oneoff:cluster": "g" });
    world.machine("i-g", "head", { tags });
    world.group("g-workers", { tags: { ...tags, "oneoff:role": "worker" } });
    world.now = at(120);
    world.report("head", "head", "i-g", { ...idleFrom(10, at(120)), rests: true }, "the-lake/_fleets/g");
    world.broken = broken;
    const entries = await world.look(120);
    return {
      failed: entries.flatMap((entry) =>
        entry.event === "failed" ? [`${entry.kind} ${entry.id}: ${entry.error}`] : [],
      ),
      done: entries.flatMap(({ event, id }) => (event === "failed" ? [] : [`${event} ${id}`])),
    };
  }
  const inLake = (command: string) => (called: string, input: string) =>
    called === command && input.includes("_fleets/f/") ? notToday : undefined;

  test("is said, and done at the next look: the group", async () => {
    const one = await lookWith((command, input) =>
      input.includes('"workers"') && /Update/.test(command) ? notToday : undefined,
    );
    expect(one).toEqual({ failed: ["group workers: InternalFailure: not today"], done: ["emptied g-workers"] });
    expect(world.said()).toMatchObject({ idleSince: iso(10), workersGo: iso(70), nodesStop: iso(100) });
    world.broken = () => undefined;
    expect(await world.look(121)).toContainEqual(expect.objectContaining({ event: "emptied", id: "workers" }));
    // None of the others before that.
    expect(world.calls).toEqual(["UpdateAutoScalingGroup workers 0 0", "StopInstances i-g"]);
  });

  test("is said, and doesn't keep the others: a machine that isn't stopped", async () => {
    await world.look(70);
    workersEnd();
    world.broken = (command, input) => (command === "StopInstances" && input.includes("i-head") ? notToday : undefined);
    const entries = await world.look(100);
    expect(entries.map(({ event, id }) => [event, id])).toEqual([
      ["failed", "i-head"],
      ["stopped", "i-data-1"],
    ]);
    expect(world.said().nodesStop).toBe(iso(100));
    world.broken = () => undefined;
    expect(await world.look(105)).toMatchObject([{ event: "stopped", id: "i-head" }]);
    expect(world.said().nodesStop).toBe(null);
  });

  test.each([
    ["ListObjectsV2", "reaper can't read what the nodes say"],
    ["GetObject", "reaper can't read what it said last"],
  ])("in the lake, %s: the fleet isn't idle, and the other one is", async (command, sentence) => {
    const { failed, done } = await lookWith(inLake(command));
    expect(failed).toEqual(["fleet the-lake/f: InternalFailure: not today"]);
    expect(done).toEqual(["emptied g-workers"]);
    expect(world.said().why[0]).toBe(sentence);
  });

  test("in the lake: its own report, which it mends", async () => {
    world.write("the-lake/_fleets/f/reaper.json", '{"ends": 1}');
    const { failed, done } = await lookWith(() => undefined);
    expect(failed).toEqual([
      "fleet the-lake/f: Error: _fleets/f/reaper.json can't be read: looked: Invalid input: expected string, received undefined",
    ]);
    expect(done).toEqual(["emptied g-workers"]);
    expect(await world.look(121)).toMatchObject([
      { event: "emptied", id: "workers" },
      { event: "stopped", id: "i-g" },
    ]);
  });

  test.each(["PutObject", "DeleteObjects"])("in the lake, %s: the fleet sleeps all the same", async (command) => {
    retag({ "oneoff:deadline": "20 days" });
    world.write("the-lake/_fleets/f/nodes/junk.json", "{", at(-2000));
    const { failed, done } = await lookWith(inLake(command));
    expect(failed).toEqual(["fleet the-lake/f: InternalFailure: not today"]);
    expect(done).toEqual(["emptied workers", "emptied g-workers"]);
  });

  test.each(["DescribeInstances", "DescribeAutoScalingGroups"])(
    "in EC2, %s: nothing is idle of which not all is known",
    async (command) => {
      retag({ "oneoff:deadline": "20 days" });
      world.write("the-lake/_fleets/f/nodes/old.json", "{}", at(-2000));
      const { failed, done } = await lookWith((called) => (called === command ? notToday : undefined));
      expect(failed).toEqual([
        `${command === "DescribeInstances" ? "instance" : "group"} *: InternalFailure: not today`,
      ]);
      expect(done).toEqual([]);
      expect(world.said().why[0]).toBe("reaper can't tell which machines there are");
      expect(world.objects.has("the-lake/_fleets/f/nodes/old.json")).toBe(true);
    },
  );
});
