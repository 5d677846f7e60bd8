/** What a program asks of a Google Cloud project, known from its resources alone. */
import type { Launch } from "../../assets/dataproc-orchestrator/launch.ts";
import { Prefix } from "../../core/lake-layout.ts";
import type { RehearsedResource } from "../rehearse.ts";

/** Machines that are there at a time. */
export interface Machines {
  readonly count: number;
  /** Such as "n2-standard-4"; a serverless batch has none of a name. */
  readonly type: string;
  readonly vcpus: number;
  readonly spot: boolean;
  /** Of each, in GB, by the quota that it counts to. */
  readonly disks: Readonly<Record<string, number>>;
}

/** What a stack wants of a project. */
export interface GoogleNeeds {
  readonly machines: readonly Machines[];
  /** Names of APIs, such as "dataproc". */
  readonly apis: readonly string[];
  /** What who brings it up must be allowed to do. */
  readonly permissions: readonly string[];
}

export const googleNeeds = (resources: readonly RehearsedResource[]): GoogleNeeds => ({
  machines: resources.flatMap((resource) => machinesOf(resource, resources)),
  apis: apisOf(resources),
  permissions: PERMISSIONS.filter(([pattern]) => resources.some(({ type }) => pattern.test(type))).map(
    ([, permission]) => permission,
  ),
});

const CLUSTER = "gcp:dataproc/cluster:Cluster";
const TEMPLATE = "gcp:dataproc/workflowTemplate:WorkflowTemplate";
const INSTANCE = "gcp:compute/instance:Instance";
const OBJECT = "gcp:storage/bucketObject:BucketObject";
const POLICY = "gcp:dataproc/autoscalingPolicy:AutoscalingPolicy";

/** Few and telling ones: who may do these may do the rest. */
const PERMISSIONS: readonly (readonly [type: RegExp, permission: string])[] = [
  [/^gcp:storage\/bucket:/, "storage.buckets.create"],
  [/^gcp:bigquery\/dataset:/, "bigquery.datasets.create"],
  [/^gcp:bigquery\/dataTransferConfig:/, "bigquery.transfers.update"],
  [/^gcp:dataproc\/cluster:/, "dataproc.clusters.create"],
  [/^gcp:dataproc\/workflowTemplate:/, "dataproc.workflowTemplates.create"],
  [/^gcp:dataproc\/autoscalingPolicy:/, "dataproc.autoscalingPolicies.create"],
  [/^gcp:cloudrunv2\/job:/, "run.jobs.create"],
  [/^gcp:cloudrunv2\/job:/, "run.jobs.run"],
  [/^gcp:compute\/instance:/, "compute.instances.create"],
  [/^gcp:compute\/network:/, "compute.networks.create"],
  [/^gcp:compute\/firewall:/, "compute.firewalls.create"],
  [/^gcp:serviceaccount\/account:/i, "iam.serviceAccounts.create"],
  [/^gcp:serviceaccount\/account:/i, "iam.serviceAccounts.actAs"],
  [/^gcp:serviceaccount\/iAMMember:/i, "iam.serviceAccounts.setIamPolicy"],
  [/^gcp:projects\/iAMMember:/i, "resourcemanager.projects.setIamPolicy"],
  [/^gcp:projects\/service:/i, "serviceusage.services.enable"],
  [/^gcp:secretmanager\//, "secretmanager.secrets.create"],
  [/^gcp:secretmanager\/secretIamMember:/i, "secretmanager.secrets.setIamPolicy"],
];

/** The APIs behind types of resources. */
const APIS: readonly (readonly [type: RegExp, ...apis: string[]])[] = [
  [/^gcp:compute\//, "compute"],
  [/^gcp:compute\/instance:/, "iap"],
  [/^gcp:dataproc\//, "compute", "dataproc"],
  [/^gcp:storage\//, "storage"],
  [/^gcp:bigquery\//, "bigquery"],
  [/^gcp:bigquery\/dataTransferConfig:/, "bigquerydatatransfer"],
  [/^gcp:cloudrunv2\//, "run"],
  [/^gcp:serviceaccount\//i, "iam"],
  [/^gcp:projects\//, "cloudresourcemanager"],
  [/^gcp:projects\/service/i, "serviceusage"],
  [/^gcp:secretmanager\//, "secretmanager"],
  [/^gcp:kms\//, "cloudkms"],
];

function apisOf(resources: readonly RehearsedResource[]): readonly string[] {
  const found = APIS.filter(([pattern]) => resources.some(({ type }) => pattern.test(type))).flatMap(
    ([, ...apis]) => apis,
  );
  // Keys and secrets may be a user's own, and Dataproc's batches are no resources.
  const texts = resources.filter(({ type }) => type.startsWith("gcp:")).map(({ inputs }) => JSON.stringify(inputs));
  const names = (pattern: RegExp) => texts.some((text) => pattern.test(text));
  const more = [
    ...(names(/"projects\/[^"]+\/cryptoKeys\//) ? ["cloudkms"] : []),
    ...(names(/"projects\/[^"]+\/secrets\//) ? ["secretmanager"] : []),
    ...(resources.some((resource) => launchIn(resource)) ? ["compute", "dataproc"] : []),
  ];
  return [...new Set([...found, ...more])].sort();
}

type Inputs = Readonly<Record<string, unknown>>;

const part = (inputs: unknown, key: string): Inputs =>
  ((inputs as Inputs | undefined)?.[key] as Inputs | undefined) ?? {};

function machinesOf(resource: RehearsedResource, resources: readonly RehearsedResource[]): readonly Machines[] {
  const { type, inputs } = resource;
  if (type === CLUSTER) return clusterMachines(part(inputs, "clusterConfig"), "preemptibleWorkerConfig", resources);
  if (type === TEMPLATE) {
    const config = part(part(part(inputs, "placement"), "managedCluster"), "config");
    return clusterMachines(config, "secondaryWorkerConfig", resources);
  }
  if (type === INSTANCE) return [instanceMachine(inputs)];
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

function instanceMachine(inputs: Inputs): Machines {
  const type = String(inputs.machineType);
  const disk = part(part(inputs, "bootDisk"), "initializeParams");
  const { provisioningModel, preemptible } = part(inputs, "scheduling");
  return {
    count: 1,
    type,
    vcpus: vcpusOf(type),
    spot: provisioningModel === "SPOT" || preemptible === true,
    disks: { [diskQuota(String(disk.type ?? "pd-standard"))]: Number(disk.size ?? 10) },
  };
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

/** "n2-standard-4" has 4, "e2-custom-2-4096" has 2; those that share a core count as 2. */
export function vcpusOf(type: string): number {
  if (/^(e2-(micro|small|medium)|f1-micro|g1-small)$/.test(type)) return /^e2/.test(type) ? 2 : 1;
  const number = /(?:^|-)custom-(\d+)-|-(\d+)(?:-lssd)?$/.exec(type);
  return Number(number?.[1] ?? number?.[2] ?? 0);
}

const diskQuota = (type: string): string =>
  /hyperdisk-balanced/.test(type) ? "HDB_TOTAL_GB" : /ssd|balanced/.test(type) ? "SSD_TOTAL_GB" : "DISKS_TOTAL_GB";
