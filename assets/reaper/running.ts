import { type AutoScalingClient, paginateDescribeAutoScalingGroups } from "@aws-sdk/client-auto-scaling";
import {
  type EC2Client,
  type Instance,
  paginateDescribeInstances,
  paginateDescribeVolumes,
  paginateDescribeVpcEndpoints,
} from "@aws-sdk/client-ec2";
import { type ClusterSummary, DescribeClusterCommand, type EMRClient, paginateListClusters } from "@aws-sdk/client-emr";
import { Tag } from "../../core/tags.ts";
import type { Candidate, Kind } from "./overdue.ts";

/** Everything of a kind that runs and may be the stack's; what can't be told is in `failures`. */
export interface CandidateList {
  readonly candidates: Candidate[];
  readonly failures: { readonly id: string; readonly error: unknown }[];
}

/** EMR clusters of the account that aren't ending yet: EMR can't list by tag, so each has to be described. */
export async function clusters(client: EMRClient): Promise<CandidateList> {
  const active: ClusterSummary[] = [];
  const states = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"] as const;
  for await (const page of paginateListClusters({ client }, { ClusterStates: [...states] })) {
    active.push(...(page.Clusters ?? []));
  }
  const found: CandidateList = { candidates: [], failures: [] };
  const pending = active.values();
  const describeRest = async () => {
    for (const summary of pending) {
      const id = summary.Id as string;
      try {
        const { Cluster } = await client.send(new DescribeClusterCommand({ ClusterId: id }));
        const created = Cluster?.Status?.Timeline?.CreationDateTime ?? summary.Status?.Timeline?.CreationDateTime;
        add(found, "cluster", id, created, Cluster?.Tags);
      } catch (error) {
        found.failures.push({ id, error });
      }
    }
  };
  // EMR allows few calls a second; the SDK waits and tries again when it is told so.
  await Promise.all(Array.from({ length: 4 }, describeRest));
  return found;
}

/** Auto Scaling groups with the stack's tag that aren't being deleted yet. */
export async function groups(client: AutoScalingClient, stack: string): Promise<CandidateList> {
  const found: CandidateList = { candidates: [], failures: [] };
  const query = { Filters: [{ Name: `tag:${Tag.stack}`, Values: [stack] }] };
  for await (const page of paginateDescribeAutoScalingGroups({ client }, query)) {
    for (const group of page.AutoScalingGroups ?? []) {
      if (group.Status !== undefined) continue; // set only while it is being deleted
      const { DesiredCapacity: wanted = 0, MaxSize: most = 0, Instances = [] } = group;
      const there = Instances.filter(({ LifecycleState = "" }) => /^(Pending|InService)/.test(LifecycleState)).length;
      const more = { wanted, most, there };
      add(found, "group", group.AutoScalingGroupName as string, group.CreatedTime, group.Tags, more);
    }
  }
  return found;
}

/** Instances with the stack's tag that aren't ending yet; stopped ones too, their disks cost money. */
export async function instances(client: EC2Client, stack: string): Promise<CandidateList> {
  const found: CandidateList = { candidates: [], failures: [] };
  const query = {
    Filters: [
      { Name: `tag:${Tag.stack}`, Values: [stack] },
      { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] },
    ],
  };
  for await (const page of paginateDescribeInstances({ client }, query)) {
    for (const instance of (page.Reservations ?? []).flatMap((reservation) => reservation.Instances ?? [])) {
      const state = instance.State?.Name;
      const isOn = state === "pending" || state === "running";
      const more = isOn && instance.LaunchTime ? { started: instance.LaunchTime } : { stopped: state === "stopped" };
      add(found, "instance", instance.InstanceId as string, firstSeen(instance), instance.Tags, more);
    }
  }
  return found;
}

/** What belongs to the stack's fleets. */
const ofFleets = (stack: string) => ({
  Filters: [
    { Name: `tag:${Tag.stack}`, Values: [stack] },
    { Name: "tag-key", Values: [Tag.role] },
  ],
});

/** Endpoints of the stack's fleets, which cost by the hour whoever uses them. */
export async function endpoints(client: EC2Client, stack: string): Promise<CandidateList> {
  const found: CandidateList = { candidates: [], failures: [] };
  for await (const page of paginateDescribeVpcEndpoints({ client }, ofFleets(stack))) {
    for (const { VpcEndpointId, State, CreationTimestamp, Tags } of page.VpcEndpoints ?? []) {
      if (/^delet/i.test(State ?? "")) continue; // the API's words are "deleting" and "Deleting", by its age
      add(found, "endpoint", VpcEndpointId as string, CreationTimestamp, Tags);
    }
  }
  return found;
}

/** Volumes of the stack's fleets. Those of anything else go with their instance. */
export async function volumes(client: EC2Client, stack: string): Promise<CandidateList> {
  const found: CandidateList = { candidates: [], failures: [] };
  for await (const page of paginateDescribeVolumes({ client }, ofFleets(stack))) {
    for (const { VolumeId, State, CreateTime, Tags } of page.Volumes ?? []) {
      if (State === "deleting" || State === "deleted") continue;
      const inUse = State === "in-use" || State === "creating";
      add(found, "volume", VolumeId as string, CreateTime, Tags, { inUse });
    }
  }
  return found;
}

/** `LaunchTime` starts anew when an instance is stopped and started; when its disk and its network came doesn't. */
function firstSeen(instance: Instance): Date | undefined {
  const times = [
    instance.LaunchTime,
    ...(instance.BlockDeviceMappings ?? []).map((mapping) => mapping.Ebs?.AttachTime),
    ...(instance.NetworkInterfaces ?? []).map((card) => card.Attachment?.AttachTime),
  ].filter((time) => time !== undefined);
  return times.sort((a, b) => a.getTime() - b.getTime())[0];
}

type AwsTags = readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[];

function add(
  found: CandidateList,
  kind: Kind,
  id: string,
  created: Date | undefined,
  tags: AwsTags = [],
  more: Pick<Candidate, "started" | "stopped" | "wanted" | "most" | "there" | "inUse"> = {},
): void {
  if (created) {
    const record = Object.fromEntries(tags.map(({ Key = "", Value = "" }) => [Key, Value]));
    found.candidates.push({ kind, id, created, tags: record, ...more });
  } else {
    found.failures.push({ id, error: new Error("AWS does not say when it was created") });
  }
}
