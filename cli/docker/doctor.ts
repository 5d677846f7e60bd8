import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Docker, GET_DOCKER } from "../../clients/docker.ts";
import { onMachine, shellWord, sshMachine } from "../../clients/ssh.ts";
import { dockerName } from "../../core/docker-names.ts";
import { quote, UsageError } from "../../core/errors.ts";
import { type Check, failedCheck, runCheck } from "../check.ts";
import type { StackFiles } from "../config.ts";
import { isFree } from "../loopback.ts";
import { type DockerNeeds, matching, type Part, type SwarmNode, sum } from "./needs.ts";
import { filterOf, machineOf } from "./stack.ts";

const OLDEST = [20, 10];

/** What Docker must have for a stack. A check that can't be made for want of the one before is left out. */
export async function dockerChecks(files: StackFiles, needs: DockerNeeds): Promise<readonly Check[]> {
  const docker = new Docker(files.config);
  const rest = [...registryChecks(files), ...(await lakeChecks(docker, files, needs))];
  const daemon = await daemonChecks(docker, files);
  if (daemon.some(({ ok }) => !ok)) return [...daemon, ...rest];
  const ports = await runCheck("ports", () => portCheck(docker, files, needs.ports));
  const swarm = await runCheck("Swarm", () => swarmCheck(docker, files.stack));
  if (!swarm.ok) return [...daemon, swarm, ports, ...rest];
  return [...daemon, swarm, ...(await nodeChecks(docker, files, needs)), ports, ...rest];
}

async function daemonChecks(docker: Docker, { stack, config }: StackFiles): Promise<readonly Check[]> {
  try {
    const { client, server, problem } = await docker.versions();
    const command = versionCheck("docker", client, `docker ${client}`);
    const ssh = await sshChecks(docker, config, server !== undefined);
    if (server !== undefined)
      return [command, versionCheck("Docker daemon", server, `${server} at ${await docker.address()}`), ...ssh];
    const daemon = problem
      ? failedCheck("Docker daemon", problem)
      : { name: "Docker daemon", ok: false, detail: "no answer" };
    return [command, await withOtherContext(docker, daemon, stack), ...ssh];
  } catch (error) {
    return [await runCheck("docker", () => Promise.reject(error))];
  }
}

/** What docker itself is not told: it has no option for it (docker/cli#6088). */
async function sshChecks(docker: Docker, config: StackFiles["config"], ok: boolean): Promise<readonly Check[]> {
  const setting = ["docker:sshOpts", "DOCKER_SSH_OPTS"].find((name) => config[name] ?? process.env[name]);
  if (setting === undefined || !(await docker.address().catch(() => ""))?.startsWith("ssh:")) return [];
  const detail = `${setting} is for Pulumi's provider; the docker command, which is needed too, goes by ~/.ssh/config alone`;
  return [{ name: "ssh", ok, detail, cure: "Put the same options into ~/.ssh/config, for that machine." }];
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

async function swarmCheck(docker: Docker, stack: string): Promise<Check> {
  type Swarm = { readonly LocalNodeState: string; readonly ControlAvailable: boolean; readonly Error: string };
  const format = '{"swarm":{{json .Swarm}},"security":{{json .SecurityOptions}}}';
  const info = JSON.parse(await docker.text("info", "--format", format));
  const { LocalNodeState: state, ControlAvailable: isManager, Error: problem }: Swarm = info.swarm;
  const name = "Swarm";
  // https://docs.docker.com/engine/security/rootless/troubleshoot/#known-limitations
  if ((info.security as readonly string[] | null)?.some((option) => option.split(",").includes("name=rootless"))) {
    return {
      name,
      ok: false,
      detail: "this daemon is rootless, and such a one has no overlay networks, on which services find each other",
      cure: `Name one that runs as root: npx pulumi config set docker:host unix:///var/run/docker.sock --stack ${stack}`,
    };
  }
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
interface Node extends SwarmNode {
  readonly Spec: SwarmNode["Spec"] & { readonly Availability: string };
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
      ...placementChecks(usable, needs, files.stack),
      ...roomChecks(usable, needs, others),
      ...imageChecks(usable, needs, files.stack),
    ];
  } catch (error) {
    return [await runCheck("nodes", () => Promise.reject(error))];
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

/** Whether each service has a node, and those that write to one folder have one and the same. */
function placementChecks(nodes: readonly Node[], { services }: DockerNeeds, stack: string): readonly Check[] {
  const name = "placement";
  const cure = `Name one node: npx pulumi config set oneoff:node node.hostname==NAME --stack ${stack}`;
  const placed = services.map((service) => ({ service, on: matching(nodes, service.constraints) }));
  const nowhere = placed.find(({ on }) => on.length === 0);
  if (nodes.length > 0 && nowhere) {
    const { service } = nowhere;
    const wants = service.constraints.join(" and ");
    return [{ name, ok: false, detail: `${service.name} wants ${wants}, and no node that can take work is so`, cure }];
  }
  const writers = placed.filter(({ service }) => service.writes);
  const scattered = writers.find(({ on }) => on.length > 1);
  if (scattered) {
    const wants = scattered.service.constraints.join(" and ") || "no node in particular";
    const detail = `the lake is a folder of one node, and its services want ${wants}, which ${hostnames(scattered.on)} are`;
    return [{ name, ok: false, detail, cure }];
  }
  const [first] = writers;
  if (nodes.length < 2 || !first) return [];
  return [{ name, ok: true, detail: `the lake is a folder of ${hostnames(first.on)}` }];
}

const hostnames = (nodes: readonly Node[]): string => nodes.map(({ Description }) => Description.Hostname).join(", ");

/** What services that are not the stack's hold already. */
async function othersParts(docker: Docker, label: string): Promise<readonly Part[]> {
  interface Service {
    readonly Spec: {
      readonly Name: string;
      readonly Labels?: Readonly<Record<string, string>>;
      readonly Mode: { readonly Replicated?: { readonly Replicas?: number } };
      readonly TaskTemplate: {
        readonly Resources?: { readonly Reservations?: { readonly MemoryBytes?: number } };
        readonly Placement?: { readonly Constraints?: readonly string[] };
      };
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
      cores: 0,
      constraints: TaskTemplate.Placement?.Constraints ?? [],
      writes: false,
    }));
}

function roomChecks(nodes: readonly Node[], needs: DockerNeeds, others: readonly Part[]): readonly Check[] {
  const parts = [...needs.services, ...needs.containers];
  return [memoryCheck(nodes, parts, others), ...coresChecks(nodes, needs.services)];
}

/** All parts must fit on all nodes, those of some nodes on these, and each of them on one. */
function memoryCheck(nodes: readonly Node[], parts: readonly Part[], others: readonly Part[]): Check {
  const cure = "Lower oneoff:workerMemory or oneoff:workers, or add a node.";
  const bytes = ({ memory }: Part) => memory;
  const places = [[], ...parts.map(({ constraints }) => constraints)].map((constraints) => {
    const on = matching(nodes, constraints);
    const isThere = (part: Part) => matching(nodes, part.constraints).every((node) => on.includes(node));
    const asked = sum(parts.filter(isThere), bytes);
    const held = sum(others.filter(isThere), bytes);
    const have = on.length === nodes.length ? "the nodes have" : `${hostnames(on)} ${on.length === 1 ? "has" : "have"}`;
    const who = on.length === nodes.length ? "the stack asks" : `what wants ${constraints.join(" and ")} asks`;
    const taken = whole(held) === whole(0) ? "" : `, of which other services hold ${whole(held)}`;
    const detail = `${who} ${whole(asked)}, ${have} ${whole(memoryOf(on))}${taken}`;
    return { fits: on.length === 0 || asked <= memoryOf(on) - held, detail };
  });
  const full = places.find(({ fits }) => !fits);
  if (full) return { name: "memory", ok: false, detail: full.detail, cure };
  for (const part of [...parts].sort((a, b) => b.memory - a.memory)) {
    const on = matching(nodes, part.constraints);
    const most = Math.max(0, ...on.map((node) => memoryOf([node])));
    if (on.length === 0 || part.memory <= most) continue;
    const which = on.length === nodes.length ? "the largest node" : `the largest of ${hostnames(on)}`;
    const detail = `${part.name} asks ${whole(part.memory)}, and ${which} has ${whole(most)}`;
    return { name: "memory", ok: false, detail, cure };
  }
  return { name: "memory", ok: true, detail: places[0]?.detail ?? "" };
}

/** Nothing reserves cores: where there are too few the tasks take turns. */
function coresChecks(nodes: readonly Node[], services: readonly Part[]): readonly Check[] {
  const workers = services.filter((service) => service.cores > 0);
  const atATime = sum(workers, (part) => part.cores);
  if (atATime === 0) return [];
  const on = nodes.filter((node) => workers.some(({ constraints }) => matching([node], constraints).length > 0));
  const detail = `${atATime} task${atATime === 1 ? "" : "s"} at a time on ${cores(coresOf(on))}`;
  const slow = atATime > coresOf(on) ? ": it works, and takes longer" : "";
  return [{ name: "cores", ok: true, detail: `${detail}${slow}` }];
}

/** The provider doesn't look at what "docker login" wrote, unless it is told of the registry. */
function registryChecks({ config, secret, stack }: StackFiles): readonly Check[] {
  const registry = config["oneoff:registry"];
  if (registry === undefined) return [];
  const known = config["docker:registryAuth"] !== undefined || secret.includes("docker:registryAuth");
  const host = registry.split("/")[0];
  return [
    {
      name: "registry",
      ok: known,
      detail: known
        ? `${registry}, with docker:registryAuth`
        : `oneoff:registry is ${quote(registry)}, and the docker provider pushes only where docker:registryAuth says`,
      cure: `Say so, it takes what "docker login ${host}" wrote: npx pulumi config set --path 'docker:registryAuth[0].address' ${host} --stack ${stack}`,
    },
  ];
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
  return [await runCheck("lake", () => thereCheck(machine, config, given))];
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
