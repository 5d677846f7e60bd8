import {
  type Cluster,
  type ClusterSummary,
  DescribeClusterCommand,
  type EMRClient,
  ListClustersCommand,
  SetTerminationProtectionCommand,
  TerminateJobFlowsCommand,
} from "@aws-sdk/client-emr";
import type { Claim } from "../../../assets/emr-launcher/claims.ts";
import type { Launched } from "../../../assets/emr-launcher/event.ts";
import { readJson } from "../../../clients/lake/read.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { quote, UsageError } from "../../../core/errors.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { pause } from "../../../core/retry.ts";
import { Tag } from "../../../core/tags.ts";
import { orUndefined, paginate } from "../client.ts";
import { isEnding, isOver } from "./ending.ts";

/** Where a run's machines are looked for, and whose they have to be. */
export interface Machinery {
  readonly emr: EMRClient;
  readonly lake: LakeStore;
  /** Value of tag `oneoff:stack`. */
  readonly stack: string;
  /** Between two looks, in milliseconds. */
  readonly pollMs: number;
}

const MINUTE = 60_000;
/** EMR takes some minutes to end a cluster. */
const PATIENCE_MS = 20 * MINUTE;

/**
 * Ends the cluster of a run that was asked to be cancelled, and waits until it has ended. Where there is none yet, its
 * launcher is waited for: that rents nothing any more once it has seen the request.
 */
export async function cancelOnEmr(place: Machinery, run: string, say: (line: string) => void): Promise<void> {
  for (;;) {
    const entry = await launchEntry(place.lake, run);
    if (!entry) return;
    if ("cluster" in entry) return endCluster(place, run, entry.cluster, say);
    if (!isHeld(entry)) return endLost(place, run, entry, say);
    say(
      `run ${run} is being launched: its launcher rents nothing any more, or says what it has rented by ${entry.until}`,
    );
    await pause(place.pollMs);
  }
}

/** What is known of a run's launch: its cluster, or who is about to rent that; undefined when nobody has begun. */
export const launchEntry = async (lake: LakeStore, run: string): Promise<Launched | Claim | undefined> =>
  (await readJson(lake, `${Prefix.launches}/${run}.json`)) as Launched | Claim | undefined;

/** Clocks differ: this is some time longer than the holder of a claim thinks. */
export const isHeld = ({ until }: Claim): boolean => Date.parse(until) + MINUTE / 2 > Date.now();

/** What was rented under a claim whose holder died before it could say so. */
async function endLost(place: Machinery, run: string, { claimed }: Claim, say: (line: string) => void): Promise<void> {
  const CreatedAfter = new Date(Date.parse(claimed) - 5 * MINUTE);
  const alive = await paginate<ClusterSummary>(async (Marker) => {
    const page = await place.emr.send(new ListClustersCommand({ ClusterStates: [...ALIVE], CreatedAfter, Marker }));
    return [page.Clusters, page.Marker];
  });
  for (const { Id: id = "" } of alive) {
    const cluster = await describe(place.emr, id);
    if (cluster && foreign(place, run, cluster) === undefined) await endCluster(place, run, id, say);
  }
}

const ALIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"] as const;

/** @throws UsageError when it isn't the run's, or doesn't end. */
async function endCluster(place: Machinery, run: string, id: string, say: (line: string) => void): Promise<void> {
  let wasAsked = false;
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await pause(place.pollMs)) {
    let cluster = await describe(place.emr, id);
    if (cluster && !isEnding(cluster) && !wasAsked) {
      const why = foreign(place, run, cluster);
      if (why !== undefined) throw new UsageError(`cluster ${id} of run ${run} is not ended: ${why}`);
      await terminate(place.emr, id);
      wasAsked = true;
      cluster = await describe(place.emr, id);
    }
    if (!cluster || isOver(cluster)) return;
    say(`cluster ${id} is ending: ${cluster.Status?.State}`);
  }
  throw new UsageError(`cluster ${id} of run ${run} has not ended after 20 minutes: give the command again`);
}

async function terminate(emr: EMRClient, id: string): Promise<void> {
  const ids = { JobFlowIds: [id] };
  try {
    await emr.send(new SetTerminationProtectionCommand({ ...ids, TerminationProtected: false }));
    await emr.send(new TerminateJobFlowsCommand(ids));
  } catch (error) {
    const cluster = await describe(emr, id);
    if (cluster && !isEnding(cluster)) throw error; // else somebody else was faster
  }
}

/** Why a cluster isn't the run's own: the lake may say what it likes. */
function foreign({ stack, lake }: Machinery, run: string, { Tags = [] }: Cluster): string | undefined {
  const tags = new Map(Tags.map(({ Key, Value }) => [Key, Value]));
  const own = { [Tag.stack]: stack, [Tag.lake]: lake.address.split("/")[2], [Tag.run]: run };
  const other = Object.entries(own).find(([tag, value]) => tags.get(tag) !== value);
  if (!other) return undefined;
  const [tag, value] = other;
  return `its tag ${tag} is ${quote(tags.get(tag) ?? "")}, and this stack's is ${quote(value)}`;
}

const describe = async (emr: EMRClient, id: string): Promise<Cluster | undefined> =>
  (await orUndefined(emr.send(new DescribeClusterCommand({ ClusterId: id }))))?.Cluster;
