import { setTimeout as sleep } from "node:timers/promises";
import { Docker, isInUse, isMissing, SwarmError } from "../../assets/docker/docker.ts";
import { stackFiles } from "../config.ts";
import type { Leftover } from "../leftovers.ts";
import { filterOf } from "./stack.ts";

/** A network is in use until the last container on it has ended, which has a minute for that. */
const PATIENCE_MS = 90_000;
const PAUSE_MS = 1000;

/** What `docker KIND inspect` says, as far as it is the same for all kinds or tells a name. */
interface Found {
  readonly ID?: string;
  readonly Id?: string;
  readonly Name?: string;
  readonly Spec?: { readonly Name: string };
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

/** What is left of a stack in Docker, found by its label. Containers and volumes are those of the node that is asked. */
export async function findDockerLeftovers(stack: string): Promise<readonly Leftover[]> {
  const files = stackFiles(stack);
  const docker = new Docker(files.config);
  const found = await Promise.all(KINDS.map((kind) => leftoversOf(docker, kind, filterOf(files))));
  return found.flat().sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1));
}

async function leftoversOf(docker: Docker, kind: Kind, filter: readonly string[]): Promise<readonly Leftover[]> {
  const ids = await idsOf(docker, kind, filter);
  const things = await Promise.all(ids.map((id) => inspect(docker, kind, id)));
  return things.flatMap((thing) => {
    if (!thing) return [];
    const id = thing.Spec?.Name ?? thing.Name?.replace(/^\//, "") ?? "";
    const since = thing.CreatedAt ?? thing.Created;
    return {
      kind: kind.what,
      id,
      ...(since !== undefined && { since: new Date(since) }),
      order: kind.order,
      remove: () => remove(docker, kind, thing.ID ?? thing.Id ?? id),
    };
  });
}

/** A thing, or undefined where it has gone meanwhile. */
async function inspect(docker: Docker, { kind }: Kind, id: string): Promise<Found | undefined> {
  try {
    return (await docker.inspect<Found>(kind, [id]))[0];
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function idsOf(
  docker: Docker,
  { list, kind, ofSwarm }: Kind,
  filter: readonly string[],
): Promise<readonly string[]> {
  const ids = (text: string) => text.split("\n").filter((id) => id !== "");
  try {
    const all = ids(await docker.text(...list, ...filter));
    if (kind !== "container") return all; // one of a service goes with it
    const ofServices = ids(await docker.text(...list, "--filter", "label=com.docker.swarm.service.id"));
    return all.filter((id) => !ofServices.includes(id));
  } catch (error) {
    if (ofSwarm && error instanceof SwarmError) return []; // without a Swarm there is none of it
    throw error;
  }
}

/** Also waits until it is gone: Docker says that a network is removed a little before. */
async function remove(docker: Docker, kind: Kind, id: string): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS; ; await sleep(PAUSE_MS)) {
    try {
      await docker.text(...kind.remove, id);
    } catch (error) {
      if (!isMissing(error) && !(isInUse(error) && Date.now() < end)) throw error;
    }
    if (Date.now() >= end || !(await inspect(docker, kind, id))) return;
  }
}
