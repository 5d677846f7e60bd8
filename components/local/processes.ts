import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import { firstPort } from "../../core/checks.ts";
import { quote, UsageError } from "../../core/errors.ts";
import type { Service } from "../../core/service.ts";
import type { ProcessArgs } from "./process.ts";

/** The address of all that listens on this machine. */
const ADDRESS = "127.0.0.1";

/** Where an image has what is its own. */
const OWN = "/opt/oneoff/";

/**
 * How many ports lie between those of a replica and the next one's, which have the same place in theirs: a replica more, or a
 * service more at the end of a group, moves nobody's.
 */
const PORTS_APART = 16;

/** How many ports a group needs whose largest service has so many replicas. */
export const portsOf = (replicas: number): number => replicas * PORTS_APART;

/** A service whose image is the name of {@link Software}. One of no replicas keeps the place of its ports. */
export type LocalService = Service<pulumi.Input<string>> & { readonly image: string };

/** What stands for an image on this machine. */
export interface Software {
  /** Absolute path of the folder with `entrypoint` and whatever else the image has in /opt/oneoff. */
  readonly folder: string;
  /** Where the rest of it is. @default none */
  readonly env?: Readonly<Record<string, pulumi.Input<string>>>;
}

export interface ProcessPlace {
  /** Absolute path of the lake's folder, in which the processes live. */
  readonly lake: string;
  /** First of the ports that they listen on: one after another in the order of the services, those of second replicas 16 later. */
  readonly port: number;
  /** By image. */
  readonly software: Readonly<Record<string, Software>>;
}

/** A group of services as processes. */
export interface Processes {
  readonly processes: readonly ProcessArgs[];
  /** Where each listens, "127.0.0.1:7101", by its name and the port's. */
  readonly address: (process: string, listen: string) => string;
  /** Address of each page. */
  readonly pages: Readonly<Record<string, string>>;
}

/**
 * Renders a group of services as processes on this machine, one per replica. What is elsewhere than in a container they are
 * told by their environment:
 *
 * - ONEOFF_ROOT: the folder that stands for /, with the service's files and disks
 * - ONEOFF_ADDRESS: where to listen
 * - ONEOFF_NAMENODE, ONEOFF_NAMENODE_HTTP: host of the service "namenode", and its port "http"; to a replica its own
 * - ONEOFF_REPLICA: which of the service's replicas it is, from 1
 *
 * Mounts are where they are, and whose processes they are is who runs Pulumi. Nothing holds them to their memory.
 *
 * @throws UsageError for an image that is not among the software, for a service that ends by itself, and for ports beyond the
 * last.
 */
export function renderProcesses(services: readonly LocalService[], place: ProcessPlace): Processes {
  const instances = instancesOf(services, place.port);
  const firsts = instances.filter(({ replica }) => replica === 1);
  const group = Object.assign({ ONEOFF_ADDRESS: ADDRESS }, ...firsts.filter(isForOthers).map(whereabouts));
  const pages = firsts.flatMap(({ service, ports }) =>
    (service.pages ?? []).map(({ name, listen, path = "/" }) => [name, `http://${ADDRESS}:${ports[listen]}${path}`]),
  );
  return {
    processes: instances.map((instance) => processOf(instance, place, { ...group, ...whereabouts(instance) })),
    address: (process, listen) => {
      const found = instances.find(({ name }) => name === process);
      return `${ADDRESS}:${found?.ports[listen]}`;
    },
    pages: Object.fromEntries(pages),
  };
}

/** One replica of a service, and its ports by name. */
interface Instance {
  readonly name: string;
  /** From 1. */
  readonly replica: number;
  readonly service: LocalService;
  readonly ports: Readonly<Record<string, number>>;
}

/** What only shows pages none of the others asks: whether it is there must be nothing to them. */
const isForOthers = ({ service: { listens = {}, pages = [] } }: Instance): boolean =>
  Object.keys(listens).some((listen) => !pages.some((page) => page.listen === listen));

function instancesOf(services: readonly LocalService[], port: number): readonly Instance[] {
  const listens = services.flatMap((service) =>
    Object.keys(service.listens ?? {}).map((listen) => ({ service, listen })),
  );
  if (listens.length > PORTS_APART) throw new Error(`a group listens on ${listens.length} ports, of ${PORTS_APART}`);
  const replicas = Math.max(1, ...services.map(({ replicas = 1 }) => replicas));
  const first = firstPort("port", port, portsOf(replicas));
  const placed = listens.map((one, place) => ({ ...one, port: first + place }));
  return services.flatMap((service) =>
    Array.from({ length: service.replicas ?? 1 }, (_, index) => {
      const own = placed.filter((one) => one.service === service);
      return {
        name: index === 0 ? service.name : `${service.name}-${index + 1}`,
        replica: index + 1,
        service,
        ports: Object.fromEntries(own.map(({ listen, port }) => [listen, port + index * PORTS_APART])),
      };
    }),
  );
}

/** What tells others where one is. */
function whereabouts({ service, ports }: Pick<Instance, "service" | "ports">): Readonly<Record<string, string>> {
  const variable = (...words: readonly string[]) => ["oneoff", ...words].join("_").replaceAll("-", "_").toUpperCase();
  const listens = Object.entries(ports).map(([listen, port]) => [variable(service.name, listen), String(port)]);
  return { [variable(service.name)]: ADDRESS, ...Object.fromEntries(listens) };
}

function processOf(
  { name, replica, service, ports }: Instance,
  { lake, software }: ProcessPlace,
  env: Readonly<Record<string, string>>,
): ProcessArgs {
  const { image, command = [], files = [], disks = [], health } = service;
  if (service.once) throw new UsageError(`service ${quote(name)} runs once: a process here is one that stays`);
  const found = software[image];
  if (!found) {
    throw new UsageError(
      `service ${quote(name)} is made of ${quote(image)}, which is not on this machine: give its folder in software`,
    );
  }
  const local = (word: string) => (word.startsWith(OWN) ? join(found.folder, word.slice(OWN.length)) : word);
  return {
    name,
    lake,
    command: [join(found.folder, "entrypoint"), ...command],
    env: { ...env, ONEOFF_REPLICA: String(replica), ...found.env, ...service.env },
    files,
    disks,
    ports: Object.values(ports),
    memoryMebibytes: service.memoryMebibytes,
    ...(health && { health: health.map(local) }),
  };
}
