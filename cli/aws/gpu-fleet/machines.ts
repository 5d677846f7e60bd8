/** A fleet's machines as EC2 and Auto Scaling have them: those that say by three tags that they are this fleet's, and no others. */
import {
  type Activity,
  AutoScalingClient,
  type AutoScalingGroup,
  DescribeAutoScalingGroupsCommand,
  DescribeScalingActivitiesCommand,
} from "@aws-sdk/client-auto-scaling";
import { DescribeInstancesCommand, EC2Client, type Instance } from "@aws-sdk/client-ec2";
import { NodeRole } from "../../../core/node-role.ts";
import { Tag } from "../../../core/tags.ts";
import { connect, paginate } from "../client.ts";
import type { AwsTag } from "../leftovers/sweep.ts";

/** Which fleet is meant: of whom, where its lake is, and what it is called there. */
export interface FleetIdentity {
  readonly region: string;
  /** "oneoff/gpu-fleet": project and stack. */
  readonly stack: string;
  /** Name of the lake's bucket. */
  readonly bucket: string;
  /** Name of the component. */
  readonly fleet: string;
}

/** One of the fleet's, there or stopped. */
export interface Machine {
  readonly id: string;
  readonly role: NodeRole;
  /** Value of its tag Name. */
  readonly name?: string | undefined;
  /** Instance type. */
  readonly type: string;
  readonly zone: string;
  /** As EC2 calls it: "running". */
  readonly state: string;
  readonly started: Date;
  /** When it was made: it may have been stopped meanwhile. */
  readonly made: Date;
  /** Address and name within the fleet's network. */
  readonly addresses: readonly string[];
}

/** States in which a machine runs nothing, and won't by itself. */
export const GONE: readonly string[] = ["stopping", "stopped", "shutting-down"];

/** What workers are of. */
export interface WorkerGroup {
  readonly name: string;
  readonly desired: number;
  /** How many there are of them, or are being launched. */
  readonly there: number;
  /** How many there may be: of the workers' own group, when the fleet is awake. */
  readonly most: number;
  readonly made: Date;
  /** Of a gang: how long it may take until all are there, "10 minutes". */
  readonly gang?: string | undefined;
  /** Of those on demand in the place of spot ones: how long these are waited for. */
  readonly fallback?: string | undefined;
}

/** A group, and what Auto Scaling did last about it. */
export interface SeenGroup extends WorkerGroup {
  readonly activities: readonly Activity[];
}

/** A fleet's two groups of workers. */
export interface WorkerGroups<Group = WorkerGroup> {
  /** @default it has none, or none yet */
  readonly group?: Group | undefined;
  /** Those on demand in the place of spot ones. @default it has no such fallback */
  readonly spare?: Group | undefined;
}

/** What the two services have of a fleet. */
export interface FleetMachines extends WorkerGroups<SeenGroup> {
  readonly machines: readonly Machine[];
}

/** So many of the last activities are looked at: an attempt a minute, in each of some zones. */
const ACTIVITIES = 50;

/** The clients that a fleet is asked by. */
export class FleetCloud {
  readonly #identity: FleetIdentity;
  readonly ec2: EC2Client;
  readonly scaling: AutoScalingClient;

  constructor(identity: FleetIdentity) {
    this.#identity = identity;
    this.ec2 = connect(new EC2Client({ region: identity.region, maxAttempts: 4 }));
    this.scaling = connect(new AutoScalingClient({ region: identity.region, maxAttempts: 4 }));
  }

  async all(): Promise<FleetMachines> {
    const [machines, { group, spare }] = await Promise.all([this.machines(), this.groups()]);
    const see = async (group: WorkerGroup | undefined) =>
      group && { ...group, activities: await this.#activities(group) };
    return { machines, group: await see(group), spare: await see(spare) };
  }

  /** Those that are there or stopped, by their roles. */
  async machines(): Promise<readonly Machine[]> {
    const Filters = this.#filters();
    const found = await paginate(async (NextToken) => {
      const page = await this.ec2.send(new DescribeInstancesCommand({ Filters, NextToken }));
      return [page.Reservations?.flatMap(({ Instances }) => Instances ?? []), page.NextToken];
    });
    return found
      .filter(({ Tags, State }) => this.#isOwn(Tags) && State?.Name !== "terminated")
      .flatMap((instance) => machineOf(instance) ?? [])
      .sort(
        (a, b) => ROLES.indexOf(a.role) - ROLES.indexOf(b.role) || nameOf(a).localeCompare(nameOf(b), "en", NUMERIC),
      );
  }

  async groups(): Promise<WorkerGroups> {
    const Filters = this.#filters();
    const found = await paginate<AutoScalingGroup>(async (NextToken) => {
      const page = await this.scaling.send(new DescribeAutoScalingGroupsCommand({ Filters, NextToken }));
      return [page.AutoScalingGroups, page.NextToken];
    });
    const groups = found.filter(({ Tags, Status }) => Status === undefined && this.#isOwn(Tags)).map(groupOf);
    return {
      group: groups.find(({ fallback }) => fallback === undefined),
      spare: groups.find(({ fallback }) => fallback !== undefined),
    };
  }

  async #activities({ name }: WorkerGroup): Promise<readonly Activity[]> {
    const page = new DescribeScalingActivitiesCommand({ AutoScalingGroupName: name, MaxRecords: ACTIVITIES });
    return (await this.scaling.send(page)).Activities ?? [];
  }

  #tags(): readonly (readonly [key: string, value: string])[] {
    const { stack, bucket, fleet } = this.#identity;
    return [
      [Tag.stack, stack],
      [Tag.lake, bucket],
      [Tag.cluster, fleet],
    ];
  }

  #filters() {
    return this.#tags().map(([key, value]) => ({ Name: `tag:${key}`, Values: [value] }));
  }

  /** A filter's value may stand for others, and a tag's means itself. */
  #isOwn(tags: readonly AwsTag[] | undefined): boolean {
    return this.#tags().every(([key, value]) => tags?.some(({ Key, Value }) => Key === key && Value === value));
  }
}

function groupOf({ Tags, Instances = [], ...group }: AutoScalingGroup): WorkerGroup {
  const tag = (key: string) => Tags?.find(({ Key }) => Key === key)?.Value;
  return {
    name: group.AutoScalingGroupName as string,
    desired: group.DesiredCapacity ?? 0,
    there: Instances.filter(({ LifecycleState = "" }) => /^(Pending|InService)/.test(LifecycleState)).length,
    most: group.MaxSize ?? 0,
    made: group.CreatedTime as Date,
    gang: tag(Tag.gang),
    fallback: tag(Tag.fallback),
  };
}

const ROLES = Object.values(NodeRole);
const NUMERIC = { numeric: true } as const;
const nameOf = ({ name, id }: Machine): string => name ?? id;

/** What isn't one of a fleet's nodes, such as a dashboard's machine, is left out. */
function machineOf(instance: Instance): Machine | undefined {
  const tag = (key: string) => instance.Tags?.find(({ Key }) => Key === key)?.Value;
  const role = ROLES.find((role) => role === tag(Tag.role));
  const { InstanceId: id, LaunchTime: started } = instance;
  if (role === undefined || id === undefined || started === undefined) return undefined;
  const attached = instance.BlockDeviceMappings?.flatMap(({ Ebs }) => Ebs?.AttachTime ?? []) ?? [];
  return {
    id,
    role,
    name: tag("Name"),
    type: instance.InstanceType ?? "",
    zone: instance.Placement?.AvailabilityZone ?? "",
    state: instance.State?.Name ?? "",
    started,
    made: new Date(Math.min(...[started, ...attached].map(Number))),
    addresses: [instance.PrivateIpAddress, instance.PrivateDnsName].filter((address) => address !== undefined),
  };
}
