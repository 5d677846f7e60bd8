import type { RehearsedResource } from "../platform.ts";

/** A service or container that a program asks for, as far as it takes room. */
export interface Part {
  readonly name: string;
  readonly tasks: number;
  /** Of each task, in bytes. */
  readonly memory: number;
  /** What Spark does at a time in each task; nothing is reserved for it. 0 where it is no worker. */
  readonly cores: number;
  /** Which nodes it may be on, such as "node.role==manager": all of them must hold. */
  readonly constraints: readonly string[];
  /** Whether it writes to a folder of its node. */
  readonly writes: boolean;
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

/** What the resources of a program come to. */
export function dockerNeeds(resources: readonly RehearsedResource[]): DockerNeeds {
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
}

/** A service's arguments, as far as they tell where it fits. */
interface ServiceInputs {
  readonly mode?: { readonly replicated?: { readonly replicas?: number } };
  readonly taskSpec?: {
    readonly resources?: { readonly limits?: Amounts; readonly reservation?: Amounts };
    readonly placement?: { readonly constraints?: readonly string[] };
    readonly containerSpec?: {
      readonly env?: Readonly<Record<string, unknown>>;
      readonly mounts?: readonly { readonly type: string; readonly readOnly?: boolean }[];
    };
  };
}

function serviceOf({ name, inputs }: RehearsedResource): Part {
  const { taskSpec, mode } = inputs as ServiceInputs;
  const { limits, reservation } = taskSpec?.resources ?? {};
  const { env, mounts } = taskSpec?.containerSpec ?? {};
  return {
    name,
    tasks: mode?.replicated?.replicas ?? 1,
    memory: reservation?.memoryBytes ?? limits?.memoryBytes ?? 0,
    cores: Number(env?.SPARK_WORKER_CORES ?? 0),
    constraints: taskSpec?.placement?.constraints ?? [],
    writes: (mounts ?? []).some(({ type, readOnly }) => type === "bind" && !readOnly),
  };
}

/** The provider takes a container's memory in MB. */
const containerOf = ({ name, inputs }: RehearsedResource): Part => ({
  name,
  tasks: 1,
  memory: Number(inputs.memory ?? 0) * 2 ** 20,
  cores: 0,
  constraints: [],
  writes: false,
});

/** All tasks together. */
export const sum = (parts: readonly Part[], pick: (part: Part) => number): number =>
  parts.reduce((total, part) => total + part.tasks * pick(part), 0);

/** A node of a Swarm, as far as services are placed by it; as `docker node inspect` says it. */
export interface SwarmNode {
  readonly ID: string;
  readonly Spec: { readonly Role: string; readonly Labels?: Readonly<Record<string, string>> };
  readonly Description: { readonly Hostname: string };
}

/** The nodes for which all placement constraints hold. One that is not known here holds for all. */
export const matching = <T extends SwarmNode>(nodes: readonly T[], constraints: readonly string[]): readonly T[] =>
  nodes.filter((node) => constraints.every((constraint) => holds(constraint, node)));

/** As Swarm compares them: https://github.com/moby/swarmkit/blob/master/manager/constraint/constraint.go */
function holds(constraint: string, node: SwarmNode): boolean {
  const [, key = "", operator, wanted = ""] = /^\s*([^=!\s]+)\s*(==|!=)\s*(.*?)\s*$/.exec(constraint) ?? [];
  const value = attribute(key, node);
  return value === undefined || (value.toLowerCase() === wanted.toLowerCase()) === (operator === "==");
}

/** Undefined for what is not known here; a label that a node doesn't have is empty. */
function attribute(key: string, { ID, Spec, Description }: SwarmNode): string | undefined {
  const label = /^node\.labels\.(.+)$/i.exec(key)?.[1];
  if (label !== undefined) return Spec.Labels?.[label] ?? "";
  switch (key.toLowerCase()) {
    case "node.id":
      return ID;
    case "node.hostname":
      return Description.Hostname;
    case "node.role":
      return Spec.Role;
    default:
      return undefined;
  }
}
