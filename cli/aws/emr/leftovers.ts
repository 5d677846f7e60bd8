import {
  type Cluster,
  type ClusterSummary,
  DeleteSecurityConfigurationCommand,
  DescribeClusterCommand,
  EMRClient,
  ListClustersCommand,
  ListSecurityConfigurationsCommand,
  SetTerminationProtectionCommand,
  TerminateJobFlowsCommand,
} from "@aws-sdk/client-emr";
import { Tag } from "../../../core/tags.ts";
import type { Leftover } from "../../platform.ts";
import { until } from "../../removal.ts";
import { connect, orUndefined, paginate } from "../client.ts";
import { lakeIn, Order, type Sweep } from "../leftovers/sweep.ts";
import { isOver } from "./ending.ts";

/** Clusters that run, and what has no tags. */
export async function emrLeftovers(sweep: Sweep): Promise<readonly Leftover[]> {
  const emr = connect(new EMRClient({ region: sweep.region }));
  const [clusters, configurations] = await Promise.all([clustersOf(emr, sweep), configurationsOf(emr, sweep)]);
  return [...clusters, ...configurations];
}

async function clustersOf(emr: EMRClient, { stack }: Sweep): Promise<readonly Leftover[]> {
  const alive = await paginate<ClusterSummary>(async (Marker) => {
    const page = await emr.send(
      new ListClustersCommand({ ClusterStates: ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"], Marker }),
    );
    return [page.Clusters, page.Marker];
  });
  const described: (Cluster | undefined)[] = [];
  for (const { Id } of alive) described.push(await describe(emr, Id as string)); // EMR takes few requests a second
  return described
    .filter((cluster) => cluster?.Tags?.some(({ Key, Value }) => Key === Tag.stack && Value === stack))
    .map((cluster) => clusterLeftover(emr, cluster as Cluster));
}

const describe = async (emr: EMRClient, id: string): Promise<Cluster | undefined> =>
  (await orUndefined(emr.send(new DescribeClusterCommand({ ClusterId: id }))))?.Cluster;

function clusterLeftover(emr: EMRClient, cluster: Cluster): Leftover {
  const id = cluster.Id as string;
  const since = cluster.Status?.Timeline?.CreationDateTime;
  return {
    kind: "EMR cluster",
    id,
    ...lakeIn(cluster.Tags),
    ...(since && { since }),
    order: Order.machines,
    async remove() {
      const ids = { JobFlowIds: [id] };
      await emr.send(new SetTerminationProtectionCommand({ ...ids, TerminationProtected: false }));
      await emr.send(new TerminateJobFlowsCommand(ids));
      await until(async () => {
        const now = await describe(emr, id);
        return now === undefined || isOver(now);
      });
    },
  };
}

async function configurationsOf(emr: EMRClient, { isOwnName }: Sweep): Promise<readonly Leftover[]> {
  const all = await paginate(async (Marker) => {
    const page = await emr.send(new ListSecurityConfigurationsCommand({ Marker }));
    return [page.SecurityConfigurations, page.Marker];
  });
  return all
    .filter(({ Name }) => isOwnName(Name as string))
    .map(({ Name, CreationDateTime }) => ({
      kind: "EMR security configuration",
      id: Name as string,
      ...(CreationDateTime && { since: CreationDateTime }),
      order: Order.settings,
      async remove() {
        await emr.send(new DeleteSecurityConfigurationCommand({ Name }));
      },
    }));
}
