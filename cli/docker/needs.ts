import type { Asked } from "../rehearse.ts";

/** A service or container that a program asks for, as far as it takes room. */
export interface Part {
  readonly name: string;
  readonly tasks: number;
  /** Of each task, in bytes. */
  readonly memory: number;
  /** Of each task. */
  readonly cores: number;
}

/** What a stack wants of Docker. */
export interface DockerNeeds {
  readonly services: readonly Part[];
  readonly containers: readonly Part[];
  /** On 127.0.0.1 of the machine that has the daemon. */
  readonly ports: readonly number[];
  /** Whether images are built, and pushed where all nodes can have them. */
  readonly images: { readonly built: boolean; readonly pushed: boolean };
  /** Folder of the lake. @default it is no folder, or not made by the stack */
  readonly folder?: string;
}

/** Whether a program has anything to do with Docker. */
export const wantsDocker = (resources: readonly Asked[]): boolean =>
  resources.some(({ type }) => type.startsWith("docker:"));

/** What the resources of a program come to. */
export function dockerNeeds(resources: readonly Asked[]): DockerNeeds {
  const of = (type: string) => resources.filter((resource) => resource.type === type);
  const containers = of("docker:index/container:Container");
  const folder = of("oneoff-local:index:Folder")[0]?.inputs.path;
  return {
    services: of("docker:index/service:Service").map(serviceOf),
    containers: containers.map(containerOf),
    ports: containers.flatMap(({ inputs }) =>
      ((inputs.ports ?? []) as readonly Port[]).map(({ external }) => external ?? 0),
    ),
    images: {
      built: of("docker:index/remoteImage:RemoteImage").some(({ inputs }) => inputs.build !== undefined),
      pushed: of("docker:index/registryImage:RegistryImage").length > 0,
    },
    ...(typeof folder === "string" && { folder }),
  };
}

interface Port {
  readonly external?: number;
}

interface Amounts {
  readonly memoryBytes?: number;
  readonly nanoCpus?: number;
}

function serviceOf({ name, inputs }: Asked): Part {
  const { taskSpec, mode } = inputs as {
    readonly taskSpec?: { readonly resources?: { readonly limits?: Amounts; readonly reservation?: Amounts } };
    readonly mode?: { readonly replicated?: { readonly replicas?: number } };
  };
  const { limits, reservation } = taskSpec?.resources ?? {};
  return {
    name,
    tasks: mode?.replicated?.replicas ?? 1,
    memory: reservation?.memoryBytes ?? limits?.memoryBytes ?? 0,
    cores: (reservation?.nanoCpus ?? limits?.nanoCpus ?? 0) / 1e9,
  };
}

/** The provider takes a container's memory in MB. */
const containerOf = ({ name, inputs }: Asked): Part => ({
  name,
  tasks: 1,
  memory: Number(inputs.memory ?? 0) * 2 ** 20,
  cores: 0,
});

/** All tasks together. */
export const sum = (parts: readonly Part[], pick: (part: Part) => number): number =>
  parts.reduce((total, part) => total + part.tasks * pick(part), 0);

/** The part of which one task takes the most. */
export const largest = (parts: readonly Part[], pick: (part: Part) => number): Part | undefined =>
  [...parts].sort((a, b) => pick(b) - pick(a))[0];
