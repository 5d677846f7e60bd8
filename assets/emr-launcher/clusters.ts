import {
  type Cluster,
  type ClusterState,
  DescribeClusterCommand,
  ListClustersCommand,
  type ListClustersCommandInput,
  SetTerminationProtectionCommand,
  TerminateJobFlowsCommand,
} from "@aws-sdk/client-emr";
import { pause } from "../../core/retry.ts";
import { Tag } from "../../core/tags.ts";
import { type Context, patiently } from "./context.ts";
import type { Guard, Launch } from "./event.ts";

/** A cluster of this stack and lake. */
export interface OwnCluster {
  readonly id: string;
  readonly run: string | undefined;
  readonly created: Date | undefined;
  readonly state: ClusterState | undefined;
}

const UNTIL_ENDED: readonly ClusterState[] = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"];

/** The component's clusters that haven't ended yet. */
export const livingClusters = (context: Context, owner: Guard): Promise<readonly OwnCluster[]> =>
  clustersOf(context, owner, { ClusterStates: [...UNTIL_ENDED] });

/** The first cluster that was rented for a run between two times, in whatever state it is. */
export async function rentedFor(context: Context, launch: Launch, after: Date, before: Date) {
  const clusters = await clustersOf(context, launch, { CreatedAfter: after, CreatedBefore: before });
  const created = (cluster: OwnCluster) => cluster.created?.getTime() ?? 0;
  return clusters.filter(({ run }) => run === launch.run).sort((a, b) => created(a) - created(b))[0];
}

/** EMR can't list by tag, so what it lists for the account has to be described one by one. */
async function clustersOf(
  context: Context,
  owner: Guard,
  filter: ListClustersCommandInput,
): Promise<readonly OwnCluster[]> {
  const ids: string[] = [];
  for (let marker: string | undefined, more = true; more; more = marker !== undefined) {
    const page = await patiently(context, () =>
      context.emr.send(new ListClustersCommand({ ...filter, ...(marker !== undefined && { Marker: marker }) })),
    );
    ids.push(...(page.Clusters ?? []).map(({ Id }) => Id as string));
    marker = page.Marker;
  }
  const found: OwnCluster[] = [];
  for (const id of ids) {
    const cluster = await describe(context, id);
    const tags = new Map((cluster?.Tags ?? []).map(({ Key, Value }) => [Key, Value]));
    if (!isOwn(tags, owner)) continue;
    const { State: state, Timeline } = cluster?.Status ?? {};
    found.push({ id, run: tags.get(Tag.run), created: Timeline?.CreationDateTime, state });
  }
  return found;
}

/** By the lake too: somebody else in the account may have a stack of the same name. */
const isOwn = (tags: ReadonlyMap<string | undefined, string | undefined>, owner: Guard): boolean =>
  tags.get(Tag.stack) === owner.stack && tags.get(Tag.cluster) === owner.cluster && tags.get(Tag.lake) === owner.bucket;

/** Why a cluster ended that never came to its first step; undefined where it did or may still, or nobody knows. */
export async function endedEarly(context: Context, id: string): Promise<string | undefined> {
  const { State, StateChangeReason, Timeline } = (await describe(context, id))?.Status ?? {};
  if (Timeline?.ReadyDateTime || !(State === "TERMINATED" || State === "TERMINATED_WITH_ERRORS")) return undefined;
  return [StateChangeReason?.Code, StateChangeReason?.Message].filter(Boolean).join(": ") || "EMR doesn't say why";
}

async function describe({ emr }: Context, id: string): Promise<Cluster | undefined> {
  return (await emr.send(new DescribeClusterCommand({ ClusterId: id }))).Cluster;
}

/** Asks for the end of a cluster, unless it has ended or is about to. */
export async function askToEnd(context: Context, id: string): Promise<void> {
  const state = (await describe(context, id))?.Status?.State;
  if (state !== "TERMINATING" && UNTIL_ENDED.includes(state as ClusterState)) await terminate(context, [id]);
}

async function terminate({ emr }: Context, JobFlowIds: string[]): Promise<void> {
  await emr.send(new SetTerminationProtectionCommand({ JobFlowIds, TerminationProtected: false }));
  await emr.send(new TerminateJobFlowsCommand({ JobFlowIds }));
}

/**
 * Ends clusters and waits until they have: their security groups and roles can't be taken away before.
 *
 * @throws Error when one takes longer than `limitMs`.
 */
export async function endClusters(context: Context, clusters: readonly OwnCluster[], limitMs: number): Promise<void> {
  const active = clusters.filter(({ state }) => state !== "TERMINATING").map(({ id }) => id);
  for (let at = 0; at < active.length; at += 10) {
    await terminate(context, active.slice(at, at + 10));
  }
  const until = Date.now() + limitMs;
  let left = clusters.map(({ id }) => id);
  while (left.length > 0) {
    const states = await Promise.all(left.map(async (id) => (await describe(context, id))?.Status?.State));
    left = left.filter((_, index) => UNTIL_ENDED.includes(states[index] as ClusterState));
    if (left.length === 0) return;
    if (Date.now() + context.pollMs > until)
      throw new Error(`${left.join(", ")} is still ending: try again in some minutes`);
    await pause(context.pollMs);
  }
}
