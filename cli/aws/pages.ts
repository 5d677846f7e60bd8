import { DescribeInstancesCommand, EC2Client, type Instance } from "@aws-sdk/client-ec2";
import {
  type Cluster,
  DescribeClusterCommand,
  EMRClient,
  ListInstancesCommand,
  type ListInstancesCommandInput,
  type Instance as Node,
} from "@aws-sdk/client-emr";
import { type Duration, formatDuration, seconds } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { Tag } from "../../core/tags.ts";
import { EmrPage } from "../options.ts";
import type { Outputs } from "../platform.ts";
import { Bucket } from "./bucket.ts";
import { connect, orUndefined } from "./client.ts";
import { isEnding } from "./emr/ending.ts";

/** Where a page is, as its instance knows it. */
export interface PageAddress {
  readonly port: number;
  readonly scheme: "http" | "https";
  /** @default the instance's own loopback */
  readonly host?: string | undefined;
}

/** A page that an instance serves. */
export interface Page {
  /** Such as "Dashboard". */
  readonly what: string;
  readonly region: string;
  /** Id of the EC2 instance. */
  readonly instance: string;
  /** Where it may be, to be tried in this order. */
  readonly places: readonly [PageAddress, ...PageAddress[]];
  /** Path that answers when the page is there. */
  readonly probe: string;
  /** Path to open in the browser. */
  readonly path: string;
  /**
   * What the instance is at, in words.
   * @throws UsageError when it will never answer.
   */
  readonly state: () => Promise<string>;
}

export function dashboardPage(stack: string, outputs: Outputs, region: string): Page {
  const instance = outputs.dashboardInstance;
  if (typeof instance !== "string")
    throw new UsageError(`stack ${stack} has no dashboard: its output "dashboardInstance" is not set`);
  const ec2 = connect(new EC2Client({ region }));
  return {
    what: "Dashboard",
    region,
    instance,
    places: [{ port: 8765, scheme: "http" }],
    probe: "/api/identity",
    path: "",
    state: async () => instanceState(stack, instance, await findInstance(ec2, instance), outputs.dashboardDeadline),
  };
}

async function findInstance(ec2: EC2Client, id: string): Promise<Instance | undefined> {
  const found = await orUndefined(ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] })));
  return found?.Reservations?.[0]?.Instances?.[0];
}

function instanceState(stack: string, id: string, instance: Instance | undefined, deadline: unknown): string {
  const state = instance?.State?.Name;
  if (!instance || state === "terminated" || state === "shutting-down") {
    const tag = instance?.Tags?.find(({ Key }) => Key === Tag.deadline)?.Value ?? deadline;
    const age = instance?.LaunchTime ? (Date.now() - instance.LaunchTime.getTime()) / 1000 : undefined;
    const limit = typeof tag === "string" ? spanOf(tag) : undefined;
    const why =
      limit !== undefined && (age === undefined || age >= limit)
        ? `terminated at its deadline of ${formatDuration(limit)}`
        : "terminated";
    throw new UsageError(
      `the dashboard's instance ${id} was ${why}: "npx pulumi up --refresh --stack ${stack}" makes another, and the results are still in the lake`,
    );
  }
  if (state === "stopped" || state === "stopping") {
    throw new UsageError(
      `the dashboard's instance ${id} is stopped: start it with "aws ec2 start-instances --instance-ids ${id}"`,
    );
  }
  return `the instance is ${state === "pending" ? "starting" : state}`;
}

function spanOf(text: string): number | undefined {
  try {
    return seconds(text as Duration);
  } catch {
    return undefined;
  }
}

/**
 * With encryption in transit Spark's history speaks TLS, and its plain port leads there; YARN does by EMR's release:
 * https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-encryption-support-matrix.html
 */
const PAGES = {
  [EmrPage.spark]: { what: "Spark's history", places: [{ port: 18480, scheme: "https" }] },
  [EmrPage.yarn]: {
    what: "YARN",
    places: [
      { port: 8090, scheme: "https" },
      { port: 8088, scheme: "http" },
    ],
  },
  [EmrPage.jupyter]: { what: "JupyterLab", places: [{ port: 8888, scheme: "http" }] },
} as const satisfies Readonly<Record<EmrPage, { readonly what: string; readonly places: Page["places"] }>>;

/** Hadoop's pages may listen on their node's private address alone; JupyterLab is put on loopback, and nowhere else. */
function placesOf(ui: EmrPage, host: string | undefined): Page["places"] {
  const [first, ...others]: Page["places"] = PAGES[ui].places;
  const elsewhere = host === undefined || ui === EmrPage.jupyter ? [] : [first, ...others];
  return [first, ...others, ...elsewhere.map((place) => ({ ...place, host }))];
}

/** @throws UsageError when the cluster has ended, or has no such page. */
export async function clusterPage(stack: string, outputs: Outputs, region: string, ui: EmrPage): Promise<Page> {
  const id = String(outputs.clusterId);
  const bucket = new Bucket(String(outputs.lake), region);
  if (ui === EmrPage.jupyter && outputs.keepAlive !== true) {
    throw new UsageError(
      `--ui is "jupyter", and JupyterLab is only on clusters that are kept alive: set keepAlive and start another run with "npx oneoff run ${stack}"`,
    );
  }
  const emr = connect(new EMRClient({ region }));
  const clusterNow = async (): Promise<Cluster> => {
    const cluster = (await orUndefined(emr.send(new DescribeClusterCommand({ ClusterId: id }))))?.Cluster;
    if (cluster && !isEnding(cluster)) return cluster;
    throw new UsageError(
      `cluster ${id} has ended, and its own pages with it: its logs are in ${outputs.lake}/${Prefix.logs}/emr/${id}/, and the dashboard is still there: "npx oneoff open ${stack}"`,
    );
  };
  const node = await primaryNode(emr, await clusterNow());
  if (!node?.Ec2InstanceId)
    throw new UsageError(`cluster ${id} is still starting and has no primary node yet: try again in some minutes`);
  const token = ui === EmrPage.jupyter ? await jupyterToken(bucket, String(outputs.run)) : undefined;
  return {
    what: PAGES[ui].what,
    region,
    instance: node.Ec2InstanceId,
    places: placesOf(ui, node.PrivateDnsName || node.PrivateIpAddress),
    probe: "/",
    path: token === undefined ? "" : `/lab?token=${encodeURIComponent(token)}`,
    state: async () => `the cluster is ${(await clusterNow()).Status?.State?.toLowerCase()}`,
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

async function jupyterToken(bucket: Bucket, run: string): Promise<string> {
  const token = (await bucket.text(`_jupyter/${run}`))?.trim();
  if (token) return token;
  throw new UsageError("JupyterLab is not up yet: it starts once the cluster's steps have; try again in some minutes");
}
