/** The commands for a stack on Docker Swarm, against a docker that answers as the real one of Debian 12 (20.10) did. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { stackFiles } from "../../cli/config.ts";
import { dockerChecks } from "../../cli/docker/doctor.ts";
import { findDockerLeftovers } from "../../cli/docker/leftovers.ts";
import { type DockerNeeds, dockerNeeds, matching } from "../../cli/docker/needs.ts";
import { stackContext } from "../../cli/stack.ts";
import { Docker, endpointOf } from "../../clients/docker.ts";
import { startMoto } from "../moto.ts";
import { makeProject, type Project } from "../project.ts";
import { attached, filesOf } from "./attached.ts";
import { type Answer, dockerIn, ended, json, linesOf, SERVICE, SERVICE_IS, T0, task } from "./docker-stub.ts";
import { typed } from "./stack.ts";

const CLI = fileURLToPath(new URL("../../cli/oneoff.mjs", import.meta.url));
const TOKEN = "t0ken&more";

/** Does what it is told on this machine; with -L it forwards, to the port that SSH_TARGET names. */
const SSH = `#!${process.execPath}
const { spawnSync } = require("node:child_process");
const { appendFileSync, existsSync } = require("node:fs");
const { connect, createServer } = require("node:net");
const args = process.argv.slice(2);
appendFileSync(__dirname + "/ssh.log", JSON.stringify(args) + "\\n");
if (existsSync(__dirname + "/ssh.refuses")) { console.error("me@machine: Permission denied (publickey)."); process.exit(255); }
const forward = args[args.indexOf("-L") + 1];
if (!args.includes("-L")) process.exit(spawnSync("sh", ["-c", args.at(-1)], { stdio: "inherit" }).status);
const [, local] = forward.split(":");
createServer((socket) => {
  const far = connect(Number(process.env.SSH_TARGET), "127.0.0.1");
  for (const end of [socket, far]) end.on("error", () => { socket.destroy(); far.destroy(); });
  socket.pipe(far).pipe(socket);
}).listen(Number(local), "127.0.0.1");
setInterval(() => {
  if (existsSync(__dirname + "/ssh.ends")) { console.error("Connection reset by peer"); process.exit(255); }
}, 50);
`;

const cwd = process.cwd();
const { PATH } = process.env;
const bin = mkdtempSync(join(tmpdir(), "oneoff-bin-"));
const docker = dockerIn(bin);
let project: Project;
let lake: string;
let page: Server;
let url: string;

beforeAll(async () => {
  writeFileSync(join(bin, "ssh"), SSH, { mode: 0o755 });
  writeFileSync(join(bin, "open"), `#!/bin/sh\necho "$1" >> '${join(bin, "browser")}'\n`, { mode: 0o755 });
  const { DOCKER_HOST: _, DOCKER_CONTEXT: __, ...env } = process.env;
  process.env = env;
  process.env.PATH = [bin, PATH].join(delimiter);
  process.env.BROWSER = join(bin, "open");
  project = makeProject();
  lake = join(project.folder, "lake");
  page = createServer((_, response) => response.end("{}")).listen(0, "127.0.0.1");
  await once(page, "listening");
  url = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
  await project.mustPulumi("stack", "init", "swarm");
  await setOutputs(outputs());
  process.chdir(project.folder);
}, 240_000);
afterAll(() => {
  process.chdir(cwd);
  process.env.PATH = PATH;
  page.close();
  page.closeAllConnections();
  project.remove();
  rmSync(bin, { recursive: true });
});
beforeEach(() => {
  rmSync(lake, { recursive: true, force: true });
  mkdirSync(lake);
  for (const file of ["ssh.log", "ssh.refuses", "ssh.ends", "browser"]) rmSync(join(bin, file), { force: true });
  docker.forget();
  answers();
});
afterEach(() => settings(""));

const outputs = (more: object = {}) => ({
  ...{ cluster: "swarm", run: "1", service: SERVICE, lake, logs: join(lake, "_logs/1"), deadline: "12 hours" },
  ...{ dashboard: url, spark: `${url}/`, history: `${url}/`, notebook: `${url}/lab` },
  ...more,
});

async function setOutputs(values: object): Promise<void> {
  const secret = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };
  const type = "pulumi:pulumi:Stack";
  const resource = {
    urn: `urn:pulumi:swarm::oneoff::${type}::oneoff-swarm`,
    custom: false,
    type,
    outputs: { ...values, notebookToken: { ...secret, plaintext: JSON.stringify(TOKEN) } },
  };
  await setResources([resource]);
}

/** What a stack has that is up; none, for one that was destroyed. */
async function setResources(resources: readonly object[]): Promise<void> {
  const file = join(project.folder, "state.json");
  // With what encrypts its secrets.
  const empty = JSON.parse(await project.mustPulumi("stack", "export", "--stack", "swarm"));
  writeFileSync(file, JSON.stringify({ ...empty, deployment: { ...empty.deployment, resources } }));
  await project.mustPulumi("stack", "import", "--file", file, "--stack", "swarm");
}

/** Settings of the stack beside those it comes with, as lines of YAML. */
function settings(lines: string): void {
  const file = project.settingsFile("swarm");
  const salt = /^encryptionsalt:.*$/m.exec(readFileSync(file, "utf8"))?.[0] ?? "";
  writeFileSync(file, `config:\n  oneoff:job: london-power\n${lines}\n${salt}\n`);
}

const answers = (...list: readonly Answer[]) => docker.answers(...list);
const asked = () => docker.asked();
const overSsh = (): readonly (readonly string[])[] => linesOf(join(bin, "ssh.log")).map((line) => JSON.parse(line));
const commands = (more: object = {}) => attached(stackContext("swarm", stackFiles("swarm"), outputs(more)));

const NODES: Answer = {
  to: "node ls",
  out: json({ ID: "tn534", Hostname: "vm", Status: "Ready", Availability: "Active" }),
};

function write(path: string, value: object): void {
  mkdirSync(join(lake, path, ".."), { recursive: true });
  writeFileSync(join(lake, path), JSON.stringify(value));
}
const status = (more: object = {}) => ({
  ...{ run: "1", job: "london-power", state: "running", started: "2026-11-21T18:55:00Z" },
  steps: [
    { name: "convert", state: "succeeded", started: "2026-11-21T18:55:01Z", ended: "2026-11-21T18:55:09Z" },
    {
      name: "analyze",
      state: "running",
      started: "2026-11-21T18:55:10Z",
      progress: { what: "months", done: 1, total: 4 },
    },
  ],
  ...more,
});

test.each([
  [
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    "TransientError",
    'Docker can\'t be reached at unix:///var/run/docker.sock: start it with "sudo systemctl start docker"',
  ],
  [
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.24/services?status=true": dial unix /var/run/docker.sock: connect: permission denied',
    "UsageError",
    'you may not use Docker at unix:///var/run/docker.sock: join its group with "sudo usermod -aG docker $USER" and log in again',
  ],
  [
    'Error response from daemon: This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    "UsageError",
    'Docker at unix:///var/run/docker.sock is not in swarm mode: "docker swarm init" makes it so',
  ],
  [
    "Error response from daemon: This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.",
    "UsageError",
    'Docker at unix:///var/run/docker.sock is a worker of its Swarm: name a manager with "npx pulumi config set docker:host ssh://me@manager", or promote this one there with "docker node promote NODE"',
  ],
  [
    'Error response from daemon: Swarm is encrypted and needs to be unlocked before it can be used. Please use "docker swarm unlock" to unlock it.',
    "UsageError",
    'the Swarm of Docker at unix:///var/run/docker.sock is locked: "docker swarm unlock" opens it',
  ],
  [
    "Error response from daemon: rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. Make sure more than half of the managers are online.",
    "TransientError",
    "the Swarm of Docker at unix:///var/run/docker.sock has no leader just now: rpc error",
  ],
  [
    "Error response from daemon: client version 1.50 is too new. Maximum supported API version is 1.41",
    "UsageError",
    "docker and its daemon at unix:///var/run/docker.sock don't understand each other: update the older one",
  ],
  [
    "WARNING: No swap limit support\nError response from daemon: rpc error: code = FailedPrecondition desc = network 8o9 is in use by service ik2",
    "UsageError",
    "Docker says: rpc error: code = FailedPrecondition desc = network 8o9 is in use by service ik2",
  ],
])("what Docker refuses is told with its cure (%#)", async (err, name, message) => {
  answers({ to: "", err });
  const error: Error = await new Docker({}).text("service", "ls").catch((error) => error);
  expect(error.name).toBe(name);
  expect(error.message.split("\n")).toHaveLength(1);
  expect(error.message).toContain(message);
});

test("on a Mac, Docker Desktop is what is started", async () => {
  answers({ to: "", err: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock." });
  const { platform } = process;
  try {
    Object.defineProperty(process, "platform", { value: "darwin" });
    await expect(new Docker({}).text("ps")).rejects.toThrow(
      'Docker can\'t be reached at unix:///var/run/docker.sock: start Docker Desktop with "open -a Docker"',
    );
  } finally {
    Object.defineProperty(process, "platform", { value: platform });
  }
});

test.each([
  [
    { "docker:host": "ssh://me@machine" },
    'error during connect: Get "http://docker.example.com/v1.24/services?status=true": command [ssh -l me -- machine docker system dial-stdio] has exited with exit status 255, please make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: stderr=ssh: connect to host machine port 22: Connection refused\n',
    "TransientError: Docker can't be reached at ssh://me@machine: ssh: connect to host machine port 22: Connection refused",
  ],
  [
    { "docker:host": "ssh://me@machine" },
    'error during connect: Get "http://docker.example.com/v1.24/info": command [ssh -l me -- machine docker system dial-stdio] has exited with exit status 255, please make sure the URL is valid, and Docker 18.09 or later is installed on the remote host: stderr=me@machine: Permission denied (publickey).\n',
    'UsageError: Docker can\'t be reached at ssh://me@machine: me@machine: Permission denied (publickey); "docker -H ssh://me@machine version" must work',
  ],
  [
    { "docker:host": "tcp://nohost.invalid:2375" },
    'error during connect: Get "http://nohost.invalid:2375/v1.24/nodes": dial tcp: lookup nohost.invalid on 10.0.0.1:53: no such host',
    "TransientError: Docker can't be reached at tcp://nohost.invalid:2375: lookup nohost.invalid on 10.0.0.1:53: no such host",
  ],
  [
    { "docker:host": "foo:bar:baz" },
    'unable to resolve docker endpoint: parse "tcp://foo:bar:baz": invalid port ":baz" after host',
    'UsageError: docker:host is "foo:bar:baz": expected an address such as "ssh://me@machine" (unable to resolve docker endpoint: parse "tcp://foo:bar:baz": invalid port ":baz" after host)',
  ],
  [
    { "docker:context": "nope" },
    'unable to resolve docker endpoint: context "nope" does not exist',
    'UsageError: docker:context is "nope", and there is no such context: "docker context ls" lists those that are',
  ],
])("and names the setting that says where it is (%#)", async (config, err, message) => {
  answers({ to: "", err });
  expect(`${await new Docker(config).text("node", "ls").catch((error) => error)}`).toBe(message);
});

test("the daemon that is asked is the one that Pulumi's provider takes", async () => {
  answers({ to: "context inspect", out: "ssh://me@there" }, { to: "", out: "" });
  const env = { ...process.env, DOCKER_HOST: "tcp://10.0.0.1:2376" };
  for (const [config, vars] of [
    [{}, process.env],
    [{}, env],
    [{ "docker:host": "ssh://me@machine" }, env],
    [{ "docker:host": "ssh://me@machine", "docker:context": "far" }, env],
    [{}, { ...env, DOCKER_CONTEXT: "far" }],
  ] as const) {
    await new Docker(config, vars).text("ps");
  }
  expect(asked()).toEqual([
    "-H unix:///var/run/docker.sock ps",
    "-H tcp://10.0.0.1:2376 ps",
    "-H ssh://me@machine ps",
    "--context far ps",
    "--context far ps",
  ]);
  expect(await new Docker({ "docker:context": "far" }).address()).toBe("ssh://me@there");
  expect(endpointOf({ "docker:host": "ssh://me@machine" }, env)).toEqual({
    ...{ options: ["-H", "ssh://me@machine"], setting: "docker:host", value: "ssh://me@machine" },
  });
  const nowhere = new Docker({}, { PATH: "/nowhere" });
  await expect(nowhere.text("ps")).rejects.toThrow(
    'docker is not on PATH: install Docker Engine 20.10 or newer: https://docs.docker.com/engine/install (on Debian "apt install docker.io")',
  );
});

test("a run is what its lake says; a record that has ended is the last word, and Docker isn't asked", async () => {
  const cluster = await commands();
  answers({ to: "service ps", err: `no such service: ${SERVICE}` });
  expect(await cluster.status("1")).toBeUndefined();
  expect(await cluster.status("2")).toBeUndefined();
  const record = { run: "1", job: "london-power", state: "succeeded", started: T0, steps: [], tables: {} };
  write("_runs/1.json", { ...record, ended: "2026-11-21T19:00:00Z" });
  write("_clusters/1/status.json", status());
  docker.forget();
  expect(await cluster.status("1")).toEqual({ ...record, tables: undefined, ended: "2026-11-21T19:00:00Z" });
  write("_clusters/1/status.json", status({ state: "succeeded", steps: [] }));
  expect(await cluster.status("1")).toMatchObject({ state: "succeeded", started: "2026-11-21T18:55:00Z" });
  expect(asked()).toEqual([]);
});

test("a run that goes on is shown as its lake has it; before that, as Docker has it", async () => {
  answers(task({ CurrentState: "Preparing 3 seconds ago" }), SERVICE_IS);
  expect(await (await commands()).status("1")).toEqual({
    ...{ run: "1", job: "the job", state: "running", started: "2026-11-21T18:54:37.079Z", steps: [] },
    cluster: { state: "starting", reason: "the job's container is preparing on node vm" },
  });
  answers(task({}), SERVICE_IS);
  expect(await (await commands()).status("1")).toMatchObject({
    cluster: { state: "starting", reason: "the job's container has just started" },
  });
  write("_clusters/1/status.json", status());
  expect(await (await commands()).status("1")).toEqual(status());
  answers(
    task({
      CurrentState: "Pending 8 seconds ago",
      Node: "",
      Error: '"no suitable node (insufficient resources on 1 node)"',
    }),
    SERVICE_IS,
  );
  expect(await (await commands()).status("1")).toEqual({
    ...status(),
    cluster: {
      state: "waiting",
      reason:
        'no suitable node (insufficient resources on 1 node): other services hold the memory or cores, or the nodes have too little ("npx --no oneoff doctor" tells)',
    },
  });
  // Progress is shown even while Docker can't be asked.
  answers({
    to: "",
    err: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
  });
  expect(await (await commands()).status("1")).toMatchObject({
    state: "running",
    cluster: { state: "unknown", reason: expect.stringContaining("Docker can't be reached") },
  });
  rmSync(join(lake, "_clusters"), { recursive: true });
  await expect((await commands()).status("1")).rejects.toThrow("Docker can't be reached");
});

const OOM: readonly Answer[] = [
  { to: "{{.Status.ContainerStatus.ContainerID}}", out: "7ac8b706d660" },
  { to: "{{.State.OOMKilled}} 7ac8b706d660", out: "true" },
];
test.each([
  [
    [ended("Failed", '"task: non-zero exit (137)"'), ...OOM],
    "the job's container on node vm took more memory than it may and was killed: give the driver more (oneoff:driverMemory)",
  ],
  [
    [
      ended("Failed", '"task: non-zero exit (137)"'),
      { to: "inspect --format", err: "Error: No such object: 7ac8b706d660" },
    ],
    "the job's container on node vm was killed (exit code 137), by hand or for want of memory: if it was memory, give the driver more (oneoff:driverMemory)",
  ],
  [
    [ended("Failed", '"task: non-zero exit (3)"')],
    `the job's container on node vm ended too early (task: non-zero exit (3)); "docker service logs ${SERVICE}" shows what it printed`,
  ],
  [
    [ended("Rejected", '"No such image: oneoff-spark:1"')],
    "Docker could not start the job's container on node vm: No such image: oneoff-spark:1; with more nodes than one the images must be in a registry (oneoff:registry)",
  ],
  [
    [ended("Rejected", '"invalid mount config for type "bind": bind source path does not exist: /nowhere/x"')],
    'Docker could not start the job\'s container on node vm: invalid mount config for type "bind": bind source path does not exist: /nowhere/x; make the folder on that node, and give the run a new id',
  ],
  [[ended("Complete", "")], "the job's container ended without saying how its run did"],
  [
    [ended("Shutdown", "")],
    'Docker ended the job\'s container on node vm (shutdown): by another "pulumi up", or by hand',
  ],
  [[ended("Orphaned", "")], 'node vm was lost while the job ran there: "docker node ls" shows it'],
  [
    [ended("Running", ""), { ...NODES, out: NODES.out?.replace("Ready", "Down") as string }],
    'node vm was lost while the job ran there: "docker node ls" shows it',
  ],
  [[{ to: "service ps", err: `no such service: ${SERVICE}` }], `its service ${SERVICE} was removed before it ended`],
])("a run that can't go on has failed, and why (%#)", async (list, message) => {
  answers(...list, SERVICE_IS);
  write("_clusters/1/status.json", status());
  const found = await (await commands()).status("1");
  expect(found).toMatchObject({ state: "failed", error: expect.stringContaining(message), ended: expect.any(String) });
  expect(found?.error?.split("\n")).toHaveLength(1);
  expect(found?.steps.map(({ state }) => state)).toEqual(["succeeded", "failed"]);
});

test("a container that did its work for another lake leaves nothing in this one: that is said", async () => {
  const why = `the job's container ended without saying how its run did; "docker service logs ${SERVICE}" shows what it printed`;
  answers(ended("Complete", ""), SERVICE_IS);
  expect(await (await commands()).status("1")).toMatchObject({
    state: "failed",
    error: `${why}; the run may have been for another lake: "npx --no oneoff run swarm" starts a new one`,
  });
  write("_clusters/1/status.json", status());
  expect(await (await commands()).status("1")).toMatchObject({ state: "failed", error: why });
  rmSync(join(lake, "_clusters"), { recursive: true });
  answers(ended("Failed", '"task: non-zero exit (3)"'), SERVICE_IS);
  expect((await (await commands()).status("1"))?.error).not.toContain("another lake");
});

test("what a container said last counts more than that it ended; one that is being ended still runs", async () => {
  answers(ended("Complete", ""), SERVICE_IS);
  write("_clusters/1/status.json", status());
  const found = (await commands()).status("1");
  await sleep(500);
  write("_clusters/1/status.json", status({ state: "succeeded", ended: "2026-11-21T18:56:00Z", steps: [] }));
  expect(await found).toMatchObject({ state: "succeeded" });
  write("_clusters/1/status.json", status());
  answers(ended("Running", ""), NODES, SERVICE_IS);
  expect(await (await commands()).status("1")).toMatchObject({ state: "running" });
});

test("a run whose place another one took, or that is past its deadline, has failed", async () => {
  answers(task({}), SERVICE_IS);
  write("_clusters/0/status.json", status({ run: "0" }));
  expect(await (await commands()).status("0")).toMatchObject({
    state: "failed",
    error: "another run took its place before it ended",
  });
  write("_clusters/1/status.json", status({ deadline: "2020-01-01T00:00:00Z" }));
  expect(await (await commands()).status("1")).toMatchObject({
    state: "failed",
    error: "it did not end at its deadline, and says no more",
  });
});

const NEVER_BEGAN = task({ CurrentState: "Pending 8 seconds ago", Node: "" });
const NO_TASK: Answer = { to: "service ps", out: "" };
const SCALED: Answer = { to: `service scale --detach ${SERVICE}=0` };
const wasScaled = () => asked().filter((command) => command.includes("service scale")).length;

test("cancel: the driver ends the run, and Docker is asked until its container has ended", async () => {
  answers(task({}), SERVICE_IS);
  write("_runs/1.json", status());
  const refused = await project.oneoff("cancel", "swarm");
  expect(refused.output).toBe("oneoff: it ends a run, and nobody can be asked here: say --yes\n");
  const { code: no, output: question } = await typed(project, ["cancel", "swarm"], "n\n");
  expect([no, question]).toEqual([
    8,
    expect.stringContaining("Run 1 of london-power is in step analyze. What it wrote stays."),
  ]);
  expect(existsSync(join(lake, "_cancels"))).toBe(false);
  const cancelling = project.oneoff("cancel", "swarm", "--yes");
  await expect.poll(() => existsSync(join(lake, "_cancels/1.json"))).toBe(true);
  const { at } = JSON.parse(readFileSync(join(lake, "_cancels/1.json"), "utf8"));
  const ends = { ended: "2026-11-21T19:02:00Z", error: `cancelled: that was asked for at ${at}`, cancelled: true };
  write("_runs/1.json", status({ state: "failed", ...ends }));
  answers(ended("Failed", '"task: non-zero exit (143)"'), SERVICE_IS);
  const { code, output } = await cancelling;
  expect([code, output]).toEqual([
    0,
    "Run 1 of london-power was cancelled after 7 min. What it wrote stays.\nNext     npx --no oneoff run swarm (computes again) | npx --no oneoff down swarm (ends it all)\n",
  ]);
  expect(wasScaled()).toBe(0);
}, 240_000);

test("cancel: where no container runs Docker is told to start none, and the run is recorded as cancelled", async () => {
  answers(NEVER_BEGAN, SERVICE_IS, SCALED);
  const { cancel } = await commands();
  const cancelling = cancel("1");
  await expect.poll(wasScaled).toBe(1);
  answers(NO_TASK);
  expect(await cancelling).toMatchObject({ wasOver: false, status: { state: "cancelled", run: "1" } });
  expect(JSON.parse(readFileSync(join(lake, "_runs/1.json"), "utf8"))).toMatchObject({
    state: "failed",
    cancelled: true,
  });
  answers({ to: "service ps", err: `no such service: ${SERVICE}` });
  expect(await cancel("1")).toMatchObject({ wasOver: true, status: { state: "cancelled" } });
  expect(wasScaled()).toBe(1);
});

test("logs, tables and the container's own words are those of the lake and the service", async () => {
  const cluster = await commands();
  mkdirSync(join(lake, "_logs/1"), { recursive: true });
  writeFileSync(join(lake, "_logs/1/convert.log"), "rows 1\nrows 2\n");
  expect(await cluster.log("1", "convert", 7)).toEqual({ text: "rows 2\n", next: 14 });
  expect(await cluster.log("1", "load", 0)).toEqual({ text: "", next: 0 });
  mkdirSync(join(lake, "monthly/run=1"), { recursive: true });
  for (const name of ["part-0.parquet", "_part-1.parquet"]) writeFileSync(join(lake, "monthly/run=1", name), "x");
  expect(await cluster.partFiles("1", "monthly", bin)).toEqual([join(lake, "monthly/run=1/part-0.parquet")]);
  answers({ to: `service logs --raw --tail 50 ${SERVICE}`, out: "waiting for spark://master:7077" });
  expect(await cluster.evidence("1")).toEqual({
    what: `service ${SERVICE}`,
    text: "waiting for spark://master:7077\n",
  });
  expect(await cluster.evidence("0")).toBeUndefined();
});

test("a lake on another machine is read by ssh", async () => {
  settings('  docker:host: ssh://me@machine:2222\n  docker:sshOpts: \'["-i", "key"]\'');
  const far = join(project.folder, "far 'lake'");
  mkdirSync(join(far, "_clusters/1"), { recursive: true });
  mkdirSync(join(far, "_logs/1"), { recursive: true });
  mkdirSync(join(far, "monthly/run=1"), { recursive: true });
  writeFileSync(join(far, "_clusters/1/status.json"), JSON.stringify(status()));
  writeFileSync(join(far, "_logs/1/convert.log"), "rows 1\nrows 2\n");
  writeFileSync(join(far, "monthly/run=1/part-0.parquet"), "x");
  // Here there is no such folder: it has another name than the one that the stand-in finds.
  const there = join(project.folder, "there");
  writeFileSync(
    join(bin, "ssh"),
    SSH.replace(
      "args.at(-1)]",
      `args.at(-1).replaceAll(${JSON.stringify(there)}, ${JSON.stringify(far.replaceAll("'", "'\\''"))})]`,
    ),
  );
  const scratch = mkdtempSync(join(tmpdir(), "oneoff-scratch-"));
  try {
    answers(task({}), SERVICE_IS);
    const cluster = await commands({ lake: there });
    expect(await cluster.status("1")).toEqual(status());
    expect(await cluster.log("1", "convert", 7)).toEqual({ text: "rows 2\n", next: 14 });
    expect(await cluster.partFiles("1", "monthly", scratch)).toEqual([join(scratch, "monthly/run=1/part-0.parquet")]);
    expect(await cluster.partFiles("1", "tariffs", scratch)).toEqual([]);
    expect(overSsh()[0]?.slice(0, -1)).toEqual(["-i", "key", "-p", "2222", "me@machine"]);
    expect(asked()[0]).toMatch(/^-H ssh:\/\/me@machine:2222 service ps /);
    expect(await cluster.pages()).toContainEqual({
      ...{ name: "spark", title: "Spark", address: "npx --no oneoff open swarm --ui spark" },
    });
    writeFileSync(join(bin, "ssh.refuses"), "");
    await expect(cluster.status("1")).rejects.toThrow(
      'ssh://me@machine:2222 lets nobody in: me@machine: Permission denied (publickey); "ssh -i key -p 2222 me@machine" must work without a question',
    );
  } finally {
    writeFileSync(join(bin, "ssh"), SSH);
    chmodSync(join(bin, "ssh"), 0o755);
    rmSync(scratch, { recursive: true });
  }
  settings("  docker:host: tcp://10.0.0.1:2376");
  await expect((await commands({ lake: there })).status("1")).rejects.toThrow(
    `the lake of stack swarm is ${there}, which is not on this machine: give the command on the machine that has it, or set oneoff:lake to a bucket`,
  );
});

test("a lake on S3 is read below its prefix", async () => {
  const moto = await startMoto();
  const scratch = mkdtempSync(join(tmpdir(), "oneoff-scratch-"));
  process.env.AWS_ENDPOINT_URL = moto.url;
  settings("  oneoff:region: us-west-2");
  try {
    const s3 = new S3Client({ region: "us-west-2", forcePathStyle: true });
    const CreateBucketConfiguration = { LocationConstraint: "us-west-2" } as const;
    await s3.send(new CreateBucketCommand({ Bucket: "mine", CreateBucketConfiguration }));
    const put = (Key: string, Body: string) => s3.send(new PutObjectCommand({ Bucket: "mine", Key, Body }));
    await put("a/lake/_clusters/1/status.json", JSON.stringify(status()));
    await put("a/lake/_logs/1/convert.log", "rows 1\nrows 2\n");
    await put("a/lake/monthly/run=1/part-0.parquet", "x");
    answers(task({}), SERVICE_IS);
    const cluster = await commands({ lake: "s3://mine/a/lake" });
    expect(await cluster.status("1")).toEqual(status());
    expect(await cluster.log("1", "convert", 7)).toEqual({ text: "rows 2\n", next: 14 });
    expect(await cluster.partFiles("1", "monthly", scratch)).toEqual([join(scratch, "monthly/run=1/part-0.parquet")]);
  } finally {
    delete process.env.AWS_ENDPOINT_URL;
    rmSync(scratch, { recursive: true });
    moto.close();
  }
}, 240_000);

test("watch begins with the pages and follows the run to its end", async () => {
  answers(ended("Failed", '"task: non-zero exit (1)"'), SERVICE_IS, { to: "service logs", out: "no Spark master" });
  const { code, output } = await project.oneoff("watch", "swarm");
  expect(code).toBe(1);
  expect(output.split("\n").slice(0, 4)).toEqual([
    `Dashboard        ${url}`,
    `Spark            ${url}/`,
    `Spark's history  ${url}/`,
    `JupyterLab       ${url}/lab (npx --no oneoff open swarm --ui notebook has its token)`,
  ]);
  expect(output).toContain(`The last lines of service ${SERVICE}:\n  no Spark master`);
  expect(output).toContain("the job's container on node vm ended too early (task: non-zero exit (1))");
  expect(output).not.toContain(TOKEN);
}, 240_000);

const CLIENT = { Platform: { Name: "" }, Version: "20.10.24+dfsg1", ApiVersion: "1.41", Context: "default" };
const VERSION: Answer = {
  to: "version --format",
  out: json({ Client: CLIENT, Server: { Version: "20.10.24+dfsg1" } }),
};
const swarmIs = (LocalNodeState: string, ControlAvailable: boolean, problem = "", security = ""): Answer => ({
  to: "info --format",
  out: json({
    swarm: {
      ...{ NodeID: "tn534", NodeAddr: "127.0.0.1", LocalNodeState, ControlAvailable },
      ...{ Error: problem, RemoteManagers: null },
    },
    security: ["name=seccomp,profile=default", ...(security ? [security] : []), "name=cgroupns"],
  }),
});
const node = (Hostname: string, gigabytes: number, State = "ready", Availability = "active", Role = "manager") => ({
  ID: `${Hostname}-id`,
  Spec: { Role, Availability, Labels: { disk: Hostname } },
  Description: { Hostname, Resources: { NanoCPUs: 2e9, MemoryBytes: gigabytes * 2 ** 30 } },
  Status: { State },
});
const nodesAre = (...nodes: readonly { readonly ID: string }[]): readonly Answer[] => [
  { to: "node ls -q", out: nodes.map(({ ID }) => ID).join("\n") },
  { to: `node inspect ${nodes.map(({ ID }) => ID).join(" ")}`, out: JSON.stringify(nodes) },
];
const other = (name: string, label: string, replicas: number, gigabytes: number) => ({
  ID: `${name}-id`,
  Spec: {
    ...{ Name: name, Labels: { "oneoff.stack": label }, Mode: { Replicated: { Replicas: replicas } } },
    TaskTemplate: { Resources: { Reservations: { MemoryBytes: gigabytes * 2 ** 30 } } },
  },
});
const servicesAre = (...services: readonly { readonly ID: string }[]): readonly Answer[] => [
  { to: "service ls -q", out: services.map(({ ID }) => ID).join("\n") },
  { to: "service inspect", out: JSON.stringify(services) },
];
const bindings = (port: number) => ({
  HostConfig: { PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: `${port}` }] } },
});
const nothingElse: readonly Answer[] = [...servicesAre(), { to: "ps -q --no-trunc", out: "" }];

const resource = (type: string, name: string, inputs: object) => ({ type, name, id: name, inputs: { ...inputs } });
const service = (name: string, gigabytes: number, replicas = 1, containerSpec: object = {}, constraints?: string[]) =>
  resource("docker:index/service:Service", name, {
    mode: { replicated: { replicas } },
    taskSpec: {
      containerSpec,
      ...(constraints && { placement: { constraints } }),
      resources: {
        limits: { memoryBytes: gigabytes * 2 ** 30 },
        reservation: { memoryBytes: gigabytes * 2 ** 30 },
      },
    },
  });
const worker = (cores: number) => ({ env: { SPARK_WORKER_CORES: String(cores) } });
const needs = (port: number, ...more: ReturnType<typeof service>[]): DockerNeeds =>
  dockerNeeds([
    service("cluster-worker", 2, 2, worker(1)),
    service("cluster-master", 1.5),
    ...more,
    resource("docker:index/container:Container", "cluster-gateway", {
      memory: 512,
      ports: [{ internal: port, external: port }],
    }),
    resource("docker:index/remoteImage:RemoteImage", "cluster-spark-image", { build: { context: "." } }),
    resource("oneoff-local:index:Folder", "lake", { path: join(project.folder, ".oneoff/new/lake") }),
  ]);
const checks = async (
  port: number,
  config: Readonly<Record<string, string>> = {},
  ...more: ReturnType<typeof service>[]
) => {
  return (await dockerChecks(filesOf("swarm", config), needs(port, ...more))).map(
    ({ name, ok, later, detail, cure }) =>
      ok ? `ok ${name}: ${detail}` : `${later ? "later" : "missing"} ${name}: ${detail} | ${cure ?? ""}`,
  );
};
const free = async (): Promise<number> => {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
};

test("doctor: a Swarm that has all of it, also while the stack is up", async () => {
  const port = await free();
  answers(VERSION, swarmIs("active", true), ...nodesAre(node("vm", 8)), ...nothingElse);
  const fine = [
    "ok docker: docker 20.10.24+dfsg1",
    "ok Docker daemon: 20.10.24+dfsg1 at unix:///var/run/docker.sock",
    "ok Swarm: this daemon is a manager of it",
    "ok nodes: 1 of 1 can take work, with 8.0 GB and 2 cores",
    "ok memory: the stack asks 6.0 GB, the nodes have 8.0 GB",
    "ok cores: 2 tasks at a time on 2 cores",
    `ok ports: ${port} of 127.0.0.1 are free`,
    `ok lake: ${join(project.folder, ".oneoff/new/lake")}, which "pulumi up" makes`,
  ];
  expect(await checks(port)).toEqual(fine);
  const own = Number(new URL(url).port); // somebody listens there, and Docker says that it is the stack's own
  answers(
    ...[VERSION, swarmIs("active", true), ...nodesAre(node("vm", 8))],
    ...servicesAre(other("oneoff-swarm-worker", "oneoff-swarm", 2, 2)),
    { to: "ps -q --no-trunc --filter label=oneoff.stack=oneoff-swarm", out: "5f37a5c8a381" },
    { to: "container inspect 5f37a5c8a381", out: JSON.stringify([bindings(own)]) },
  );
  expect(await checks(own)).toEqual(fine.with(6, `ok ports: ${own} of 127.0.0.1 are the stack's own`));
});

test("doctor: what is missing has a cure", async () => {
  const port = await free();
  const last = "ok lake";
  answers({ to: "", err: "stand-in" }, VERSION);
  const { PATH: path } = process.env;
  process.env.PATH = "/nowhere";
  const none = await checks(port);
  process.env.PATH = path;
  expect(none[0]).toMatch(/^missing docker: docker is not on PATH: install Docker Engine 20.10 or newer/);
  expect(none).toHaveLength(2);

  const DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";
  answers(
    { to: "version --format", out: json({ Client: { ...CLIENT, Version: "19.03.15" }, Server: null }), err: DOWN },
    {
      to: "context ls",
      out: json(
        { Name: "default", Current: true },
        { Name: "desktop-linux", DockerEndpoint: "unix:///home/me/.docker/desktop/docker.sock" },
      ),
    },
  );
  expect(await checks(port)).toEqual([
    expect.stringMatching(/^missing docker: docker 19.03.15 is too old \| Update it: install Docker Engine/),
    'missing Docker daemon: Docker can\'t be reached at unix:///var/run/docker.sock: start it with "sudo systemctl start docker" | Docker also has context desktop-linux (unix:///home/me/.docker/desktop/docker.sock): npx pulumi config set docker:context desktop-linux --stack swarm',
    expect.stringContaining(last),
  ]);

  for (const [swarm, message] of [
    [swarmIs("inactive", false), "Docker is not in swarm mode | Make a Swarm of one node: docker swarm init"],
    [swarmIs("locked", false, "Swarm is encrypted"), "it is locked | Open it with its key: docker swarm unlock"],
    [
      swarmIs("active", false),
      'this daemon is a worker of it, and only a manager takes orders | Name a manager: npx pulumi config set docker:host ssh://me@manager; or on a manager: "docker node promote NODE".',
    ],
    [
      swarmIs("active", true, "", "name=rootless"),
      "this daemon is rootless, and such a one has no overlay networks, on which services find each other | Name one that runs as root: npx pulumi config set docker:host unix:///var/run/docker.sock --stack swarm",
    ],
    [
      swarmIs("error", false, "certificates have expired"),
      "Docker's swarm mode is error: certificates have expired | Make a Swarm of one node: docker swarm init",
    ],
  ] as const) {
    answers(VERSION, swarm, ...nothingElse);
    expect(await checks(port)).toEqual([
      expect.stringContaining("ok docker"),
      expect.stringContaining("ok Docker daemon"),
      `missing Swarm: ${message}`,
      expect.stringContaining("ok ports"),
      expect.stringContaining(last),
    ]);
  }

  answers(
    ...[
      VERSION,
      swarmIs("active", true),
      ...nodesAre(node("a", 4), node("b", 4, "down"), node("c", 1), node("d", 9, "ready", "drain")),
    ],
    ...[...servicesAre(other("theirs", "other-swarm", 2, 0.5)), { to: "ps -q", out: "" }],
  );
  const own = Number(new URL(url).port);
  expect((await checks(own)).slice(3, 7)).toEqual([
    'later nodes: 2 of 4 can take work, with 5.0 GB and 4 cores; b is down; d is drain | Start them, or "docker node rm NODE" and "docker node update --availability active NODE".',
    "missing memory: the stack asks 6.0 GB, the nodes have 5.0 GB, of which other services hold 1.0 GB | Lower oneoff:workerMemory or oneoff:workers, or add a node.",
    "ok cores: 2 tasks at a time on 4 cores",
    "missing images: they are built on one node, and no other has them there | Name a registry that all nodes reach: npx pulumi config set oneoff:registry registry.example.com/me --stack swarm",
  ]);
  expect((await checks(own))[7]).toBe(
    `missing ports: ${own} of 127.0.0.1: another program listens there | End it, or take other ports: npx pulumi config set oneoff:port PORT --stack swarm`,
  );
  answers(
    ...[
      VERSION,
      swarmIs("active", true),
      ...nodesAre(...["a", "b", "c", "d"].map((name) => node(name, 1.75))),
      ...nothingElse,
    ],
  );
  expect((await checks(port))[4]).toBe(
    "missing memory: cluster-worker asks 2.0 GB, and the largest node has 1.8 GB | Lower oneoff:workerMemory or oneoff:workers, or add a node.",
  );
});

const LAKE = { mounts: [{ type: "bind", source: "/lake", target: "/lake", readOnly: false }] };
const READS = { mounts: [{ type: "bind", source: "/data", target: "/data", readOnly: true }] };

test("doctor: fewer cores than tasks at a time are no failure", async () => {
  answers(VERSION, swarmIs("active", true), ...nodesAre(node("vm", 9)), ...nothingElse);
  const [port, more] = [await free(), service("more", 0.5, 1, worker(3))];
  expect((await checks(port, {}, more))[5]).toBe("ok cores: 5 tasks at a time on 2 cores: it works, and takes longer");
});

test("doctor: memory is looked for where a service may be, and a folder is on one node", async () => {
  const port = await free();
  const here = "node.hostname==a";
  const about = async (...more: ReturnType<typeof service>[]) =>
    (await checks(port, {}, ...more)).filter((line) => /^\S+ (placement|memory)/.test(line));
  const cure = "Name one node: npx pulumi config set oneoff:node node.hostname==NAME --stack swarm";
  const nodes = [node("a", 4), node("b", 16, "ready", "active", "worker"), node("c", 8)];
  answers(
    ...[VERSION, swarmIs("active", true), ...nodesAre(...nodes), { to: "ps -q", out: "" }],
    ...servicesAre({
      ...other("theirs", "other-swarm", 1, 2),
      Spec: {
        ...other("theirs", "other-swarm", 1, 2).Spec,
        TaskTemplate: {
          Resources: { Reservations: { MemoryBytes: 2 * 2 ** 30 } },
          Placement: { Constraints: ["node.hostname == A"] },
        },
      },
    } as never),
  );
  const fits = "ok memory: the stack asks 7.0 GB, the nodes have 28.0 GB, of which other services hold 2.0 GB";
  expect(await about(service("run", 1, 1, LAKE, [here]))).toEqual(["ok placement: the lake is a folder of a", fits]);
  expect(await about(service("run", 1, 1, READS, ["node.role==manager"]))).toEqual([fits]);
  expect(await about(service("run", 1, 1, LAKE, ["node.role==manager"]))).toEqual([
    `missing placement: the lake is a folder of one node, and its services want node.role==manager, which a, c are | ${cure}`,
    fits,
  ]);
  expect(await about(service("run", 1, 1, LAKE, ["node.hostname==z"]))).toEqual([
    `missing placement: run wants node.hostname==z, and no node that can take work is so | ${cure}`,
    fits,
  ]);
  expect(await about(service("run", 3, 1, LAKE, [here]))).toEqual([
    "ok placement: the lake is a folder of a",
    "missing memory: what wants node.hostname==a asks 3.0 GB, a has 4.0 GB, of which other services hold 2.0 GB | Lower oneoff:workerMemory or oneoff:workers, or add a node.",
  ]);
  expect((await about(service("run", 9, 1, {}, ["node.role!=worker"]))).at(-1)).toBe(
    "missing memory: run asks 9.0 GB, and the largest of a, c has 8.0 GB | Lower oneoff:workerMemory or oneoff:workers, or add a node.",
  );
});

test.each([
  ["node.role==manager", "a"],
  ["node.role != manager", "b"],
  ["node.hostname==B", "b"],
  ["node.labels.disk==a", "a"],
  ["node.labels.gpu!=yes", "ab"],
  ["node.labels.gpu==yes", ""],
  ["node.id==b-id", "b"],
  ["node.platform.os==windows", "ab"],
])("placement: %s holds for %s", (constraint, names) => {
  const nodes = [node("a", 1), node("b", 1, "ready", "active", "worker")];
  expect(matching(nodes, [constraint]).map(({ Description }) => Description.Hostname)).toEqual([...names]);
});

test("doctor: the provider must be told of a registry; what it is told of ssh docker doesn't hear", async () => {
  const port = await free();
  const registry = { "oneoff:registry": "registry.example.com:5000/team" };
  answers(VERSION, swarmIs("active", true), ...nodesAre(node("vm", 8)), ...nothingElse);
  expect(await checks(port, registry)).toContain(
    `missing registry: oneoff:registry is "registry.example.com:5000/team", and the docker provider pushes only where docker:registryAuth says | Say so, it takes what "docker login registry.example.com:5000" wrote: npx pulumi config set --path 'docker:registryAuth[0].address' registry.example.com:5000 --stack swarm`,
  );
  const auth = { "docker:registryAuth": '[{"address":"registry.example.com:5000"}]' };
  expect(await checks(port, { ...registry, ...auth })).toContain(
    "ok registry: registry.example.com:5000/team, with docker:registryAuth",
  );
  const far = { "docker:host": "ssh://me@machine", "docker:sshOpts": '["-i", "key"]' };
  const ssh =
    "ssh: docker:sshOpts is for Pulumi's provider; the docker command, which is needed too, goes by ~/.ssh/config alone";
  expect(await checks(port, far)).toContain(`ok ${ssh}`);
  expect(await checks(port, { "docker:sshOpts": "[]" })).not.toContainEqual(expect.stringContaining("ssh: "));
  answers({ to: "", out: json({ Client: CLIENT, Server: null }), err: "connection refused" });
  expect(await checks(port, far)).toContain(
    `missing ${ssh} | Put the same options into ~/.ssh/config, for that machine.`,
  );
});

test("doctor: the command asks Docker and not this machine's Java", async () => {
  answers(VERSION, swarmIs("inactive", false), ...nothingElse);
  const { code, output } = await project.oneoff("doctor", "swarm");
  expect(code).toBe(1);
  expect(output).not.toMatch(/^\w+ +(Java|Python|PySpark) {2}/m);
  expect(output).toMatch(/^ok {7}stack {17}swarm$/m);
  expect(output).toMatch(
    /^missing {2}Swarm {17}Docker is not in swarm mode\n {9}Make a Swarm of one node: docker swarm init$/m,
  );
  expect(output).toMatch(
    new RegExp(`^ok {7}lake {18}${project.folder}/.oneoff/swarm-lake, which "pulumi up" makes$`, "m"),
  );
  settings("  oneoff:workers: none");
  const broken = await project.oneoff("doctor", "swarm");
  expect(broken.output).toMatch(/^missing {2}settings {14}oneoff:workers is "none": expected a whole number/m);
  expect(broken.output).toContain("Docker is not in swarm mode");
}, 240_000);

const opened = () => linesOf(join(bin, "browser"));
const until = async (is: () => boolean) => {
  for (const end = Date.now() + 15_000; !is() && Date.now() < end; ) await sleep(50);
};

test("open: pages of this machine; the notebook's token goes to the browser alone", async () => {
  const dashboard = await project.oneoff("open", "swarm");
  expect(dashboard).toEqual({ code: 0, output: `Dashboard: ${url}\n` });
  const notebook = await project.oneoff("open", "swarm", "--ui", "notebook");
  expect(notebook.output).toBe(
    `JupyterLab: ${url}/lab\nThe browser gets its token; "npx pulumi stack output notebookToken --show-secrets --stack swarm" shows it.\n`,
  );
  await until(() => opened().length === 2);
  expect(opened()).toEqual([url, `${url}/lab?token=t0ken%26more`]);
  for (const [args, message] of [
    [
      ["--ui", "mongo"],
      'stack swarm has no mongo-express: oneoff:mongo decides about it, "npx --no oneoff settings swarm" says how',
    ],
    [
      ["--ui", "yarn"],
      '--ui is "yarn", and stack swarm has no such page: it has spark, history, hdfs, notebook and mongo',
    ],
    [["--port", "9000"], `--port is 9000, and no connection of this command leads to the page: Dashboard is at ${url}`],
  ] as const) {
    const refused = await project.oneoff("open", "swarm", ...args);
    expect(refused).toEqual({ code: 2, output: expect.stringContaining(`oneoff: ${message}`) });
  }
}, 240_000);

test("open: pages of another machine come by ssh, as long as the command runs", async () => {
  settings("  docker:host: ssh://me@machine");
  const port = await free();
  const env = { ...project.env, SSH_TARGET: new URL(url).port };
  const child = spawn(process.execPath, [CLI, "open", "swarm", "--ui", "spark", "--port", `${port}`], {
    cwd: project.folder,
    env,
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      text += chunk;
    });
  const over = once(child, "exit");
  await until(() => opened().length === 1);
  expect(text).toBe(
    `Spark: http://127.0.0.1:${port}\nA connection by ssh leads to ssh://me@machine.\nCtrl-C closes the connection.\n`,
  );
  expect(opened()).toEqual([`http://127.0.0.1:${port}`]);
  const forward = `127.0.0.1:${port}:127.0.0.1:${new URL(url).port}`;
  expect(overSsh()[0]).toEqual(expect.arrayContaining(["-N", "-L", forward, "ExitOnForwardFailure=yes", "me@machine"]));
  writeFileSync(join(bin, "ssh.ends"), "");
  await until(() => text.includes("connecting again"));
  rmSync(join(bin, "ssh.ends"));
  await until(() => text.includes("It is connected again."));
  expect(text).toContain(
    "The connection has ended (Connection reset by peer); connecting again\nIt is connected again.\n",
  );
  child.kill("SIGINT");
  await over;
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();

  writeFileSync(join(bin, "ssh.refuses"), "");
  const refused = await project.oneoff("open", "swarm");
  expect(refused).toEqual({
    code: 2,
    output:
      'oneoff: Dashboard can\'t be reached through ssh://me@machine: me@machine: Permission denied (publickey); "ssh me@machine" must work\n',
  });
  settings("  docker:host: tcp://10.0.0.1:2376");
  const own = new URL(url).port;
  expect((await project.oneoff("open", "swarm")).output).toContain(
    `oneoff: Docker is at tcp://10.0.0.1:2376, and the pages of stack swarm are on the loopback of that machine alone: "ssh -N -L ${own}:127.0.0.1:${own} 10.0.0.1" leads to ${url}`,
  );
}, 240_000);

test("cost says that there is none; env makes the stack and leaves its settings", async () => {
  expect(await project.oneoff("cost", "swarm")).toEqual({
    code: 0,
    output: "Stack swarm rents nothing: it costs nothing.\n",
  });
  expect((await project.oneoff("cost", "swarm", "--set", "lake=s3://mine/lake")).output).toBe(
    "Stack swarm rents nothing: it costs nothing. What lies in s3://mine/lake is billed by its cloud.\n",
  );
  const fresh = makeProject({ PULUMI_CREDENTIALS_PATH: "/nowhere" });
  try {
    const before = readFileSync(fresh.settingsFile("swarm"), "utf8");
    const { code, output } = await fresh.oneoff("env");
    expect(code).toBe(0);
    expect(output).toMatch(/^export PULUMI_BACKEND_URL=/m);
    expect(readFileSync(fresh.settingsFile("swarm"), "utf8")).toBe(before);
    expect(
      JSON.parse(await fresh.mustPulumi("stack", "ls", "--json")).map(({ name }: { name: string }) => name),
    ).toEqual(["gpu-fleet-local", "local", "streaming", "streaming-local", "swarm"]);
    expect((await fresh.oneoff("env")).code).toBe(0);
    const rented = await fresh.oneoff("env", "emr-oneoff");
    expect(rented).toEqual({
      code: 3,
      output: expect.stringContaining("stack emr-oneoff rents machines and you are not logged in"),
    });
    const gone = await fresh.oneoff("destroy");
    expect(gone).toMatchObject({ code: 0 });
    expect(existsSync(join(fresh.folder, ".oneoff", "state"))).toBe(false);
  } finally {
    fresh.remove();
  }
}, 240_000);

const LIST = "--filter label=oneoff.stack=oneoff-swarm";
const left = (to: string, kind: string, id: string, what: object): readonly Answer[] => [
  { to: `${to} ${LIST}`, out: id },
  { to: `${kind} inspect ${id}`, out: JSON.stringify([what]) },
];
const NONE: readonly Answer[] = [
  "ps -a --no-trunc",
  "service ls -q",
  "ps -a -q --no-trunc",
  "secret ls -q",
  "config ls -q",
  "volume ls -q",
  "network ls -q --no-trunc",
].map((to) => ({ to, out: "" }));

const TASKS = `ps -a --no-trunc ${LIST} --filter label=com.docker.swarm.service.id`;
const taskOf = (ID: string, service: string, Mounts: string) => ({
  ...{ ID, Labels: `oneoff.stack=oneoff-swarm,com.docker.swarm.service.id=${service},com.docker.swarm.task=`, Mounts },
});

/** Its lake is on this machine, and looked at too. */
const OR_LAKE = () => ` or its lake ${join(project.folder, ".oneoff/swarm-lake")}`;
const OURS = { "oneoff.stack": "oneoff-swarm", "oneoff.owner": "oneoff/swarm" };

test("leftovers: what another stack's label says stays, and so does what no label says, which is told", async () => {
  const inUse = 'oneoff: stack swarm is up, and what it has is in use: "npx pulumi destroy --stack swarm" first\n';
  expect(await project.oneoff("leftovers", "swarm")).toEqual({ code: 2, output: inUse });
  await setResources([]);
  const theirs = { ...OURS, "oneoff.owner": "one/off-swarm" };
  const [name, of] = ["oneoff-swarm-spark", { CreatedAt: T0 }];
  answers(
    ...left("secret ls -q", "secret", "s1", { ID: "s1", ...of, Spec: { Name: `${name}-1`, Labels: theirs } }),
    ...left("config ls -q", "config", "c1", {
      ...{ ID: "c1", ...of, Spec: { Name: `${name}-2`, Labels: { "oneoff.stack": "oneoff-swarm" } } },
    }),
    ...left("network ls -q --no-trunc", "network", "n1", { Id: "n1", Name: "oneoff-swarm", Created: T0, Labels: null }),
    ...NONE,
  );
  const asked = await project.oneoff("leftovers", "swarm", "--delete", "--yes");
  expect(asked.output.split("\n")).toEqual([
    "network                     oneoff-swarm  since 2026-11-21 18:54:37 UTC  may be another stack's: its name alone tells; if it is yours: docker network rm oneoff-swarm",
    `config                      ${name}-2  since 2026-11-21 18:54:37 UTC  may be another stack's: its name alone tells; if it is yours: docker config rm ${name}-2`,
    `Nothing else is left of stack swarm${OR_LAKE()}.`,
    "",
  ]);
  expect(asked.code).toBe(1);
});

test("leftovers: what has the stack's label, and nothing of others", async () => {
  answers(
    ...left("service ls -q", "service", "ik2eg", {
      ID: "ik2eg",
      CreatedAt: T0,
      Spec: { Name: "oneoff-swarm-master", Labels: OURS },
    }),
    // The ids of a list of services are cut off. The second service has gone, and its container not.
    { to: "service ls -q", out: "ik2eg" },
    { to: TASKS, out: json(taskOf("aaaa", "ik2eglong", "/lake,v0"), taskOf("bbbb", "oldoldold", "v1")) },
    { to: `ps -a -q --no-trunc ${LIST}`, out: "aaaa\nbbbb\n5f37a" },
    {
      to: "container inspect 5f37a",
      out: JSON.stringify([{ Id: "5f37a", Name: "/oneoff-swarm-gateway", Created: T0, Config: { Labels: OURS } }]),
    },
    {
      to: "container inspect bbbb",
      out: JSON.stringify([{ Id: "bbbb", Name: "/oneoff-swarm-worker.1.x", Created: T0, Config: { Labels: OURS } }]),
    },
    { to: `volume ls -q ${LIST}`, out: "v0\nv1" },
    { to: "volume inspect v1", out: JSON.stringify([{ Name: "v1", CreatedAt: T0, Labels: OURS }]) },
    ...left("network ls -q --no-trunc", "network", "8o9im", {
      Id: "8o9im",
      Name: "oneoff-swarm",
      Created: T0,
      Labels: OURS,
    }),
    ...NONE,
  );
  const { code, output } = await project.oneoff("leftovers", "swarm");
  expect(code).toBe(1);
  expect(output.split("\n").slice(0, 6)).toEqual([
    "container                   oneoff-swarm-gateway  since 2026-11-21 18:54:37 UTC",
    "service                     oneoff-swarm-master  since 2026-11-21 18:54:37 UTC",
    "container                   oneoff-swarm-worker.1.x  since 2026-11-21 18:54:37 UTC",
    "network                     oneoff-swarm  since 2026-11-21 18:54:37 UTC",
    "volume                      v1  since 2026-11-21 18:54:37 UTC",
    `5 things are left of stack swarm${OR_LAKE()}; "npx --no oneoff leftovers swarm --delete" removes them.`,
  ]);
  answers(...NONE);
  const none = `Nothing is left of stack swarm${OR_LAKE()}.\n`;
  expect(await project.oneoff("leftovers", "swarm")).toEqual({ code: 0, output: none });
  const NOT =
    'Error response from daemon: This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
  answers(...["service", "secret", "config"].map((kind) => ({ to: `${kind} ls`, err: NOT })), ...NONE);
  expect((await project.oneoff("leftovers", "swarm")).output).toBe(none);
  // Without a Swarm there are no services any more; a worker of one can't say which there are.
  const worker = NOT.replace('Use "docker swarm init"', "Worker nodes can't be used to view or modify cluster state");
  for (const [err, names] of [
    [NOT, ["oneoff-swarm-worker.1.x"]],
    [worker, []],
  ] as const) {
    answers(
      ...["service", "secret", "config"].map((kind) => ({ to: `${kind} ls`, err })),
      { to: TASKS, out: json(taskOf("bbbb", "oldoldold", "v1")) },
      { to: `ps -a -q --no-trunc ${LIST}`, out: "bbbb" },
      { to: "container inspect bbbb", out: JSON.stringify([{ Id: "bbbb", Name: "/oneoff-swarm-worker.1.x" }]) },
      ...NONE,
    );
    expect((await findDockerLeftovers(stackFiles("swarm"))).map(({ id }) => id)).toEqual(names);
  }
  // What a stack of this machine has lies in its lake: Docker isn't asked.
  answers({ to: "", err: "nobody may ask Docker" });
  const nothing = `Nothing is left of stack local or its lake ${join(project.folder, ".oneoff/lake")}.\n`;
  expect(await project.oneoff("leftovers", "local")).toEqual({ code: 0, output: nothing });
}, 240_000);
