import {
  type Cluster,
  DescribeClusterCommand,
  EMRClient,
  ListInstancesCommand,
  type ListInstancesCommandInput,
  type Instance as Node,
} from "@aws-sdk/client-emr";
import { readText } from "../../../clients/lake/read.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { UsageError } from "../../../core/errors.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import type { Page, Route, StackContext } from "../../platform.ts";
import { connect, orUndefined } from "../client.ts";
import { dashboardRoute } from "../dashboard.ts";
import { regionOf } from "../region.ts";
import { type InstancePage, routeThroughSsm } from "../route.ts";
import { isEnding } from "./ending.ts";
import type { EmrOutputs } from "./outputs.ts";

/** Where to look at a stack: nothing has an open port, so the commands that lead there. */
export const pagesOf = ({ name }: StackContext, { dashboardInstance }: EmrOutputs): readonly Page[] =>
  dashboardInstance === undefined
    ? []
    : [{ name: "dashboard", title: "Dashboard", address: `npx --no oneoff open ${name}` }];

/** @throws UsageError when the cluster has ended, or has no such page. */
export async function routeTo(stack: StackContext, outputs: EmrOutputs, lake: LakeStore, name: string): Promise<Route> {
  if (name === "dashboard") return dashboardRoute(stack, outputs);
  return routeThroughSsm(await clusterPage(stack, outputs, lake, name as keyof typeof PAGES));
}

/**
 * With encryption in transit Spark's history speaks TLS, and its plain port leads there; YARN does by EMR's release:
 * https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-encryption-support-matrix.html
 */
const PAGES = {
  spark: { title: "Spark's history", addresses: [{ port: 18480, scheme: "https" }] },
  yarn: {
    title: "YARN",
    addresses: [
      { port: 8090, scheme: "https" },
      { port: 8088, scheme: "http" },
    ],
  },
  jupyter: { title: "JupyterLab", addresses: [{ port: 8888, scheme: "http" }] },
} as const satisfies Readonly<Record<string, Pick<InstancePage, "title" | "addresses">>>;

/** Hadoop's pages may listen on their node's private address alone; JupyterLab is put on loopback, and nowhere else. */
function addressesOf(name: keyof typeof PAGES, host: string | undefined): InstancePage["addresses"] {
  const [first, ...others]: InstancePage["addresses"] = PAGES[name].addresses;
  const elsewhere = host === undefined || name === "jupyter" ? [] : [first, ...others];
  return [first, ...others, ...elsewhere.map((address) => ({ ...address, host }))];
}

async function clusterPage(
  stack: StackContext,
  outputs: EmrOutputs,
  lake: LakeStore,
  name: keyof typeof PAGES,
): Promise<InstancePage> {
  if (outputs.clusterId === "") {
    throw new UsageError(
      `run ${outputs.run} has no cluster: it was cancelled before there was one; "npx --no oneoff run ${stack.name}" starts another`,
    );
  }
  const id = String(outputs.clusterId);
  if (name === "jupyter" && outputs.keepAlive !== true) {
    throw new UsageError(
      `--ui is "jupyter", and JupyterLab is only on clusters that are kept alive: set keepAlive and start another run with "npx --no oneoff run ${stack.name}"`,
    );
  }
  const region = regionOf(stack);
  const emr = connect(new EMRClient({ region }));
  const clusterNow = async (): Promise<Cluster> => {
    const cluster = (await orUndefined(emr.send(new DescribeClusterCommand({ ClusterId: id }))))?.Cluster;
    if (cluster && !isEnding(cluster)) return cluster;
    throw new UsageError(
      `cluster ${id} has ended, and its own pages with it: its logs are in ${outputs.lake}/${Prefix.logs}/emr/${id}/, and the dashboard is still there: "npx --no oneoff open ${stack.name}"`,
    );
  };
  const node = await primaryNode(emr, await clusterNow());
  if (!node?.Ec2InstanceId)
    throw new UsageError(`cluster ${id} is still starting and has no primary node yet: try again in some minutes`);
  return {
    title: PAGES[name].title,
    region,
    instance: node.Ec2InstanceId,
    addresses: addressesOf(name, node.PrivateDnsName || node.PrivateIpAddress),
    probe: "/",
    state: async () => `the cluster is ${(await clusterNow()).Status?.State?.toLowerCase()}`,
    ...(name === "jupyter" && (await withToken(lake, outputs.run))),
  };
}

async function primaryNode(emr: EMRClient, cluster: Cluster): Promise<Node | undefined> {
  const primary: Partial<ListInstancesCommandInput> =
    cluster.InstanceCollectionType === "INSTANCE_FLEET"
      ? { InstanceFleetType: "MASTER" }
      : { InstanceGroupTypes: ["MASTER"] };
  const { Instances: instances = [] } = await emr.send(new ListInstancesCommand({ ClusterId: cluster.Id, ...primary }));
  return instances.find(({ Status }) => Status?.State !== "TERMINATED");
}

/** The token goes to the browser alone: what is printed is often kept, and seen by others. */
async function withToken(lake: LakeStore, run: string): Promise<Pick<InstancePage, "notes" | "browse">> {
  const key = `_jupyter/${run}`;
  const token = (await readText(lake, key))?.trim();
  if (!token)
    throw new UsageError(
      "JupyterLab is not up yet: it starts once the cluster's steps have; try again in some minutes",
    );
  return {
    notes: [`The browser gets its token; "aws s3 cp ${lake.address}/${key} -" shows it.`],
    browse: (url) => `${url}/lab?token=${encodeURIComponent(token)}`,
  };
}
