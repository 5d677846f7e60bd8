import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { applyTransform, type Transform } from "../common/transform.ts";
import type { SwarmPlan } from "./args.ts";
import { labels, type SwarmFile } from "./files.ts";

/** One service of a cluster. */
export interface ServicePart {
  /** Its name on the cluster's network, and the end of its name in the Swarm. */
  readonly role: string;
  /** @default `role` */
  readonly serviceName?: string;
  readonly image: pulumi.Input<string>;
  /** What the image's entrypoint is given. @default what the image says */
  readonly args?: readonly string[];
  /** @default none */
  readonly env?: Readonly<Record<string, pulumi.Input<string>>>;
  /** It is ended when it takes more, and the scheduler finds room for as much. */
  readonly memoryMebibytes: number;
  /** @default 1 */
  readonly replicas?: number;
  /** @default none */
  readonly secrets?: readonly SwarmFile[];
  /** @default none */
  readonly configs?: readonly SwarmFile[];
  /** Paths of its node that are mounted at the same place; they say on which nodes it can be. @default none: on any */
  readonly binds?: readonly Bind[];
  /** Folders on disks of their own, which end with the task. @default none */
  readonly scratch?: readonly string[];
  /** Command that exits with 0 once the service can be used. @default it can when it has started */
  readonly health?: readonly string[];
  /** User and group. @default the image's */
  readonly user?: string;
  /** Whether it runs once and ends. @default false: it is started again whenever it ends */
  readonly once?: boolean;
}

export interface Bind {
  readonly path: string;
  readonly readOnly: boolean;
  /** Placement constraint of the nodes that have the path. */
  readonly on: string;
}

/** What all services of a cluster share. */
export interface ServicePlace {
  /** The component's. */
  readonly name: string;
  readonly plan: Pick<SwarmPlan, "prefix">;
  readonly network: docker.Network;
  /** What makes the folders that are mounted. */
  readonly needs: readonly pulumi.Resource[];
  readonly transform: Transform<docker.ServiceArgs> | undefined;
  readonly parent: pulumi.Resource;
}

/** A service of a cluster: what it is, and what became of it. */
export interface Service {
  readonly part: ServicePart;
  readonly resource: docker.Service;
}

/**
 * A service that publishes no port and is found by its tasks' own addresses: Swarm's virtual ones drop connections that
 * rest for 15 minutes (moby#31208), as those of Spark and MongoDB do.
 *
 * What the provider reads back is given in full, because what is left out would be changed at each `up`.
 */
export function service(place: ServicePlace, part: ServicePart, opts: pulumi.CustomResourceOptions = {}): Service {
  const { name, plan, network, needs, transform, parent } = place;
  const { role, serviceName = role, binds = [], replicas = 1 } = part;
  const bytes = part.memoryMebibytes * 2 ** 20;
  const args: docker.ServiceArgs = {
    name: `${plan.prefix}-${serviceName}`,
    labels: labels(plan.prefix),
    mode: { replicated: { replicas } },
    endpointSpec: { mode: "dnsrr" },
    taskSpec: {
      containerSpec: containerSpec(part, plan.prefix),
      networksAdvanceds: [{ id: network.id, aliases: [role] }],
      // No cores: Spark shares them out, and a machine with fewer than it is told only takes longer.
      resources: { limits: { memoryBytes: bytes }, reservation: { memoryBytes: bytes } },
      restartPolicy: { condition: part.once ? "none" : "any", delay: "2s", window: "0s", maxAttempts: 0 },
      ...(binds.length > 0 && { placement: { constraints: [...new Set(binds.map(({ on }) => on))] } }),
    },
  };
  const options = pulumi.mergeOptions(
    { parent, ignoreChanges: ["taskSpec.placement.platforms"], dependsOn: binds.length > 0 ? [...needs] : [] },
    opts,
  );
  return { part, resource: new docker.Service(...applyTransform(transform, `${name}-${serviceName}`, args, options)) };
}

function containerSpec(part: ServicePart, prefix: string): docker.types.input.ServiceTaskSpecContainerSpec {
  const { args, env, health, user, secrets = [], configs = [], binds = [], scratch = [] } = part;
  const mounts = [
    ...binds.map(({ path, readOnly }) => ({ type: "bind", source: path, target: path, readOnly })),
    // Without options, labels among them: with any, Docker makes a second volume that nobody uses (moby#31492).
    ...scratch.map((target) => ({ type: "volume", target })),
  ];
  return {
    image: part.image,
    ...(args && { args: [...args] }),
    ...(env && { env }),
    ...(user && { user }),
    labels: labels(prefix),
    capDrops: ["ALL"],
    ...(mounts.length > 0 && { mounts }),
    ...(secrets.length > 0 && {
      secrets: secrets.map((file) => ({ secretId: file.id, secretName: file.name, ...placed(file, part) })),
    }),
    ...(configs.length > 0 && {
      configs: configs.map((file) => ({ configId: file.id, configName: file.name, ...placed(file, part) })),
    }),
    // Within it a deleted service's containers must be gone, or the network could not be deleted.
    stopGracePeriod: "2m",
    ...(health && {
      healthcheck: {
        tests: ["CMD", ...health],
        interval: "5s",
        timeout: "10s",
        startPeriod: "2m",
        retries: 6,
      },
    }),
  };
}

/** Where a secret or config lies; only the service's own user can read it. */
const placed = ({ path }: SwarmFile, { user }: ServicePart) => {
  const [uid, gid] = user?.split(":") ?? [];
  return user
    ? { fileName: path, fileUid: uid as string, fileGid: gid as string, fileMode: 0o400 }
    : { fileName: path, fileUid: "0", fileGid: "0", fileMode: 0o444 };
};
