import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { fleetKeys } from "../../../core/fleet-lake.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { Tag } from "../../../core/tags.ts";
import { stackTags } from "../../common/naming.ts";
import { applyTransform, type Transform } from "../../common/transform.ts";
import type { S3Lake } from "../lake.ts";
import type { FleetPlan } from "./args.ts";
import { NAMES_GIBIBYTES } from "./bill.ts";
import { NODE_IMAGE } from "./image.ts";
import type { FleetNetwork } from "./network.ts";
import { DATA_DEVICE, loader, type NodeConfig, partsOf, sha256 } from "./node-config.ts";
import type { FleetRoles } from "./roles.ts";
import type { FleetSoftware } from "./software.ts";

/** Changes machines and what they are made of just before they are made. */
export interface MachineTransforms {
  readonly instance?: Transform<aws.ec2.InstanceArgs>;
  readonly launchTemplate?: Transform<aws.ec2.LaunchTemplateArgs>;
  readonly group?: Transform<aws.autoscaling.GroupArgs>;
}

/** What all machines of a fleet share. */
export interface MachinePlace {
  /** The component's. */
  readonly name: string;
  readonly plan: FleetPlan;
  readonly lake: S3Lake;
  readonly network: FleetNetwork;
  readonly roles: FleetRoles;
  readonly software: FleetSoftware;
  /** AMI ids in the place of the newest ones. */
  readonly images: { readonly node?: string | undefined; readonly gpu?: string | undefined };
  /** Tags by which whatever of it costs ends. */
  readonly tags: pulumi.Output<Record<string, string>>;
  /** What ends whatever of it costs. */
  readonly ends: readonly pulumi.Resource[];
  /** What must be there before a machine: those, and what it starts by. */
  readonly guards: readonly pulumi.Resource[];
  readonly transform: MachineTransforms | undefined;
  readonly parent: pulumi.Resource;
}

/** A machine that stays: its address and its disk outlive it, so that another one takes its place with both. */
export interface Standing {
  /** "head", "data-1". */
  readonly node: string;
  readonly role: typeof NodeRole.head | typeof NodeRole.data;
  readonly card: aws.ec2.NetworkInterface;
  readonly volume: aws.ebs.Volume;
}

export const machineTags = (
  { tags }: MachinePlace,
  role: NodeRole,
  node: string,
): pulumi.Output<Record<string, string>> =>
  tags.apply(
    (tags): Record<string, string> => ({
      ...tags,
      [Tag.role]: role,
      Name: `${pulumi.getStack()}-${node}`,
    }),
  );

/** Where a machine is to stand: all of HDFS in one zone, or each block would be paid for on its way. */
export function standing(place: MachinePlace, node: string, role: Standing["role"]): Standing {
  const { name, plan, network, ends, parent } = place;
  const tags = machineTags(place, role, node);
  const card = new aws.ec2.NetworkInterface(
    `${name}-${node}-card`,
    { subnetId: network.subnetIds[0] as pulumi.Input<string>, securityGroups: [network.nodes.id], tags },
    { parent },
  );
  const volume = new aws.ebs.Volume(
    `${name}-${node}-disk`,
    {
      availabilityZone: network.zones[0] as pulumi.Input<string>,
      size: role === NodeRole.head ? NAMES_GIBIBYTES : plan.hdfs.diskGibibytes,
      type: "gp3",
      encrypted: true,
      tags,
    },
    { parent, dependsOn: [...ends] },
  );
  return { node, role, card, volume };
}

/** What instances of one kind begin with. */
export function template(
  place: MachinePlace,
  what: string,
  image: { readonly id?: string | undefined; readonly parameter: string; readonly rootGibibytes: number },
  more: aws.ec2.LaunchTemplateArgs,
): aws.ec2.LaunchTemplate {
  const args: aws.ec2.LaunchTemplateArgs = {
    // By a parameter of AWS's, so that a new release of it changes nothing that is there.
    imageId: image.id ?? `resolve:ssm:${image.parameter}`,
    metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1 },
    blockDeviceMappings: [
      {
        deviceName: "/dev/xvda",
        ebs: { volumeType: "gp3", volumeSize: image.rootGibibytes, encrypted: "true", deleteOnTermination: "true" },
      },
    ],
    updateDefaultVersion: true,
    ...more,
    tags: stackTags(),
  };
  return new aws.ec2.LaunchTemplate(
    ...applyTransform(place.transform?.launchTemplate, `${place.name}-${what}-template`, args, {
      parent: place.parent,
    }),
  );
}

/** What the namenode and the data nodes begin with. */
export function standingTemplate(place: MachinePlace): aws.ec2.LaunchTemplate {
  const tagSpecifications = [{ resourceType: "volume", tags: place.tags }];
  const image = { ...NODE_IMAGE, id: place.images.node };
  return template(place, "node", image, { instanceType: place.plan.nodes, tagSpecifications });
}

/** A machine with its address and its disk. */
export function standingMachine(
  place: MachinePlace,
  { node, role, card, volume }: Standing,
  from: aws.ec2.LaunchTemplate,
  config: pulumi.Output<NodeConfig>,
  needs: readonly pulumi.Resource[],
): readonly pulumi.Resource[] {
  const { name, roles, parent, guards, transform } = place;
  const args: aws.ec2.InstanceArgs = {
    launchTemplate: { id: from.id, version: from.latestVersion.apply(String) },
    iamInstanceProfile: roles.profiles[role].name,
    primaryNetworkInterface: { networkInterfaceId: card.id },
    userDataBase64: userData(place, node, config),
    // What it is told differs: another one takes its place, over the same disk.
    userDataReplaceOnChange: true,
    tags: machineTags(place, role, node),
  };
  // After its disk, and so deleted before it: EC2 deletes none that is in use.
  const options = { parent, dependsOn: [...guards, ...needs, volume], deleteBeforeReplace: true };
  const instance = new aws.ec2.Instance(...applyTransform(transform?.instance, `${name}-${node}`, args, options));
  const attachment = new aws.ec2.VolumeAttachment(
    `${name}-${node}-attachment`,
    // A file system that is in use is not torn away: the machine is stopped first.
    { instanceId: instance.id, volumeId: volume.id, deviceName: DATA_DEVICE, stopInstanceBeforeDetaching: true },
    // Who deletes the machine detaches it; to stop one that the reaper has ended would fail.
    { parent, deleteBeforeReplace: true, deletedWith: instance },
  );
  return [instance, attachment];
}

/** What a machine starts by: a few lines that bring the rest, each by its hash. */
export function userData(place: MachinePlace, node: string, config: pulumi.Output<NodeConfig>): pulumi.Output<string> {
  const { name, lake, software, parent } = place;
  const installed = config.apply(({ role }) => software.manifests[role]);
  const keys = fleetKeys(name);
  const content = config.apply((config) => JSON.stringify(config));
  const digest = content.apply(sha256);
  const object = new aws.s3.BucketObjectv2(
    `${name}-${node}-config`,
    { bucket: lake.bucket, key: digest.apply(keys.config), content, tags: stackTags() },
    // Machines of a group begin with an earlier one until all are told anew.
    { parent, retainOnDelete: true },
  );
  return pulumi
    .all([object.key, digest, lake.bucket, lake.region, installed, config.apply(partsOf)])
    .apply(([config, configDigest, bucket, region, manifest, parts]) => {
      const { key: installer, sha256: installerDigest } = software.loader;
      const text = loader({
        parts,
        bucket,
        region,
        boot: keys.boot,
        config,
        configDigest,
        installer,
        installerDigest,
        manifest,
      });
      return Buffer.from(text).toString("base64");
    });
}
