import {
  type Cluster,
  type ClusterSummary,
  DeleteSecurityConfigurationCommand,
  DescribeClusterCommand,
  DescribeSecurityConfigurationCommand,
  EMRClient,
  ListClustersCommand,
  ListSecurityConfigurationsCommand,
  SetTerminationProtectionCommand,
  TerminateJobFlowsCommand,
} from "@aws-sdk/client-emr";
import { Tag } from "../../../core/tags.ts";
import type { Leftover } from "../../platform.ts";
import { byHand, until } from "../../removal.ts";
import { connect, orUndefined, paginate } from "../client.ts";
import { lakeIn, Order, ownersByDigits, ownersOf, type Sweep } from "../leftovers/sweep.ts";
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

/** Security configurations have no tags: the key of the disks that one names has, and the bucket of the certificate. */
async function configurationsOf(emr: EMRClient, sweep: Sweep): Promise<readonly Leftover[]> {
  const all = await paginate(async (Marker) => {
    const page = await emr.send(new ListSecurityConfigurationsCommand({ Marker }));
    return [page.SecurityConfigurations, page.Marker];
  });
  const found = await Promise.all(
    all
      .filter(({ Name }) => sweep.claim(Name as string, [sweep.stack])) // by its name alone
      .map(async ({ Name = "", CreationDateTime }) => {
        const claim = sweep.claim(Name, await configurationOwners(emr, sweep, Name));
        return claim && configurationLeftover(emr, sweep, Name, CreationDateTime, claim === "unsure");
      }),
  );
  return found.filter((item) => item !== undefined);
}

async function configurationOwners(emr: EMRClient, sweep: Sweep, Name: string): Promise<readonly string[]> {
  const answer = await orUndefined(emr.send(new DescribeSecurityConfigurationCommand({ Name })));
  const text = answer?.SecurityConfiguration ?? "";
  const key = /"AwsKmsKey":\s*"([^"]+)"/.exec(text)?.[1] ?? "";
  const bucket = /"S3Object":\s*"s3:\/\/([^/"]+)/.exec(text)?.[1];
  for (const arns of [
    [key],
    bucket ? ["aws", "aws-cn", "aws-us-gov"].map((part) => `arn:${part}:s3:::${bucket}`) : [],
  ]) {
    const owners = ownersOf(sweep, arns);
    if (owners.length > 0) return owners;
  }
  return ownersByDigits(sweep, Name);
}

const configurationLeftover = (
  emr: EMRClient,
  { region }: Sweep,
  Name: string,
  since: Date | undefined,
  isUnsure: boolean,
): Leftover => ({
  kind: "EMR security configuration",
  id: Name,
  ...(since && { since }),
  order: Order.settings,
  ...(isUnsure && { unsure: byHand(`aws emr delete-security-configuration --name ${Name} --region ${region}`) }),
  async remove() {
    await emr.send(new DeleteSecurityConfigurationCommand({ Name }));
  },
});
