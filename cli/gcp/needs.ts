/** What a program asks of a Google Cloud project, known from its resources alone. */
import type { RehearsedResource } from "../platform.ts";
import type { GcpPart, GoogleNeeds, Machines } from "./part.ts";

export function googleNeeds(resources: readonly RehearsedResource[], parts: readonly GcpPart[]): GoogleNeeds {
  const all = [ownNeeds(resources), ...parts.map((part) => part.needs(resources))];
  return {
    machines: all.flatMap(({ machines }) => machines),
    apis: [...new Set(all.flatMap(({ apis }) => apis))].sort(),
    permissions: [...new Set(all.flatMap(({ permissions }) => permissions))].sort(),
  };
}

const INSTANCE = "gcp:compute/instance:Instance";

function ownNeeds(resources: readonly RehearsedResource[]): GoogleNeeds {
  const { apis, permissions } = needsByType(resources, APIS, PERMISSIONS);
  // Keys and secrets may be a user's own.
  const texts = resources.filter(({ type }) => type.startsWith("gcp:")).map(({ inputs }) => JSON.stringify(inputs));
  const names = (pattern: RegExp) => texts.some((text) => pattern.test(text));
  return {
    machines: resources.filter(({ type }) => type === INSTANCE).map(({ inputs }) => instanceMachine(inputs)),
    apis: [
      ...apis,
      ...(names(/"projects\/[^"]+\/cryptoKeys\//) ? ["cloudkms"] : []),
      ...(names(/"projects\/[^"]+\/secrets\//) ? ["secretmanager"] : []),
    ],
    permissions,
  };
}

/** APIs and permissions of the types of resources that there are. */
export function needsByType(
  resources: readonly RehearsedResource[],
  apis: readonly (readonly [type: RegExp, ...apis: string[]])[],
  permissions: readonly (readonly [type: RegExp, permission: string])[],
): Pick<GoogleNeeds, "apis" | "permissions"> {
  const isThere = (pattern: RegExp) => resources.some(({ type }) => pattern.test(type));
  return {
    apis: apis.flatMap(([pattern, ...names]) => (isThere(pattern) ? names : [])),
    permissions: permissions.flatMap(([pattern, permission]) => (isThere(pattern) ? [permission] : [])),
  };
}

/** Few and telling ones: who may do these may do the rest. */
const PERMISSIONS: readonly (readonly [type: RegExp, permission: string])[] = [
  [/^gcp:storage\/bucket:/, "storage.buckets.create"],
  [/^gcp:bigquery\/dataset:/, "bigquery.datasets.create"],
  [/^gcp:bigquery\/dataTransferConfig:/, "bigquery.transfers.update"],
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

export type Inputs = Readonly<Record<string, unknown>>;

export const part = (inputs: unknown, key: string): Inputs =>
  ((inputs as Inputs | undefined)?.[key] as Inputs | undefined) ?? {};

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

/** "n2-standard-4" has 4, "e2-custom-2-4096" has 2; those that share a core count as 2. */
export function vcpusOf(type: string): number {
  if (/^(e2-(micro|small|medium)|f1-micro|g1-small)$/.test(type)) return /^e2/.test(type) ? 2 : 1;
  const number = /(?:^|-)custom-(\d+)-|-(\d+)(?:-lssd)?$/.exec(type);
  return Number(number?.[1] ?? number?.[2] ?? 0);
}

/** The quota that a type of disk counts to. */
export const diskQuota = (type: string): string =>
  /hyperdisk-balanced/.test(type) ? "HDB_TOTAL_GB" : /ssd|balanced/.test(type) ? "SSD_TOTAL_GB" : "DISKS_TOTAL_GB";
