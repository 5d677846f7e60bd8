import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Docker, GET_DOCKER } from "../../assets/docker/docker.ts";
import { dockerName } from "../../components/core/docker-names.ts";
import { UsageError } from "../../components/core/errors.ts";
import { type Check, checked, failed } from "../check.ts";
import type { StackFiles } from "../config.ts";
import { isFree } from "../loopback.ts";
import { type DockerNeeds, largest, type Part, sum } from "./needs.ts";
import { machineOf } from "./pages.ts";
import { onMachine, shellWord, sshMachine } from "./ssh.ts";
import { filterOf } from "./stack.ts";

const OLDEST = [20, 10];

/** What Docker must have for a stack. A check that can't be made for want of the one before is left out. */
export async function dockerChecks(files: StackFiles, needs: DockerNeeds): Promise<readonly Check[]> {
  const docker = new Docker(files.config);
  const lake = await lakeChecks(docker, files, needs);
  const daemon = await daemonChecks(docker, files.stack);
  if (daemon.some(({ ok }) => !ok)) return [...daemon, ...lake];
  const ports = await checked("ports", () => portCheck(docker, files, needs.ports));
  const swarm = await checked("Swarm", () => swarmCheck(docker));
  if (!swarm.ok) return [...daemon, swarm, ports, ...lake];
  return [...daemon, swarm, ...(await nodeChecks(docker, files, needs)), ports, ...lake];
}

async function daemonChecks(docker: Docker, stack: string): Promise<readonly Check[]> {
  try {
    const { client, server, problem } = await docker.versions();
    const command = versionCheck("docker", client, `docker ${client}`);
    if (server !== undefined)
      return [command, versionCheck("Docker daemon", server, `${server} at ${await docker.address()}`)];
    const daemon = problem
      ? failed("Docker daemon", problem)
      : { name: "Docker daemon", ok: false, detail: "no answer" };
    return [command, await withOtherContext(docker, daemon, stack)];
  } catch (error) {
    return [await checked("docker", () => Promise.reject(error))];
  }
}

/** Pulumi's provider doesn't know the context in use, so that of Docker Desktop, say, must be named. */
async function withOtherContext(docker: Docker, check: Check, stack: string): Promise<Check> {
  if (docker.endpoint.setting !== undefined) return check;
  type Context = { readonly Name: string; readonly Current: boolean; readonly DockerEndpoint: string };
  const contexts = await docker.list<Context>("context", "ls").catch(() => []);
  // With -H, which was given, docker says that the default is in use: it is asked for the others.
  const other = contexts.find(({ Name }) => Name !== "default");
  if (!other) return check;
  const cure = `Docker also has context ${other.Name} (${other.DockerEndpoint}): npx pulumi config set docker:context ${other.Name} --stack ${stack}`;
  return { ...check, cure };
}

function versionCheck(name: string, version: string, detail: string): Check {
  const parts = version.split(/[^0-9]+/).map(Number);
  const first = OLDEST.findIndex((part, index) => part !== (parts[index] ?? 0));
  const ok = first < 0 || (parts[first] ?? 0) > (OLDEST[first] as number);
  return { name, ok, detail: ok ? detail : `${detail} is too old`, cure: `Update it: ${GET_DOCKER}` };
}

async function swarmCheck(docker: Docker): Promise<Check> {
  type Swarm = { readonly LocalNodeState: string; readonly ControlAvailable: boolean; readonly Error: string };
  const info: Swarm = JSON.parse(await docker.text("info", "--format", "{{json .Swarm}}"));
  const { LocalNodeState: state, ControlAvailable: isManager, Error: problem } = info;
  const name = "Swarm";
  const on = docker.endpoint.setting === undefined ? "docker" : `docker ${docker.endpoint.options.join(" ")}`;
  if (state === "active" && isManager) return { name, ok: true, detail: "this daemon is a manager of it" };
  if (state === "active") {
    return {
      name,
      ok: false,
      detail: "this daemon is a worker of it, and only a manager takes orders",
      cure: 'Name a manager: npx pulumi config set docker:host ssh://me@manager; or on a manager: "docker node promote NODE".',
    };
  }
  if (state === "locked") {
    return { name, ok: false, detail: "it is locked", cure: `Open it with its key: ${on} swarm unlock` };
  }
  const detail = state === "inactive" ? "Docker is not in swarm mode" : `Docker's swarm mode is ${state}: ${problem}`;
  return { name, ok: false, detail, cure: `Make a Swarm of one node: ${on} swarm init` };
}

/** As `docker node inspect` says it. */
interface Node {
  readonly ID: string;
  readonly Spec: { readonly Availability: string };
  readonly Status: { readonly State: string };
  readonly Description: {
    readonly Hostname: string;
    readonly Resources: { readonly NanoCPUs?: number; readonly MemoryBytes?: number };
  };
}

async function nodeChecks(docker: Docker, files: StackFiles, needs: DockerNeeds): Promise<readonly Check[]> {
  try {
    const ids = (await docker.text("node", "ls", "-q")).split("\n").filter((id) => id !== "");
    const nodes = await docker.inspect<Node>("node", ids);
    const usable = nodes.filter(({ Spec, Status }) => Status.State === "ready" && Spec.Availability === "active");
    const others = await othersParts(docker, dockerName(files.project, files.stack));
    return [
      nodesCheck(nodes, usable),
      ...roomChecks(usable, needs, others),
      ...imageChecks(usable, needs, files.stack),
    ];
  } catch (error) {
    return [await checked("nodes", () => Promise.reject(error))];
  }
}

function nodesCheck(nodes: readonly Node[], usable: readonly Node[]): Check {
  const away = nodes.filter((node) => !usable.includes(node));
  const state = ({ Spec, Status, Description }: Node) =>
    `${Description.Hostname} is ${Status.State === "ready" ? Spec.Availability : Status.State}`;
  const room = `${whole(memoryOf(usable))} and ${cores(coresOf(usable))}`;
  return {
    name: "nodes",
    ok: away.length === 0,
    later: usable.length > 0,
    detail: [`${usable.length} of ${nodes.length} can take work, with ${room}`, ...away.map(state)].join("; "),
    cure: 'Start them, or "docker node rm NODE" and "docker node update --availability active NODE".',
  };
}

/** What services that are not the stack's hold already. */
async function othersParts(docker: Docker, label: string): Promise<readonly Part[]> {
  type Reserved = { readonly MemoryBytes?: number; readonly NanoCPUs?: number };
  interface Service {
    readonly Spec: {
      readonly Name: string;
      readonly Labels?: Readonly<Record<string, string>>;
      readonly Mode: { readonly Replicated?: { readonly Replicas?: number } };
      readonly TaskTemplate: { readonly Resources?: { readonly Reservations?: Reserved } };
    };
  }
  const ids = (await docker.text("service", "ls", "-q")).split("\n").filter((id) => id !== "");
  const services = await docker.inspect<Service>("service", ids);
  return services
    .filter(({ Spec }) => Spec.Labels?.["oneoff.stack"] !== label)
    .map(({ Spec: { Name, Mode, TaskTemplate } }) => ({
      name: Name,
      tasks: Mode.Replicated?.Replicas ?? 1,
      memory: TaskTemplate.Resources?.Reservations?.MemoryBytes ?? 0,
      cores: (TaskTemplate.Resources?.Reservations?.NanoCPUs ?? 0) / 1e9,
    }));
}

function roomChecks(nodes: readonly Node[], needs: DockerNeeds, others: readonly Part[]): readonly Check[] {
  const parts = [...needs.services, ...needs.containers];
  const memory = { pick: (part: Part) => part.memory, show: whole, of: memoryOf };
  const core = { pick: (part: Part) => part.cores, show: cores, of: coresOf };
  return [
    { name: "memory", cure: "Lower oneoff:workerMemory or oneoff:workers, or add a node.", ...memory },
    { name: "cores", cure: "Lower oneoff:workerCores or oneoff:workers, or add a node.", ...core },
  ].map(({ name, cure, pick, show, of }) => {
    const asked = sum(parts, pick);
    const taken = sum(others, pick);
    const big = largest(parts, pick);
    const most = Math.max(0, ...nodes.map((node) => of([node])));
    const held = show(taken) !== show(0) ? `, of which other services hold ${show(taken)}` : "";
    const room = `the stack asks ${show(asked)}, the nodes have ${show(of(nodes))}${held}`;
    if (asked > of(nodes) - taken) return { name, ok: false, detail: room, cure };
    if (big === undefined || pick(big) <= most) return { name, ok: true, detail: room };
    const detail = `${big.name} asks ${show(pick(big))}, and the largest node has ${show(most)}`;
    return { name, ok: false, detail, cure };
  });
}

function imageChecks(nodes: readonly Node[], { images }: DockerNeeds, stack: string): readonly Check[] {
  if (!images.built || nodes.length < 2) return [];
  const check = { name: "images", ok: images.pushed };
  if (images.pushed) return [{ ...check, detail: "pushed to oneoff:registry, where all nodes have them from" }];
  return [
    {
      ...check,
      detail: "they are built on one node, and no other has them there",
      cure: `Name a registry that all nodes reach: npx pulumi config set oneoff:registry registry.example.com/me --stack ${stack}`,
    },
  ];
}

async function portCheck(docker: Docker, files: StackFiles, ports: readonly number[]): Promise<Check> {
  const isHere = (await machineOf(docker)) === undefined;
  const own = await publishedBy(docker, filterOf(files));
  const taken: number[] = [];
  const everybodys = isHere ? [] : await publishedBy(docker, []);
  for (const port of ports.filter((port) => !own.includes(port))) {
    if (isHere ? !(await isFree(port)) : everybodys.includes(port)) taken.push(port);
  }
  const where = `127.0.0.1${isHere ? "" : " there"}`;
  const ok = taken.length === 0;
  const list = ports.join(", ");
  return {
    name: "ports",
    ok,
    detail: ok
      ? `${list} of ${where} are ${own.length > 0 ? "the stack's own" : "free"}`
      : `${taken.join(", ")} of ${where}: another program listens there`,
    cure: `End it, or take other ports: npx pulumi config set oneoff:port PORT --stack ${files.stack}`,
  };
}

/** Ports of running containers. */
async function publishedBy(docker: Docker, filter: readonly string[]): Promise<readonly number[]> {
  interface Container {
    readonly HostConfig: {
      readonly PortBindings: Readonly<Record<string, readonly { readonly HostPort: string }[] | null>> | null;
    };
  }
  const ids = (await docker.text("ps", "-q", "--no-trunc", ...filter)).split("\n").filter((id) => id !== "");
  const containers = await docker.inspect<Container>("container", ids);
  return containers.flatMap(({ HostConfig }) =>
    Object.values(HostConfig.PortBindings ?? {}).flatMap((bindings) =>
      (bindings ?? []).map(({ HostPort }) => Number(HostPort)),
    ),
  );
}

/** A folder is made on this machine, and must be there already on another one. */
async function lakeChecks(docker: Docker, { config }: StackFiles, { folder }: DockerNeeds): Promise<readonly Check[]> {
  if (folder !== undefined) return [await hereCheck(folder)];
  const machine = await machineOf(docker).catch(() => undefined);
  const given = config["oneoff:lake"];
  if (!machine?.startsWith("ssh:") || !given?.startsWith("/")) return [];
  return [await checked("lake", () => thereCheck(machine, config, given))];
}

async function thereCheck(address: string, config: StackFiles["config"], folder: string): Promise<Check> {
  const path = shellWord(folder);
  const answer = await onMachine(
    sshMachine(address, config),
    `[ -d ${path} ] && [ -w ${path} ] && echo yes || echo no`,
  );
  const ok = answer.toString().trim() === "yes";
  const detail = `${folder} at ${address}${ok ? "" : " is no folder that you can write to"}`;
  return { name: "lake", ok, detail, cure: "Make it there, or set oneoff:lake to another folder of that machine." };
}

async function hereCheck(folder: string): Promise<Check> {
  const name = "lake";
  const there = await nearest(folder);
  try {
    if (!(await stat(there)).isDirectory()) throw new UsageError(`${there} is no folder`);
    await access(there, constants.W_OK | constants.X_OK);
    return { name, ok: true, detail: there === folder ? folder : `${folder}, which "pulumi up" makes` };
  } catch (error) {
    const detail = error instanceof UsageError ? error.message : `${there} can't be written to by you`;
    return { name, ok: false, detail, cure: "Set oneoff:lake to another folder." };
  }
}

/** A path, or the nearest above it that is there. */
async function nearest(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined);
    if (found || at === dirname(at)) return at;
  }
}

const memoryOf = (nodes: readonly Node[]): number =>
  nodes.reduce((total, { Description }) => total + (Description.Resources.MemoryBytes ?? 0), 0);
const coresOf = (nodes: readonly Node[]): number =>
  nodes.reduce((total, { Description }) => total + (Description.Resources.NanoCPUs ?? 0), 0) / 1e9;
const whole = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GB`;
const cores = (count: number): string => `${Number(count.toFixed(1))} core${count === 1 ? "" : "s"}`;
