import { beforeEach, describe, expect, test } from "vitest";
import { reap } from "../../../assets/reaper/reap.ts";
import type { NodeReport } from "../../../core/fleet-lake.ts";
import { at, STACK, type Tags, tagsOf, World } from "./world.ts";

let world: World;
const notToday = Object.assign(new Error("not today"), { name: "InternalFailure" });
const iso = (minutes: number) => at(minutes).toISOString();
const idle = (since: number, looked: Date) => ({
  idle: { busy: false, reasons: [], idleSince: iso(since), looked: looked.toISOString() },
});
const busy = (...reasons: string[]) => ({
  idle: { busy: true, reasons, idleSince: null, looked: world.now.toISOString() },
});

/** Whoever runs reports, idle since minute `since` unless `more` says otherwise; then the reaper looks. */
async function look(minutes: number, since = 10, more: Readonly<Record<string, Partial<NodeReport> | undefined>> = {}) {
  world.now = at(minutes);
  world.calls = [];
  for (const { id, tags, state } of world.machines) {
    const role = tags["oneoff:role"] as string;
    const node = role === "worker" ? `worker-${id}` : id.slice(2);
    if (state === "running") world.report(node, role, id, { ...idle(since, world.now), ...more[node] });
  }
  return reap(world.clients, STACK, world.now);
}

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
    expect(await look(69.9)).toEqual([]);
    expect(world.calls).toEqual([]);
    expect(world.said()).toEqual({
      ...{ looked: iso(69.9), ends: iso(600), idleSince: iso(10), why: [] },
      ...{ workersGo: iso(70), nodesStop: iso(100) },
    });

    const slept = { fleet: "the-lake/f", idleSince: iso(10) };
    expect(await look(70)).toEqual([{ event: "emptied", kind: "group", id: "workers", ...slept }]);
    expect(world.calls).toEqual(["UpdateAutoScalingGroup workers 0 0"]);
    expect(world.said()).toMatchObject({ idleSince: iso(10), workersGo: null, nodesStop: iso(100) });

    workersEnd();
    expect(await look(99.9)).toEqual([]);
    expect(await look(100)).toEqual([
      { event: "stopped", kind: "instance", id: "i-head", ...slept },
      { event: "stopped", kind: "instance", id: "i-data-1", ...slept },
    ]);
    expect(world.calls).toEqual(["StopInstances i-head i-data-1"]);
    expect(world.said()).toMatchObject({ idleSince: iso(10), workersGo: null, nodesStop: null });

    for (const minutes of [105, 300]) {
      expect(await look(minutes)).toEqual([]);
      expect(world.calls).toEqual([]);
      expect(world.said()).toMatchObject({ idleSince: iso(10), why: [], workersGo: null, nodesStop: null });
    }

    for (const machine of world.machines) Object.assign(machine, { state: "running", started: at(301) });
    Object.assign(world.groups[0] as object, { min: 1, desired: 2 });
    expect(await look(305, 10)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(305), workersGo: iso(365), nodesStop: iso(395) });
    expect(await look(364.9, 302)).toEqual([]);
    expect(await look(365, 302)).toMatchObject([{ event: "emptied" }]);
  });

  test("is idle since the last of its machines is, and keeps that when this one is gone", async () => {
    await look(70, 10, { "worker-i-w1": idle(40, at(70)) });
    expect(world.said()).toMatchObject({ idleSince: iso(40), workersGo: iso(100) });
    expect(await look(100, 10, { "worker-i-w1": idle(40, at(100)) })).toMatchObject([{ event: "emptied" }]);
    workersEnd();
    await look(105, 10);
    expect(world.said()).toMatchObject({ idleSince: iso(40), nodesStop: iso(130) });
  });

  test("isn't put to sleep within its limit of its machines' start, whatever they say", async () => {
    Object.assign(world.machines[1] as object, { started: at(60) });
    expect(await look(119)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(60), workersGo: iso(120) });
  });

  test("isn't put to sleep when it was woken and no worker could be had yet", async () => {
    await look(70);
    workersEnd();
    await look(75);
    Object.assign(world.groups[0] as object, { desired: 2 });
    for (const minutes of [80, 139]) {
      expect(await look(minutes)).toEqual([]);
      expect(world.said()).toMatchObject({ idleSince: iso(80), workersGo: iso(140) });
    }
    expect(await look(140)).toMatchObject([{ event: "emptied" }]);
  });

  test("is none any more once somebody works; its workers don't come back by that", async () => {
    await look(70);
    workersEnd();
    expect(await look(99, 10, { head: busy("ada has an SSH session") })).toEqual([]);
    const why = ["head is busy: ada has an SSH session"];
    expect(world.said()).toMatchObject({ idleSince: null, why, workersGo: null, nodesStop: null });
    expect(world.groups[0]).toMatchObject({ min: 0, desired: 0 });
    expect(await look(189, 100)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(100), nodesStop: iso(190) });
    expect(await look(190, 100)).toMatchObject([{ event: "stopped" }, { event: "stopped" }]);
  });

  test("has workers that are still there stopped by their group alone", async () => {
    await look(70);
    await look(100);
    expect(world.calls).toEqual(["StopInstances i-head i-data-1"]);
  });

  test("isn't idle since a moment to come", async () => {
    await look(20, 400);
    expect(world.said()).toMatchObject({ idleSince: iso(20), workersGo: iso(80) });
  });

  test("keeps its other machines where nothing says when they are stopped", async () => {
    for (const one of [...world.machines, ...world.groups]) {
      const { "oneoff:idle-off": _, ...tags } = one.tags;
      Object.assign(one, { tags });
    }
    await look(70);
    workersEnd();
    expect(await look(599)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(10), workersGo: null, nodesStop: null });
  });

  test.each(["", "soon"])("keeps all where its limit is no limit (%j)", async (limit) => {
    retag({ "oneoff:idle": limit });
    expect(await look(599)).toEqual([]);
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
    expect(await look(1)).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: iso(1), workersGo: iso(61) });
    expect(await look(61)).toMatchObject([{ event: "emptied" }]);
  });

  test("is told so by reports whose other parts are another version's", async () => {
    const more = { gpus: "none", services: 7, news: {} } as unknown as Partial<NodeReport>;
    expect(await look(70, 10, { head: more })).toMatchObject([{ event: "emptied" }]);
  });
});

describe("a fleet isn't idle", () => {
  const why = async (more: Partial<NodeReport>, minutes = 120) => {
    await look(minutes, 10, { head: more });
    expect(world.calls).toEqual([]);
    expect(world.said()).toMatchObject({ idleSince: null, workersGo: null, nodesStop: null });
    return world.said().why;
  };
  const known = () => ({ busy: false, reasons: [], idleSince: iso(10), looked: world.now.toISOString() });

  test.each<[string, () => Partial<NodeReport>, string]>([
    ["works", () => busy("GPU 0 is at 97 %"), "head is busy: GPU 0 is at 97 %"],
    ["works and doesn't say on what", () => busy(), "head is busy"],
    ["has reasons and says that it isn't busy", () => ({ idle: { ...known(), reasons: ["x"] } }), "head is busy: x"],
    ["can't tell", () => ({ idle: null }), "head can't tell whether anybody works there"],
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
    ["says another role", () => ({ role: "data" }), "head hasn't reported since it started 2 h ago"],
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

  test("when a machine was started anew and its report is of before", async () => {
    await look(55);
    world.objects.delete("the-lake/_fleets/f/nodes/data-1.json");
    Object.assign(world.machines[0] as object, { started: at(58), state: "pending" });
    await look(61);
    expect(world.said().why).toEqual(["head boots, since 3 min"]);
  });

  test("by the clock of S3, when a machine's clock is fast and it no longer reports", async () => {
    await look(70, 10, { head: { reported: iso(10_000) } });
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
      world.report(node, node === "data-1" ? "data" : "worker", `i-${node}`, busy("ada's kernel"));
    }
    expect(await look(70)).toMatchObject([{ event: "emptied" }]);
  });
});

describe("what is in a lake", () => {
  const nodes = "the-lake/_fleets/f/nodes";
  const other = tagsOf("head", { "oneoff:cluster": "g" });

  beforeEach(() => {
    world.machine("i-g", "head", { tags: other });
    world.group("g-workers", { tags: { ...other, "oneoff:role": "worker" } });
    world.now = at(120);
    world.report("head", "head", "i-g", idle(10, at(120)), "the-lake/_fleets/g");
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
    expect(await look(120)).toMatchObject([{ event: "emptied", id: "g-workers" }]);
    expect(world.said().why).toEqual([`worker-x: its report can't be read: ${problem}`]);
    expect(world.read.includes("_fleets/f/nodes/worker-x.json")).toBe(body.length < 300_000);
    // Nobody writes it any more.
    world.write(`${nodes}/worker-x.json`, body, at(110));
    expect(await look(120)).toContainEqual(expect.objectContaining({ event: "emptied", id: "workers" }));
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
    await look(120);
    expect(world.said().why).toEqual(["worker-x: its report can't be read: it has more than 256 KiB"]);
  });

  test("is read up to a limit of all together", async () => {
    const reasons = Array.from({ length: 1000 }, () => "z".repeat(200));
    for (let i = 0; i < 30; i += 1) world.report(`more-${i}`, "worker", `i-gone-${i}`, busy(...reasons));
    let read = 0;
    world.broken = (command, input) => {
      if (command === "GetObject" && input.includes("/more-")) read += 1;
      return undefined;
    };
    expect(await look(120)).toMatchObject([{ event: "emptied", id: "g-workers" }]);
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
    await look(120);
    expect(read).toBeGreaterThan(10);
    expect(read).toBeLessThan(30);
  });

  test.each([
    ["instance", { instance: "i".repeat(1000) }],
    ["state", { state: "asleep" }],
    ["idle.idleSince", { idle: { busy: false, reasons: [], idleSince: "yesterday", looked: iso(120) } }],
    ["idle.reasons", { idle: { busy: false, reasons: {}, idleSince: iso(10), looked: iso(120) } }],
  ])("counts as busy for what it is looked at for: %s", async (path, more) => {
    await look(120, 10, { head: more as unknown as Partial<NodeReport> });
    expect(world.said().why).toContainEqual(expect.stringMatching(`^head: its report can't be read: ${path}: `));
    expect(world.calls).toEqual(["UpdateAutoScalingGroup g-workers 0 0"]);
  });

  test("doesn't speak for others, nor twice for one in peace", async () => {
    world.report("worker-i-w1", "worker", "i-g", busy("all"), "the-lake/_fleets/f");
    world.write(`${nodes}/impostor.json`, world.objects.get("the-lake/_fleets/g/nodes/head.json")?.body ?? "");
    world.report("head-2", "head", "i-head", busy("a twin"));
    expect(await look(120)).toMatchObject([{ event: "emptied", id: "g-workers" }]);
    expect(world.said().why).toEqual([
      "head-2 is busy: a twin",
      "impostor: its report can't be read: it is that of head",
    ]);
  });

  test("makes no long report, and none with more than one line to a sentence", async () => {
    const reasons = Array.from({ length: 100 }, (_, i) => `${i}\n\u001b[2J\u202e ${"y".repeat(100)}🦉`.repeat(3));
    for (let i = 0; i < 40; i += 1) world.machine(`i-x${i}`, "worker");
    const all = Object.fromEntries(world.machines.map(({ id }) => [`worker-${id}`, busy(...reasons)]));
    await look(120, 10, all);
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
    await look(day);
    expect(world.calls.filter((call) => call.startsWith("DeleteObject"))).toEqual([]);
    await look(day + 1);
    expect(world.calls.filter((call) => call.startsWith("DeleteObject"))).toEqual([
      "DeleteObject _fleets/f/nodes/head-old.json",
      "DeleteObject _fleets/f/nodes/junk.json",
    ]);
  });

  test("that is another stack's of this name is left to its own reaper", async () => {
    const forbidden = Object.assign(new Error("Access Denied"), { $metadata: { httpStatusCode: 403 } });
    world.machine("i-twin", "head", { tags: tagsOf("head", { "oneoff:lake": "their-lake" }) });
    const entries = await look(120);
    expect(entries.filter(({ event }) => event === "left")).toEqual([
      { event: "left", kind: "fleet", id: "their-lake/f", error: "NoSuchBucket: no such bucket" },
    ]);
    expect(entries.filter(({ event }) => event === "emptied")).toHaveLength(2);
    world.broken = (command, input) => (command === "GetObject" && input.includes("_fleets/g") ? forbidden : undefined);
    expect(await look(121)).toContainEqual({
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
    world.report("head", "head", "i-g", idle(10, at(120)), "the-lake/_fleets/g");
    world.broken = broken;
    const entries = await look(120);
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
    expect(await look(121)).toContainEqual(expect.objectContaining({ event: "emptied", id: "workers" }));
    // None of the others before that.
    expect(world.calls).toEqual(["UpdateAutoScalingGroup workers 0 0", "StopInstances i-g"]);
  });

  test("is said, and doesn't keep the others: a machine that isn't stopped", async () => {
    await look(70);
    workersEnd();
    world.broken = (command, input) => (command === "StopInstances" && input.includes("i-head") ? notToday : undefined);
    const entries = await look(100);
    expect(entries.map(({ event, id }) => [event, id])).toEqual([
      ["failed", "i-head"],
      ["stopped", "i-data-1"],
    ]);
    expect(world.said().nodesStop).toBe(iso(100));
    world.broken = () => undefined;
    expect(await look(105)).toMatchObject([{ event: "stopped", id: "i-head" }]);
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
    expect(await look(121)).toMatchObject([
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
