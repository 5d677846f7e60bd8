import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { Mount, Service } from "../../core/service.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import { labels, SECRETS, type SwarmFile, type SwarmServiceFile } from "./files.ts";

/** A service of a cluster, as data; some of it may be known later. */
export type SwarmService = Service<pulumi.Input<string>>;

/** What all services of a cluster share. */
export interface ServicePlace {
  /** The component's. */
  readonly name: string;
  readonly prefix: string;
  readonly network: docker.Network;
  /** What makes their files. */
  readonly file: (file: SwarmServiceFile) => SwarmFile;
  /** Placement constraint of the nodes that have what is mounted. */
  readonly nodeOf: (mount: Mount) => string;
  /** Placement constraint of the node that has the volumes of services that stay: where Docker is asked. */
  readonly keptOn: string;
  /** What makes the folders that are mounted. */
  readonly needs: readonly pulumi.Resource[];
  readonly transform: Transform<docker.ServiceArgs> | undefined;
  readonly parent: pulumi.Resource;
}

/**
 * Renders a service as one of the Swarm. It publishes no port and is found by its tasks' own addresses: Swarm's virtual ones
 * drop connections that rest for 15 minutes (moby#31208), as those of Spark and MongoDB do.
 *
 * What the provider reads back is given in full, because what is left out would be changed at each `up`.
 *
 * @param swarmName end of its name in the Swarm.
 */
export function swarmService(
  place: ServicePlace,
  service: SwarmService,
  opts: pulumi.CustomResourceOptions = {},
  swarmName = service.name,
): docker.Service {
  const { name, prefix, network, nodeOf, keptOn, needs, transform, parent } = place;
  const { mounts = [], replicas = 1, stays } = service;
  const constraints = [...new Set([...mounts.map(nodeOf), ...(stays && service.disks ? [keptOn] : [])])];
  const bytes = service.memoryMebibytes * 2 ** 20;
  const args: docker.ServiceArgs = {
    name: `${prefix}-${swarmName}`,
    labels: labels(prefix),
    mode: { replicated: { replicas } },
    endpointSpec: { mode: "dnsrr" },
    taskSpec: {
      containerSpec: containerSpec(place, service),
      networksAdvanceds: [{ id: network.id, aliases: [service.name] }],
      // No cores: Spark shares them out, and a machine with fewer than it is told only takes longer.
      resources: { limits: { memoryBytes: bytes }, reservation: { memoryBytes: bytes } },
      restartPolicy: { condition: service.once ? "none" : "any", delay: "2s", window: "0s", maxAttempts: 0 },
      ...(constraints.length > 0 && { placement: { constraints } }),
    },
  };
  const options = pulumi.mergeOptions(
    {
      parent,
      // Containers' labels are a part of the tasks, which a change starts anew; the service's own are not.
      ignoreChanges: ["taskSpec.placement.platforms", "taskSpec.containerSpec.labels"],
      dependsOn: mounts.length > 0 ? [...needs] : [],
    },
    opts,
  );
  return new docker.Service(...applyTransform(transform, `${name}-${swarmName}`, args, options));
}

function containerSpec(place: ServicePlace, service: SwarmService): docker.types.input.ServiceTaskSpecContainerSpec {
  const { prefix, file } = place;
  const { image, command, env, user, health, files = [], mounts = [], stays } = service;
  const volumes = [
    ...mounts.map(({ path, readOnly }) => ({ type: "bind", source: path, target: path, readOnly })),
    ...disksOf(place, service),
  ];
  const made = files.map((one) => ({ ...file(one), isSecret: one.isSecret, place: placed(one, service) }));
  const secrets = made.filter(({ isSecret }) => isSecret);
  const configs = made.filter(({ isSecret }) => !isSecret);
  return {
    image,
    ...(command && { args: [...command] }),
    ...(env && { env }),
    ...(user && { user }),
    // Docker's DNS leads to a task once it is healthy, and its own /etc/hosts at once.
    ...(stays && { hostname: service.name }),
    labels: labels(prefix),
    capDrops: ["ALL"],
    ...(volumes.length > 0 && { mounts: volumes }),
    ...(secrets.length > 0 && {
      secrets: secrets.map(({ id, name, place }) => ({ secretId: id, secretName: name, ...place })),
    }),
    ...(configs.length > 0 && {
      configs: configs.map(({ id, name, place }) => ({ configId: id, configName: name, ...place })),
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

/**
 * Disks as volumes: of a service that stays each has a name, and is the stack's; others go with their task, on whichever node.
 * They are mounted without options, labels among them: with any, Docker makes a second volume that nobody uses (moby#31492).
 */
function disksOf(
  { name, prefix, parent }: ServicePlace,
  { name: service, disks = [], stays }: SwarmService,
): docker.types.input.ServiceTaskSpecContainerSpecMount[] {
  return disks.map((target) => {
    if (!stays) return { type: "volume", target };
    const end = `${service}${target.replaceAll("/", "-")}`;
    const volume = new docker.Volume(
      `${name}-${end}-volume`,
      { name: `${prefix}-${end}`, labels: labels(prefix) },
      // What lies in it would go with it.
      { parent, ignoreChanges: ["labels"] },
    );
    return { type: "volume", target, source: volume.name };
  });
}

/** Where a secret or config lies; only the service's own user can read it. */
function placed({ path }: SwarmServiceFile, { user }: SwarmService) {
  const fileName = path.startsWith(SECRETS) ? path.slice(SECRETS.length) : path;
  const [uid, gid] = user?.split(":") ?? [];
  return user
    ? { fileName, fileUid: uid as string, fileGid: gid as string, fileMode: 0o400 }
    : { fileName, fileUid: "0", fileGid: "0", fileMode: 0o444 };
}
