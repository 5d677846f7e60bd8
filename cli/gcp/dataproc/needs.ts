/** What Dataproc takes of a Google Cloud project, known from a program's resources alone. */
import type { Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import type { RehearsedResource } from "../../platform.ts";
import { diskQuota, type Inputs, needsByType, part, vcpusOf } from "../needs.ts";
import type { GoogleNeeds, Machines } from "../part.ts";

const CLUSTER = "gcp:dataproc/cluster:Cluster";
const TEMPLATE = "gcp:dataproc/workflowTemplate:WorkflowTemplate";
const OBJECT = "gcp:storage/bucketObject:BucketObject";
const POLICY = "gcp:dataproc/autoscalingPolicy:AutoscalingPolicy";

const PERMISSIONS: readonly (readonly [type: RegExp, permission: string])[] = [
  [/^gcp:dataproc\/cluster:/, "dataproc.clusters.create"],
  [/^gcp:dataproc\/workflowTemplate:/, "dataproc.workflowTemplates.create"],
  [/^gcp:dataproc\/autoscalingPolicy:/, "dataproc.autoscalingPolicies.create"],
];

const APIS: readonly (readonly [type: RegExp, ...apis: string[]])[] = [[/^gcp:dataproc\//, "compute", "dataproc"]];

export function dataprocNeeds(resources: readonly RehearsedResource[]): GoogleNeeds {
  const { apis, permissions } = needsByType(resources, APIS, PERMISSIONS);
  // Batches are no resources.
  const isLaunched = resources.some((resource) => launchIn(resource));
  return {
    machines: resources.flatMap((resource) => machinesOf(resource, resources)),
    apis: [...apis, ...(isLaunched ? ["compute", "dataproc"] : [])],
    permissions,
  };
}

function machinesOf(resource: RehearsedResource, resources: readonly RehearsedResource[]): readonly Machines[] {
  const { type, inputs } = resource;
  if (type === CLUSTER) return clusterMachines(part(inputs, "clusterConfig"), "preemptibleWorkerConfig", resources);
  if (type === TEMPLATE) {
    const config = part(part(part(inputs, "placement"), "managedCluster"), "config");
    return clusterMachines(config, "secondaryWorkerConfig", resources);
  }
  return batchMachines(launchIn(resource));
}

function clusterMachines(
  config: Inputs,
  secondary: string,
  resources: readonly RehearsedResource[],
): readonly Machines[] {
  const policy = "autoscalingConfig" in config ? resources.find(({ type }) => type === POLICY)?.inputs : undefined;
  const most = (group: string) => Number(part(policy, group).maxInstances ?? 0);
  const worker = part(config, "workerConfig");
  const spot = part(config, secondary);
  const type = String(worker.machineType ?? "n1-standard-4"); // Dataproc's own
  const least = "workerConfig" in config ? 2 : 0; // without any it has one node, or secondary ones alone
  const isSpot = spot.preemptibility !== "NON_PREEMPTIBLE";
  return [
    group(part(config, "masterConfig"), 1),
    group({ ...worker, machineType: type }, least, most("workerConfig")),
    // Secondary workers are as the others, unless they may be of several types.
    group({ ...spot, machineType: flexible(spot) ?? type }, 0, most("secondaryWorkerConfig"), isSpot),
  ].filter(({ count }) => count > 0);
}

function group(config: Inputs, least: number, most = 0, spot = false): Machines {
  const type = String(config.machineType ?? "n1-standard-4");
  const disk = part(config, "diskConfig");
  const size = Number(disk.bootDiskSizeGb ?? 500);
  const localSsds = Number(disk.numLocalSsds ?? 0);
  return {
    count: Math.max(Number(config.numInstances ?? least), most),
    type,
    vcpus: vcpusOf(type),
    spot,
    disks: {
      [diskQuota(String(disk.bootDiskType ?? "pd-standard"))]: size,
      ...(localSsds > 0 && { LOCAL_SSD_TOTAL_GB: localSsds * 375 }),
    },
  };
}

/** The largest of the types that a group may be of. */
function flexible(config: Inputs): string | undefined {
  type List = { readonly machineTypes?: readonly string[] };
  const lists = (part(config, "instanceFlexibilityPolicy").instanceSelectionLists ?? []) as readonly List[];
  return lists.flatMap(({ machineTypes = [] }) => machineTypes).toSorted((a, b) => vcpusOf(b) - vcpusOf(a))[0];
}

/** Batches run one after another: the largest counts. */
function batchMachines(launch: Launch | undefined): readonly Machines[] {
  const batches = launch?.mode === "batch" ? launch.steps.map(({ request }) => batchMachine(request)) : [];
  return batches.toSorted((a, b) => b.count * b.vcpus - a.count * a.vcpus).slice(0, 1);
}

/** By the defaults of https://cloud.google.com/dataproc-serverless/docs/concepts/properties */
function batchMachine(request: Inputs | undefined): Machines {
  const properties = part(part(request, "runtimeConfig"), "properties");
  const number = (key: string, fallback: number) => Number(properties[`spark.${key}`] ?? fallback);
  const executors = number("executor.instances", 2);
  const isDynamic = String(properties["spark.dynamicAllocation.enabled"] ?? "true") === "true";
  const most = isDynamic ? Math.max(executors, number("dynamicAllocation.maxExecutors", executors)) : executors;
  const vcpus = number("executor.cores", 4);
  // The driver counts as an executor of its size; each has 400 GB of disk.
  return { count: most + number("driver.cores", 4) / vcpus, type: "batch", vcpus, spot: false, disks: DISK_OF_BATCH };
}

const DISK_OF_BATCH = { DISKS_TOTAL_GB: 400 } as const;

/** What the orchestrator is told, where a resource is that. */
function launchIn({ type, inputs }: RehearsedResource): Launch | undefined {
  if (type !== OBJECT || !/\/launch-[0-9a-f]+\.json$/.test(String(inputs.name))) return undefined;
  if (!String(inputs.name).startsWith(`${Prefix.clusters}/`)) return undefined;
  // The provider's SDK makes a secret of what is in an object.
  const content = typeof inputs.content === "string" ? inputs.content : part(inputs, "content").value;
  try {
    return JSON.parse(String(content));
  } catch {
    return undefined; // not known before it is made
  }
}
