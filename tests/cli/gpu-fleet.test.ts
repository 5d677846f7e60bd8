/** `oneoff fleet` on a fleet on EC2: real SDK against moto; what machines and the head say is put into the lake. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  AutoScalingClient,
  DescribeAutoScalingGroupsCommand,
  DescribeScalingActivitiesCommand,
  SetDesiredCapacityCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  AttachNetworkInterfaceCommand,
  AttachVolumeCommand,
  CreateLaunchTemplateCommand,
  CreateNetworkInterfaceCommand,
  CreateSubnetCommand,
  CreateVolumeCommand,
  CreateVpcCommand,
  CreateVpcEndpointCommand,
  DescribeInstancesCommand,
  EC2Client,
  type ResourceType,
  StopInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { part } from "../../cli/aws/gpu-fleet/index.ts";
import { findLeftovers } from "../../cli/aws/index.ts";
import { removeAll } from "../../cli/commands/leftovers.ts";
import { attach } from "../../cli/registry.ts";
import { readUsers, usersFile } from "../../components/aws/fleet/keys.ts";
import { type Moto, startMoto } from "../moto.ts";
import { contextOf, exported } from "./attached.ts";
import {
  ago,
  BUCKET,
  keys,
  machine,
  makeLake,
  OUTPUTS,
  put,
  reaper,
  report,
  reports,
  tagsOf,
  text,
  workerGroup,
} from "./fleet-on-aws.ts";
import { oneoff } from "./in-process.ts";

const GOLDEN = new URL("golden/", import.meta.url);

let outputs: Record<string, unknown>;
let moto: Moto;

vi.mock(import("../../cli/pulumi.ts"), async (original) => {
  const real = await original();
  const outputsOf = async (stack: string) => real.outputsIn(exported(outputs), stack);
  const pulumiText = async (args: readonly string[]) => (args === real.STATE ? exported(outputs) : "team");
  return { ...real, outputsOf, pulumiText, ensureStack: async () => {} };
});

beforeAll(async () => {
  moto = await startMoto();
}, 60_000);
afterAll(() => moto.close());
beforeEach(async () => {
  vi.stubEnv("PULUMI_BACKEND_URL", "file:///where/stacks/are");
  vi.stubEnv("PULUMI_STACK", "team");
  outputs = OUTPUTS;
  await moto.reset();
  await makeLake();
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

/** A project with settings of the stack, in which the commands are given. */
function project(settings: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "oneoff-fleet-"));
  folders.push(folder);
  writeFileSync(join(folder, "Pulumi.yaml"), "name: oneoff\nruntime: nodejs\nmain: engine/program.mjs\n");
  const lines = Object.entries(settings).map(([key, value]) => `  ${key}: "${value}"\n`);
  writeFileSync(join(folder, "Pulumi.team.yaml"), `config:\n${lines.join("")}`);
  process.chdir(folder);
  return folder;
}
const folders: string[] = [];
const cwd = process.cwd();
afterEach(() => {
  process.chdir(cwd);
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const clock = (time: string) => time.slice(11, 16);
const minute = (time: string) => time.slice(0, 16).replace("T", " ");

/** A fleet in use: a head, a data node, and a worker that a job has. */
async function inUse() {
  const [head, data, worker] = [await machine("head"), await machine("data"), await machine("worker", {}, "g6.xlarge")];
  const fleet = {
    hdfs: {
      ...{ state: "active", used: 2e9, capacity: 20e9, live: 1, missing: 0, underReplicated: 0 },
      nodes: [{ address: `${data.address}:9866`, state: "in service", used: 2e9, capacity: 20e9 }],
    },
    spark: {
      nodes: [
        {
          ...{ page: `${worker.address}:8081`, state: "alive", cores: 4, coresUsed: 2 },
          ...{ memoryMebibytes: 14_000, memoryUsedMebibytes: 2048, gpus: ["0"], gpusUsed: ["0"] },
        },
      ],
      applications: [{ name: "nids 1 train", user: "ada", cores: 2, since: "2026-11-29T19:11:43Z" }],
    },
  };
  const busy = { busy: true, reasons: ["ada has an SSH session"], idleSince: null, looked: ago(20) };
  await reports(
    report("head", "head", head.id, { sessions: ["ada"], idle: busy, fleet }),
    report("data-1", "data", data.id),
    report(`worker-${worker.id}`, "worker", worker.id, {
      gpus: [{ index: "0", percent: 71, usedMebibytes: 9000, mebibytes: 22_888 }],
      idle: { ...busy, reasons: ["GPU 0 is at 71 %"] },
    }),
  );
  const ends = ago(-3 * 3600);
  await reaper({ ends });
  return { head, data, worker, fleet, ends };
}

test("fleet status tells of every machine: what it is at, GPUs, who is on, when it ends and what it cost", async () => {
  const { worker, ends } = await inUse();
  const { code, out, err } = await oneoff("fleet", "status");
  expect(err).toBe("");
  const lines = out.replaceAll(worker.id, "ID").split("\n");
  expect(lines.map((line) => line.replace(/\d+s$/, "SEEN").replace(/ {2,}/g, "  "))).toEqual([
    "NODE  ROLE  STATE  TYPE  ZONE  CORES  MEMORY MB  GPUS  GPU MB  GPU %  HDFS GB  USERS  SEEN",
    "head  head  ready  m6i.large  us-west-2a  ada  SEEN",
    "data-1  data  in service  m6i.large  us-west-2a  2.0/20.0  SEEN",
    "worker-ID  worker  busy  g6.xlarge  us-west-2a  2/4  2048/14000  1/1  9000/22888  71  SEEN",
    "3 nodes. HDFS has 2.0 of 20.0 GB. Running: nids 1 train of ada, 2 cores since 2026-11-29 19:11 UTC.",
    `Not idle: head: ada has an SSH session; worker-ID: GPU 0 is at 71 %; at ${minute(ends)} UTC all of it ends, with what is in HDFS.`,
    "It cost at most 8.50 USD so far, of 13.60 to its end.",
    "",
  ]);
  expect(code).toBe(0);
});

test("the schema of fleet status on EC2 is what it was", async () => {
  const { head, data, worker, ends } = await inUse();
  const { out } = await oneoff("fleet", "status", "--json");
  const told = [head, data, worker]
    .reduce((text, { id }, i) => text.replaceAll(id, `i-${i}`), out)
    .replaceAll(ends, "ENDS")
    .replaceAll(minute(ends), "ENDS")
    .replace(/"usd":8.5\d*/, '"usd":8.5')
    .replace(/"reported":"[^"]+"/g, '"reported":"TIME"');
  await expect(told).toMatchFileSnapshot(new URL("gpu-fleet.jsonl", GOLDEN).pathname);
});

test("what a machine lacks is its state, and a warning with what to do", async () => {
  const [head, silent, never, stopped, broken] = [
    await machine("head"),
    await machine("data"),
    await machine("data"),
    await machine("data"),
    await machine("data"),
  ];
  await new EC2Client({}).send(new StopInstancesCommand({ InstanceIds: [stopped.id] }));
  const spot = await machine("worker");
  const taken = ago(-90);
  await reports(
    report("head", "head", head.id, { services: [{ name: "namenode", state: "down" }] }),
    report("data-1", "data", silent.id, { reported: ago(7 * 60) }),
    report("data-9", "data", "i-gone"), // replaced meanwhile
    report("worker-1", "worker", spot.id, { taken, problem: "nvidia-smi does not answer" }),
  );
  const said = "sha256sum: WARNING: 1 computed checksum did NOT match";
  await put(`${keys.boot}/${broken.id}.log`, `${"x".repeat(5000)}\n${said}\n`);
  await put(`${keys.boot}/${head.id}.log`, "as it was before it was started by hand\n");
  await put(keys.node("data-2"), "{");
  await put(keys.node("data-3"), report("head", "head", head.id)); // says that it is another
  const { code, out } = await oneoff("fleet", "status");
  expect(code).toBe(1);
  const state = (name: string) => new RegExp(`^${name} +\\w+ +(.*?)  `, "m").exec(out)?.[1];
  expect([state("head"), state("data-1"), state("worker-1")]).toEqual([
    "namenode down",
    "no word for 7 minutes",
    `taken ${clock(taken)}`,
  ]);
  expect([state(`data-${never.id}`), state(`data-${stopped.id}`)]).toEqual(["installing", "stopped"]);
  expect(state(`data-${broken.id}`)).toBe("failed");
  expect(out).not.toContain("data-9");
  const failed = `Warning: data-${broken.id} could not be set up (${said}): what it printed is to be had by "aws ec2 get-console-output --latest --instance-id ${broken.id}"`;
  const warnings = out.split("\n").filter((line) => line.startsWith("Warning"));
  expect(warnings).toContain(failed);
  expect(warnings.filter((line) => line !== failed)).toEqual([
    "Warning: namenode of head is down",
    `Warning: data-1 sent no word for 7 minutes, and counts as busy: what it printed is to be had by "aws ec2 get-console-output --latest --instance-id ${silent.id}"`,
    "Warning: worker-1: nvidia-smi does not answer",
    `Warning: EC2 takes worker-1 away at ${clock(taken)} UTC, as it does with spot machines: Spark gives it no more tasks and moves what it holds, and the group asks for another; where that happens often, name more types or zones, or take on-demand workers`,
    "Warning: _fleets/fleet/nodes/data-2.json of the lake is no report of a node, and counts as busy",
    "Warning: _fleets/fleet/nodes/data-3.json of the lake is no report of a node, and counts as busy",
  ]);
});

test("what a fleet that goes off waits for is told: HDFS, and for data nodes that give up their blocks", async () => {
  const head = await machine("head");
  const data = await machine("data");
  const stopping = ago(120);
  const told = { power: { state: "off", done: false }, workersGo: null, nodesStop: stopping, stopping } as const;
  const why = async (rests: boolean) => {
    await reports(report("head", "head", head.id, { rests }));
    return (await oneoff("fleet", "why")).out;
  };
  await put(keys.power, { power: "off" });
  await reaper(told);
  const latest = clock(ago(120 - 600));
  await put(`${keys.boot}/${data.id}.log`, "no\n");
  expect(await why(false)).toContain(`; HDFS is brought to rest, which is waited for until ${latest} UTC; at `);
  const answer = { updated: ago(1), said: ["hdfs: data-2 is being decommissioned: 3 blocks left"] };
  await put(keys.answer("members"), { state: "running", ...answer });
  expect(await why(false)).toContain(
    `; HDFS can't rest while data nodes give up their blocks (hdfs: data-2 is being decommissioned: 3 blocks left), which is waited for until ${latest} UTC; at `,
  );
  expect(await why(true)).not.toContain("HDFS is");
  await put(keys.power, { power: "on" });
  await reaper({ idleSince: ago(9000), ...told });
  expect(await why(false)).toContain(`Not idle: data-${data.id} could not be set up, which counts as busy; `);
  await reaper({ idleSince: ago(9000), workersGo: null, nodesStop: null });
  expect(await why(false)).not.toContain("HDFS can't rest");
});

test("machines of another fleet, another lake or another stack aren't told of", async () => {
  await machine("head");
  await machine("data", { "oneoff:cluster": "other" });
  await machine("data", { "oneoff:lake": "another-bucket" });
  await machine("data", { "oneoff:stack": "oneoff/tea" });
  expect((await oneoff("fleet", "status")).out).toContain("1 nodes.");
});

test("why there are too few workers is said in the words of what Auto Scaling tried last", async () => {
  await machine("head");
  await workerGroup(0);
  const send = AutoScalingClient.prototype.send;
  const StatusMessage =
    "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to.";
  vi.spyOn(AutoScalingClient.prototype, "send").mockImplementation(async function (
    this: AutoScalingClient,
    command: object,
  ) {
    const Description = "Launching a new EC2 instance.";
    if (command instanceof DescribeScalingActivitiesCommand) {
      return { Activities: [{ StatusCode: "Failed", Description, StatusMessage, StartTime: new Date() }] };
    }
    const answer = await (
      send as (command: object) => Promise<{ AutoScalingGroups?: { DesiredCapacity: number }[] }>
    ).call(this, command);
    for (const group of answer.AutoScalingGroups ?? []) group.DesiredCapacity = 2;
    return answer;
  } as typeof send);
  const { code, out } = await oneoff("fleet", "status");
  expect(code).toBe(1);
  expect(out).toContain(
    `Warning: 0 of 2 workers are there: the account's quota for on-demand machines of that family is 0 vCPUs in all: `,
  );
});

test("the deadline is told of an hour before, data nodes that can't go, and a reaper that doesn't look", async () => {
  const head = await machine("head");
  await reports(report("head", "head", head.id));
  const ends = ago(-42 * 60);
  const problem = "what is stored takes 20 GB, and the others have room for 9";
  await put(keys.answer("members"), { state: "failed", updated: ago(9), said: [], problem, refused: true });
  await reaper({ ends, looked: ago(25 * 60) });
  const { code, out } = await oneoff("fleet", "status");
  expect(code).toBe(1);
  expect(out.split("\n").filter((line) => line.startsWith("Warning"))).toEqual([
    `Warning: data nodes stay as they were: ${problem}`,
    `Warning: the fleet ends at ${clock(ends)} UTC, in 42 minutes, and what is in HDFS with it: a longer oneoff:deadline and "npx pulumi up --stack team" put that off`,
    "Warning: the reaper has not looked for 25 minutes, and nothing else ends the fleet: its function's log says why",
  ]);
  const off = ago(-12 * 60);
  await reaper({ clock: { off, on: ago(-3600) } });
  expect((await oneoff("fleet", "status")).out).toContain(
    `\nWarning: the clock has all machines stopped at ${clock(off)} UTC, in 12 minutes, whoever works there: a later oneoff:powerOff and "npx pulumi up --stack team" put that off`,
  );
});

test("fleet why: who works where; since when nobody does and what goes when; what is away", async () => {
  const head = await machine("head");
  await reports(report("head", "head", head.id));
  const [idleSince, workersGo, nodesStop, ends] = [ago(600), ago(-3000), ago(-6600), ago(-9000)];
  await reaper({ idleSince, workersGo, nodesStop, ends });
  expect((await oneoff("fleet", "why")).out).toBe(
    `Idle since ${minute(idleSince)} UTC; at ${minute(workersGo)} UTC the workers go; at ${minute(nodesStop)} UTC the other nodes are stopped, and keep their disks; at ${minute(ends)} UTC all of it ends, with what is in HDFS.\n`,
  );
  await reaper({ why: ["head was started 3 minutes ago"], ends });
  expect((await oneoff("fleet", "why")).out).toBe(
    `Idle; the reaper, which looks every 5 minutes, said otherwise: head was started 3 minutes ago; at ${minute(ends)} UTC all of it ends, with what is in HDFS.\n`,
  );
  await workerGroup(0);
  await reaper({ idleSince, workersGo: null, nodesStop, ends });
  expect((await oneoff("fleet", "why")).out).toContain(
    '; the workers are away, and "npx --no oneoff fleet wake team" brings them back; ',
  );
  await reports(report("head", "head", head.id, { idle: null }));
  expect((await oneoff("fleet", "why")).out).toMatch(/^Not idle: head can't tell whether anybody works there; at /);
  await reports(report("head", "head", head.id, { reported: ago(7 * 60) }));
  expect((await oneoff("fleet", "why")).out).toMatch(
    /^Not idle: head sent no word for 7 minutes, which counts as busy; /,
  );
  const reasons = Array.from({ length: 9 }, (_, i) => `user${i} has an SSH session`);
  const idle = { busy: true, reasons, idleSince: null, looked: ago(1) };
  await reports(report("head", "head", head.id, { idle }));
  expect((await oneoff("fleet", "why")).out).toContain("head: user5 has an SSH session; and 3 more; at ");
  await new EC2Client({}).send(new StopInstancesCommand({ InstanceIds: [head.id] }));
  expect((await oneoff("fleet", "why")).out).toMatch(
    /^Asleep: every node is stopped, and keeps its disks; "npx --no oneoff fleet wake team" starts them; at .* all of it ends/,
  );
  await moto.reset();
  await makeLake();
  expect((await oneoff("fleet", "why")).out).toBe("There are no machines: they have ended, or are not made yet.\n");
});

test("fleet why and wake of a fleet that its owner, or the clock, has stopped", async () => {
  const head = await machine("head");
  const idle = { busy: true, reasons: ["ada has an SSH session"], idleSince: null, looked: ago(1) };
  await reports(report("head", "head", head.id, { idle }));
  const why = async () => (await oneoff("fleet", "why")).out;
  const clock = { off: ago(-3600), on: ago(-7200) };
  await reaper({ clock });
  expect(await why()).toContain(
    `Not idle: head: ada has an SSH session; at ${minute(clock.off)} UTC the clock has its nodes stopped, and they keep their disks; at `,
  );
  const now = ago(60);
  await reaper({ clock, power: { state: "off", at: now, done: false } });
  expect(await why()).toMatch(
    `Going off: the workers go, then the other nodes are stopped, and keep their disks; the clock said so at ${minute(now)} UTC; at `,
  );
  await new EC2Client({}).send(new StopInstancesCommand({ InstanceIds: [head.id] }));
  await reaper({ clock, power: { state: "off", at: now, done: true } });
  expect(await why()).toContain(
    `keeps its disks; "npx --no oneoff fleet wake team" starts them, and the clock at ${minute(clock.on)} UTC; at `,
  );
  const cure = '"npx pulumi config set oneoff:power on --stack team" and "npx pulumi up --stack team" start it';
  await put(keys.power, { power: "off" });
  expect(await why()).toContain(`; its oneoff:power is off, and ${cure}; at `);
  expect(await oneoff("fleet", "wake")).toEqual({
    code: 2,
    out: "",
    err: `oneoff: oneoff:power of stack team is off: ${cure}\n`,
  });
  await put(keys.power, { power: "on" });
  await reaper({ power: { state: "off", done: true } });
  expect(await why()).toContain(
    "; it was told to be on, and the reaper, which looks every 5 minutes, starts them; at ",
  );
});

test("fleet wake starts what is stopped and asks for workers again, of this fleet alone", async () => {
  const ec2 = new EC2Client({});
  const scaling = new AutoScalingClient({});
  const [head, data] = [await machine("head"), await machine("data")];
  const others = [
    await machine("data", { "oneoff:cluster": "other" }),
    await machine("data", { "oneoff:lake": "another-bucket" }),
    await machine("data", { "oneoff:stack": "oneoff/tea" }),
  ].map(({ id }) => id);
  await ec2.send(new StopInstancesCommand({ InstanceIds: [head.id, data.id, ...others] }));
  await workerGroup(0, 2);
  await workerGroup(0, 2, "others", { "oneoff:lake": "another-bucket" });
  expect(await oneoff("fleet", "wake")).toEqual({
    code: 0,
    out: '2 nodes are started, 2 workers are asked for: "npx --no oneoff fleet status team" tells when they are ready.\n',
    err: "",
  });
  const states = async (...InstanceIds: string[]) => {
    const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds }));
    return Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name));
  };
  expect(await states(head.id, data.id)).toEqual(["running", "running"]);
  expect(await states(...others)).toEqual(["stopped", "stopped", "stopped"]);
  const { AutoScalingGroups = [] } = await scaling.send(new DescribeAutoScalingGroupsCommand({}));
  const desired = AutoScalingGroups.map((group) => [group.AutoScalingGroupName, group.DesiredCapacity]).sort();
  expect(desired).toEqual([
    ["others", 0],
    ["workers", 2],
  ]);
  expect((await oneoff("fleet", "wake")).out).toBe("Nothing sleeps: every node runs, and every worker is asked for.\n");
  // On demand in the place of spot: as many as there are of these are asked for no more.
  await workerGroup(1, 2, "spare", { "oneoff:fallback": "10 minutes" });
  const wanted = (AutoScalingGroupName: string, DesiredCapacity: number) =>
    scaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName, DesiredCapacity }));
  await wanted("workers", 1);
  expect((await oneoff("fleet", "wake")).out).toContain("Nothing sleeps");
  await wanted("workers", 0);
  expect((await oneoff("fleet", "wake")).out).toContain("1 worker is asked for");
  await Promise.all([wanted("workers", 0), wanted("spare", 0)]);
  expect((await oneoff("fleet", "wake")).out).toContain("2 workers are asked for");
  outputs = { ...OUTPUTS, fleet: "third" };
  expect((await oneoff("fleet", "wake")).err).toBe(
    'oneoff: the fleet of stack team has no machines: "npx --no oneoff up team" makes them\n',
  );
});

test("what is told of other clusters is of a fleet too: its run, what it costs at most, its pages", async () => {
  const head = await machine("head");
  const status = { run: "1", job: "nids", state: "running", started: ago(60), deadline: ago(-600), steps: [] };
  await put("_runs/1.json", { ...status, tables: {} });
  const { code, out } = await oneoff("status");
  expect(code).toBe(0);
  expect(out).toContain("AWS us-west-2");
  expect(out).toMatch(/^Run +1 of nids: running for 1 min( \d+ s)?$/m);
  expect(out).toMatch(/^Cost +0\.0\d USD so far, at most 13\.60$/m);
  await new EC2Client({}).send(new StopInstancesCommand({ InstanceIds: [head.id] }));
  expect((await oneoff("status")).out).toMatch(
    /^Run +1 of nids: failed after 1 min(?: \d+ s)?: the fleet's head is stopped: "npx --no oneoff run team" computes again$/m,
  );
  const pages = async (more: object) => {
    const { pages } = await attach(contextOf("team", { ...OUTPUTS, dashboardInstance: "i-1", ...more }));
    return (await pages()).map(({ name }) => name);
  };
  const always = ["dashboard", "spark", "history", "hdfs", "jupyter"];
  expect(await pages({})).toEqual(always);
  expect(await pages({ app: "http://10.84.0.10:8000/" })).toEqual([...always, "app"]);
  expect(await pages({ yarn: "http://10.84.0.10:8088/" })).toEqual(
    always.map((name) => (name === "spark" ? "yarn" : name)),
  );
});

/** Public keys that ssh-keygen made. */
const ADA = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIRUyJrVC9EQQFNrgzWQTlv3Ly2RmDqNqN7Nw1jvYuwu ada@laptop";
const BOB = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC8PzjV9JYJW1DX2rHTyxrXdSFhpPhGfl0mUFdbEQMJk";

test("fleet users add and rm change folder and lake at once, to the same bytes as an update's", async () => {
  const folder = project({ "oneoff:users": "./keys" });
  const keysFolder = join(folder, "keys");
  const lake = () => text(keys.users);
  const update = () => usersFile("fleet", readUsers(keysFolder));
  expect((await oneoff("fleet", "users", "add", ADA, "ada")).err).toBe(
    `oneoff: oneoff:users is ${JSON.stringify(keysFolder)}: there is no such folder; give one with a public key for each user, <user>.pub\n`,
  );
  mkdirSync(keysFolder);
  const added = await oneoff("fleet", "users", "add", ADA, "ada");
  expect(added).toMatchObject({ code: 0, err: "" });
  expect(added.out).toBe(
    `ada may enter within a minute; their key is in ${keysFolder}.\n` +
      'Beside the key ada needs an AWS identity that may do what "npx pulumi stack output colleaguePolicy --stack team" prints,\n' +
      'session-manager-plugin, the AWS CLI and ssh, and the two files that "npx --no oneoff fleet ssh --user ada --aws-cli -s team" writes.\n',
  );
  expect(await lake()).toBe(update());
  expect(await lake()).toBe(
    '{"fleet":"fleet","users":[{"name":"ada","keys":["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIRUyJrVC9EQQFNrgzWQTlv3Ly2RmDqNqN7Nw1jvYuwu"]}]}',
  );
  const file = join(folder, "bob.pub");
  writeFileSync(file, `${BOB}\n`);
  expect((await oneoff("fleet", "users", "add", file)).code).toBe(0);
  expect(await lake()).toBe(update());
  expect(readdirSync(keysFolder)).toEqual(["ada.pub", "bob.pub"]);
  expect((await oneoff("fleet", "users", "rm", "bob")).out).toContain("bob is out within a minute");
  expect(await lake()).toBe(update());
  expect(readdirSync(keysFolder)).toEqual(["ada.pub"]);
  expect((await oneoff("fleet", "users", "add", BOB, "ada")).out).toBe(
    "ada has another key within a minute; sessions by the old one end.\n",
  );
  expect(readFileSync(join(keysFolder, "ada.pub"), "utf8")).toBe(`${BOB}\n`);
  expect(await lake()).toBe(update());
});

test("what fleet users refuses changes neither the folder nor the lake", async () => {
  const folder = project({ "oneoff:users": "./keys" });
  const keysFolder = join(folder, "keys");
  mkdirSync(keysFolder);
  await oneoff("fleet", "users", "add", ADA, "ada");
  const before = await text(keys.users);
  const secret = join(folder, "eve.pub");
  writeFileSync(secret, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n");
  const refused = async (...words: readonly string[]) =>
    (await oneoff("fleet", "users", ...words)).err.replace("oneoff: ", "");
  expect(await refused("add", secret)).toContain('oneoff:users has "eve.pub", line 1: it is a private key; ');
  expect(await refused("add", ADA, "bob")).toContain("ada.pub has the same key; each user needs one of their own");
  expect(await refused("add", BOB, "root")).toContain('"root" is an account or group of the system');
  expect(await refused("add", BOB)).toContain("name is missing: say whose key it is");
  expect(await refused("add", "bob.pub")).toContain('key is "bob.pub": expected a file');
  expect(await refused("rm", "bob")).toBe(`name is "bob": ${keysFolder} has no such user; there are ada\n`);
  expect(await refused("rm", "ada")).toContain("ada is the last user in");
  mkdirSync(join(keysFolder, ".bob.pub.new"));
  expect(await refused("add", BOB, "bob")).toBe(
    `oneoff:users is ${JSON.stringify(keysFolder)}, where nothing can be changed (EISDIR), so nobody was told anything: have the folder be yours to write to\n`,
  );
  rmSync(join(keysFolder, ".bob.pub.new"), { recursive: true });
  writeFileSync(join(keysFolder, "zoe.pub"), BOB);
  mkdirSync(join(keysFolder, ".zoe.pub.gone"));
  expect(await refused("rm", "zoe")).toContain("where nothing can be changed (EISDIR)");
  rmSync(join(keysFolder, ".zoe.pub.gone"), { recursive: true });
  rmSync(join(keysFolder, "zoe.pub"));
  expect(await text(keys.users)).toBe(before);
  expect(readdirSync(keysFolder)).toEqual(["ada.pub"]);
  project({});
  expect(await refused("add", BOB, "bob")).toContain("oneoff:users is not set: make a folder for public keys");
  outputs = { ...OUTPUTS, lake: "s3://no-such-bucket" };
  const other = project({ "oneoff:users": "keys" });
  mkdirSync(join(other, "keys"));
  expect(await refused("add", BOB, "bob")).toContain("no-such-bucket");
  expect(readdirSync(join(other, "keys"))).toEqual([]);
});

test("fleet users list has each key's fingerprint, and since when each node knows", async () => {
  const folder = project({ "oneoff:users": "keys" });
  mkdirSync(join(folder, "keys"));
  await oneoff("fleet", "users", "add", ADA, "ada");
  writeFileSync(join(folder, "keys", "bob.pub"), BOB); // by hand
  const [head, data, worker] = [await machine("head"), await machine("data"), await machine("worker")];
  const soon = ago(-60);
  await reports(
    report("head", "head", head.id, { usersConfirmed: soon }),
    report("data-1", "data", data.id, { usersConfirmed: ago(1200) }),
    report("worker-1", "worker", worker.id, { usersConfirmed: null }),
  );
  const shown = execFileSync("ssh-keygen", ["-lf", join(folder, "keys", "ada.pub")], { encoding: "utf8" }).split(
    " ",
  )[1];
  expect(shown).toMatch(/^SHA256:/);
  const { code, out } = await oneoff("fleet", "users", "list");
  expect(code).toBe(1);
  const lines = out.split("\n").map((line) => line.replace(/ {2,}/g, "  "));
  expect(lines.slice(0, 4)).toEqual([
    "USER  KEY  FINGERPRINT  NOTE",
    `ada  ssh-ed25519  ${shown}`,
    expect.stringMatching(/^bob {2}ssh-ed25519 {2}SHA256:\S+ {2}not on the nodes$/),
    `1 of 3 nodes knew at ${minute(soon)} UTC; not yet: data-1, worker-1.`,
  ]);
  expect(lines.slice(4)).toEqual([
    'Warning: the folder and the nodes differ: "npx pulumi up --stack team" makes them what the folder says',
    expect.stringMatching(
      /^Warning: data-1 could not ask for the users since \d\d:\d\d UTC, 20 minutes ago, and admits nobody/,
    ),
    "",
  ]);
  const json = (await oneoff("fleet", "users", "list", "--json")).out
    .replaceAll(soon, "TIME")
    .replaceAll(folder, "FOLDER")
    .replace(/since \d\d:\d\d UTC/, "since TIME UTC");
  await expect(json).toMatchFileSnapshot(new URL("users.jsonl", GOLDEN).pathname);
});

test("leftovers of a fleet: its group and machines first, then what they held: cards, disks, templates, endpoints", async () => {
  const ec2 = new EC2Client({});
  const tagged = (ResourceType: ResourceType) => [{ ResourceType, Tags: tagsOf("data") }];
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: "10.84.0.0/20", TagSpecifications: tagged("vpc") }));
  const VpcId = Vpc?.VpcId as string;
  const { Subnet } = await ec2.send(
    new CreateSubnetCommand({ VpcId, CidrBlock: "10.84.0.0/24", TagSpecifications: tagged("subnet") }),
  );
  const SubnetId = Subnet?.SubnetId as string;
  const { NetworkInterface } = await ec2.send(
    new CreateNetworkInterfaceCommand({ SubnetId, TagSpecifications: tagged("network-interface") }),
  );
  const card = NetworkInterface?.NetworkInterfaceId as string;
  const disk = { AvailabilityZone: "us-west-2a", Size: 64 };
  const { VolumeId } = await ec2.send(new CreateVolumeCommand({ ...disk, TagSpecifications: tagged("volume") }));
  const ServiceName = "com.amazonaws.us-west-2.ssm";
  await ec2.send(
    new CreateVpcEndpointCommand({
      ...{ VpcId, ServiceName, VpcEndpointType: "Interface", SubnetIds: [SubnetId] },
      TagSpecifications: tagged("vpc-endpoint"),
    }),
  );
  await ec2.send(
    new CreateLaunchTemplateCommand({
      ...{ LaunchTemplateName: "node", LaunchTemplateData: { InstanceType: "m6i.large" } },
      TagSpecifications: tagged("launch-template"),
    }),
  );
  const { id } = await machine("data");
  await ec2.send(new AttachVolumeCommand({ InstanceId: id, VolumeId, Device: "/dev/sdf" }));
  await ec2.send(new AttachNetworkInterfaceCommand({ InstanceId: id, NetworkInterfaceId: card, DeviceIndex: 1 }));
  await workerGroup(1);
  const other = await machine("data", { "oneoff:stack": "oneoff/tea" });

  const find = async () => findLeftovers(contextOf("team", OUTPUTS), [part]);
  const found = await find();
  expect([...new Set(found.map(({ kind }) => kind))]).toEqual([
    ...["Auto Scaling group", "EC2 instance", "VPC endpoint", "network interface"],
    ...["launch template", "EBS volume", "subnet", "VPC"],
  ]);
  expect(found.map(({ id }) => id)).toEqual(expect.arrayContaining(["workers", id, card, VolumeId]));
  // All says whose lake it is of, and so whose it is where two people have a stack of one name.
  expect(new Set(found.map(({ lake }) => lake))).toEqual(new Set([BUCKET]));
  const lines: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line) => void lines.push(line));
  await removeAll(found);
  expect(lines.filter((line) => !line.endsWith("is removed."))).toEqual([]);
  expect(await find()).toEqual([]);
  const { Reservations: [left] = [] } = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [other.id] }));
  expect(left?.Instances?.[0]?.State?.Name).toBe("running");
}, 60_000);
