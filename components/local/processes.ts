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

/** A service whose image is the name of {@link Software}. */
export type LocalService = Service<pulumi.Input<string>> & { readonly image: string };

/** What stands for an image on this machine. */
export interface Software {
  /** Absolute path of the folder with `entrypoint` and whatever else the image has in /opt/oneoff. */
  readonly folder: string;
  /** Where the rest of it is. @default none */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessPlace {
  /** Absolute path of the lake's folder, in which the processes live. */
  readonly lake: string;
  /** First of the ports that they listen on: one after another, in the order of the services. */
  readonly port: number;
  /** By image. */
  readonly software: Readonly<Record<string, Software>>;
}

/** A group of services as processes. */
export interface Processes {
  readonly processes: readonly ProcessArgs[];
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
 *
 * Mounts are where they are, and whose processes they are is who runs Pulumi. Nothing holds them to their memory.
 *
 * @throws UsageError for an image that is not among the software, for a service that ends by itself, and for ports beyond the
 * last.
 */
export function renderProcesses(services: readonly LocalService[], place: ProcessPlace): Processes {
  const instances = instancesOf(services, place.port);
  const firsts = services.map(({ name }) => instances.find(({ service }) => service.name === name) as Instance);
  const group = Object.assign({ ONEOFF_ADDRESS: ADDRESS }, ...firsts.map(whereabouts));
  const pages = firsts.flatMap(({ service, ports }) =>
    (service.pages ?? []).map(({ name, listen, path = "/" }) => [name, `http://${ADDRESS}:${ports[listen]}${path}`]),
  );
  return {
    processes: instances.map((instance) => processOf(instance, place, { ...group, ...whereabouts(instance) })),
    pages: Object.fromEntries(pages),
  };
}

/** One replica of a service, and its ports by name. */
interface Instance {
  readonly name: string;
  readonly service: LocalService;
  readonly ports: Readonly<Record<string, number>>;
}

function instancesOf(services: readonly LocalService[], port: number): readonly Instance[] {
  const count = services.reduce(
    (sum, { listens = {}, replicas = 1 }) => sum + replicas * Object.keys(listens).length,
    0,
  );
  let next = firstPort("port", port, count);
  return services.flatMap((service) =>
    Array.from({ length: service.replicas ?? 1 }, (_, index) => ({
      name: index === 0 ? service.name : `${service.name}-${index + 1}`,
      service,
      ports: Object.fromEntries(Object.keys(service.listens ?? {}).map((listen) => [listen, next++])),
    })),
  );
}

/** What tells others where one is. */
function whereabouts({ service, ports }: Instance): Readonly<Record<string, string>> {
  const variable = (...words: readonly string[]) => ["oneoff", ...words].join("_").replaceAll("-", "_").toUpperCase();
  const listens = Object.entries(ports).map(([listen, port]) => [variable(service.name, listen), String(port)]);
  return { [variable(service.name)]: ADDRESS, ...Object.fromEntries(listens) };
}

function processOf(
  { name, service, ports }: Instance,
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
    env: { ...env, ...found.env, ...service.env },
    files,
    disks,
    ports: Object.values(ports),
    ...(health && { health: health.map(local) }),
  };
}
