import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { Duration } from "../../../core/duration.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { Tag } from "../../../core/tags.ts";
import { applyTransform } from "../../common/transform.ts";
import type { FleetPlan } from "./args.ts";
import { spareWorkers } from "./capacity.ts";
import { GPU_IMAGE, NODE_IMAGE } from "./image.ts";
import { type MachinePlace, machineTags, template, userData } from "./machines.ts";
import type { NodeConfig } from "./node-config.ts";

/**
 * The workers: what keeps nothing, and may be taken away. Where a GPU is asked for the template is another one. Beside their group there
 * is an empty one for those on demand that the reaper has come in the place of spot ones (ADR 22).
 *
 * @returns the group of all workers that there are to be.
 */
export function workerGroup(
  place: MachinePlace,
  config: pulumi.Output<NodeConfig>,
  needs: readonly pulumi.Resource[],
): aws.autoscaling.Group {
  const { workers, gangMinutes, power } = place.plan;
  const from = workerTemplate(place, config);
  // How many are asked for is the reaper's from then on: an `up` after a refresh would wake a fleet that sleeps.
  const options = {
    parent: place.parent,
    dependsOn: [...place.guards, ...needs],
    ignoreChanges: ["desiredCapacity"],
  };
  const spare = spareWorkers(workers);
  if (workers.spot && spare > 0) {
    const tags = waits(Tag.fallback, workers.spot.waitMinutes);
    group(place, "spare", from, { most: spare, wanted: 0, tags }, options);
  }
  const tags = gangMinutes === undefined ? {} : waits(Tag.gang, gangMinutes);
  const wanted = power.power === "off" ? 0 : workers.count;
  return group(place, "workers", from, { most: workers.count, wanted, tags, spot: workers.spot }, options);
}

const waits = (tag: string, minutes: number): Readonly<Record<string, Duration>> => ({ [tag]: `${minutes} minutes` });

function workerTemplate(place: MachinePlace, config: pulumi.Output<NodeConfig>): aws.ec2.LaunchTemplate {
  const { plan, network, roles, images } = place;
  const tags = machineTags(place, NodeRole.worker, "worker");
  const isGpu = plan.gpu.length > 0;
  const what = isGpu ? "gpu-worker" : "worker";
  const image = isGpu ? { ...GPU_IMAGE, id: images.gpu } : { ...NODE_IMAGE, id: images.node };
  return template(place, what, image, {
    iamInstanceProfile: { arn: roles.profiles.worker.arn },
    vpcSecurityGroupIds: [network.nodes.id],
    instanceInitiatedShutdownBehavior: "terminate",
    tagSpecifications: ["volume", "network-interface"].map((resourceType) => ({ resourceType, tags })),
    userData: userData(place, what, config),
  });
}

interface Group {
  readonly most: number;
  readonly wanted: number;
  /** What the reaper is to know of the group itself, and not of its machines. */
  readonly tags: Readonly<Record<string, string>>;
  /** @default on demand */
  readonly spot?: FleetPlan["workers"]["spot"];
}

function group(
  place: MachinePlace,
  what: string,
  from: aws.ec2.LaunchTemplate,
  { most, wanted, tags, spot }: Group,
  options: pulumi.CustomResourceOptions,
): aws.autoscaling.Group {
  const { name, plan, network, transform } = place;
  const tagged = (tags: Readonly<Record<string, string>>, propagateAtLaunch: boolean) =>
    Object.entries(tags).map(([key, value]) => ({ key, value, propagateAtLaunch }));
  const args: aws.autoscaling.GroupArgs = {
    minSize: 0,
    maxSize: most,
    desiredCapacity: wanted,
    vpcZoneIdentifiers: [...network.subnetIds],
    // Our own commands tell what is wrong; the provider would wait for ten minutes and fail.
    waitForCapacityTimeout: "0",
    mixedInstancesPolicy: {
      launchTemplate: {
        launchTemplateSpecification: { launchTemplateId: from.id, version: from.latestVersion.apply(String) },
        overrides: plan.workers.types.map((instanceType) => ({ instanceType })),
      },
      instancesDistribution: {
        onDemandAllocationStrategy: "prioritized",
        onDemandBaseCapacity: spot?.onDemand ?? 0,
        onDemandPercentageAboveBaseCapacity: spot ? 0 : 100,
        spotAllocationStrategy: "price-capacity-optimized",
      },
    },
    // Another template or other types: all workers at once, they keep nothing.
    instanceRefresh: { strategy: "Rolling", preferences: { minHealthyPercentage: 0, skipMatching: true } },
    tags: machineTags(place, NodeRole.worker, "worker").apply((all) => [...tagged(all, true), ...tagged(tags, false)]),
  };
  return new aws.autoscaling.Group(...applyTransform(transform?.group, `${name}-${what}`, args, options));
}
