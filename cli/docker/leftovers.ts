import { setTimeout as sleep } from "node:timers/promises";
import { Docker, isInUse, isMissing, NoSwarmError, SwarmError } from "../../clients/docker.ts";
import { OWNER } from "../../core/docker-names.ts";
import type { StackFiles } from "../config.ts";
import type { Leftover } from "../platform.ts";
import { byHand } from "../removal.ts";
import { filterOf } from "./stack.ts";

/** A network is in use until the last container on it has ended, which has two minutes for that. */
const PATIENCE_MS = 150_000;
const PAUSE_MS = 1000;

/** The label with which Docker marks the containers of a service; its value is the service's id. */
const OF_SERVICE = "com.docker.swarm.service.id";

type Labels = Readonly<Record<string, string>> | null;

/** What `docker KIND inspect` says, as far as it is the same for all kinds or tells a name and labels. */
interface Inspected {
  readonly ID?: string;
  readonly Id?: string;
  readonly Name?: string;
  readonly Spec?: { readonly Name: string; readonly Labels?: Labels };
  /** Of a container. */
  readonly Config?: { readonly Labels?: Labels };
  /** Of a volume and a network. */
  readonly Labels?: Labels;
  /** A time; of a container and a network it is called otherwise. */
  readonly CreatedAt?: string;
  readonly Created?: string;
}

interface Kind {
  /** As docker calls it in its commands. */
  readonly kind: string;
  readonly what: string;
  readonly list: readonly string[];
  readonly remove: readonly string[];
  /** What is removed first has the lowest. */
  readonly order: number;
  /** Only a Swarm has it. @default false */
  readonly ofSwarm?: boolean;
}

const KINDS: readonly Kind[] = [
  {
    kind: "service",
    what: "service",
    list: ["service", "ls", "-q"],
    remove: ["service", "rm"],
    order: 0,
    ofSwarm: true,
  },
  {
    kind: "container",
    what: "container",
    list: ["ps", "-a", "-q", "--no-trunc"],
    remove: ["container", "rm", "--force", "--volumes"],
    order: 0,
  },
  { kind: "secret", what: "secret", list: ["secret", "ls", "-q"], remove: ["secret", "rm"], order: 1, ofSwarm: true },
  { kind: "config", what: "config", list: ["config", "ls", "-q"], remove: ["config", "rm"], order: 1, ofSwarm: true },
  { kind: "volume", what: "volume", list: ["volume", "ls", "-q"], remove: ["volume", "rm"], order: 1 },
  {
    kind: "network",
    what: "network",
    list: ["network", "ls", "-q", "--no-trunc"],
    remove: ["network", "rm"],
    order: 1,
  },
];

/**
 * What is left of a stack in Docker, found by its label; another label says whether it is this stack's, and not one's with
 * the same value. Containers and volumes are those of the node that is asked.
 */
export async function findDockerLeftovers(files: StackFiles): Promise<readonly Leftover[]> {
  const docker = new Docker(files.config);
  const filter = filterOf(files);
  const tasks = await liveTasks(docker, filter);
  const found = await Promise.all(KINDS.map((kind) => leftoversOf(docker, kind, files, tasks)));
  return found.flat().sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

/** Whose something is that has the label's value of a stack, which others can have too. */
export function ownerOf(
  labels: Readonly<Record<string, string>>,
  { project, stack }: Pick<StackFiles, "project" | "stack">,
): "own" | "another" | "unsure" {
  const owner = labels[OWNER];
  if (owner === undefined) return "unsure";
  return owner === `${project}/${stack}` ? "own" : "another";
}

/** What goes with the services that are there. */
interface LiveTasks {
  readonly containers: readonly string[];
  /** Names. */
  readonly volumes: readonly string[];
}

async function liveTasks(docker: Docker, filter: readonly string[]): Promise<LiveTasks> {
  interface Row {
    readonly ID: string;
    /** As "a=b,c=d". */
    readonly Labels: string;
    /** Names of volumes and paths of the node, with commas between them. */
    readonly Mounts: string;
  }
  const rows = await docker.list<Row>("ps", "-a", "--no-trunc", ...filter, "--filter", `label=${OF_SERVICE}`);
  const services = rows.length > 0 ? await serviceIds(docker) : [];
  const serviceOf = ({ Labels }: Row) =>
    Labels.split(",")
      .find((label) => label.startsWith(`${OF_SERVICE}=`))
      ?.slice(OF_SERVICE.length + 1) ?? "";
  const live = rows.filter((row) => services === undefined || services.some((id) => serviceOf(row).startsWith(id)));
  return { containers: live.map(({ ID }) => ID), volumes: live.flatMap(({ Mounts }) => Mounts.split(",")) };
}

/** The beginnings of the ids of all services; undefined where the daemon can't tell, as a Swarm's worker can't. */
async function serviceIds(docker: Docker): Promise<readonly string[] | undefined> {
  try {
    return words(await docker.text("service", "ls", "-q"));
  } catch (error) {
    if (error instanceof NoSwarmError) return [];
    if (error instanceof SwarmError) return undefined;
    throw error;
  }
}

const words = (text: string): readonly string[] => text.split(/\s+/).filter((word) => word !== "");

async function leftoversOf(
  docker: Docker,
  kind: Kind,
  files: StackFiles,
  tasks: LiveTasks,
): Promise<readonly Leftover[]> {
  const goes = { container: tasks.containers, volume: tasks.volumes }[kind.kind] ?? [];
  const ids = (await idsOf(docker, kind, filterOf(files))).filter((id) => !goes.includes(id));
  const things = await Promise.all(ids.map((id) => inspect(docker, kind, id)));
  return things.flatMap((thing) => {
    if (!thing) return [];
    const owner = ownerOf((thing.Spec ?? thing.Config ?? thing).Labels ?? {}, files);
    if (owner === "another") return [];
    const id = thing.Spec?.Name ?? thing.Name?.replace(/^\//, "") ?? "";
    const since = thing.CreatedAt ?? thing.Created;
    return {
      kind: kind.what,
      id,
      ...(since !== undefined && { since: new Date(since) }),
      order: kind.order,
      ...(owner === "unsure" && { unsure: byHand(["docker", ...kind.remove, id].join(" ")) }),
      remove: () => remove(docker, kind, thing.ID ?? thing.Id ?? id),
    };
  });
}

/** A thing, or undefined where it has gone meanwhile. */
async function inspect(docker: Docker, { kind }: Kind, id: string): Promise<Inspected | undefined> {
  try {
    return (await docker.inspect<Inspected>(kind, [id]))[0];
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function idsOf(docker: Docker, { list, ofSwarm }: Kind, filter: readonly string[]): Promise<readonly string[]> {
  try {
    return words(await docker.text(...list, ...filter));
  } catch (error) {
    if (ofSwarm && error instanceof SwarmError) return []; // without a Swarm there is none of it
    throw error;
  }
}

/** Also waits until it is gone: Docker says that a network is removed a little before, and a service long before. */
async function remove(docker: Docker, kind: Kind, id: string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; ; await sleep(PAUSE_MS)) {
    try {
      await docker.text(...kind.remove, id);
    } catch (error) {
      if (!isMissing(error) && !(isInUse(error) && Date.now() < end)) throw error;
    }
    if (Date.now() >= end || !((await inspect(docker, kind, id)) || (await hasTasks(docker, kind, id)))) return;
  }
}

/** Whether containers of a service are still there, on the node that is asked. */
async function hasTasks(docker: Docker, { kind }: Kind, id: string): Promise<boolean> {
  return (
    kind === "service" && words(await docker.text("ps", "-a", "-q", "--filter", `label=${OF_SERVICE}=${id}`)).length > 0
  );
}
