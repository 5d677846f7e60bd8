/** What must hold of every resource of every stack on Google Cloud, whatever it is for. */
import type { Properties, Resource } from "../engine/fake-provider.ts";

type Rule = (resource: Resource, all: readonly Resource[]) => string | undefined;

/** Types that take no labels: their arguments have none (tests/stacks/gcp-rules.test.ts looks). */
export const UNLABELLED: ReadonlySet<string> = new Set([
  "gcp:bigquery/dataTransferConfig:DataTransferConfig",
  "gcp:bigquery/datasetIamMember:DatasetIamMember",
  "gcp:compute/firewall:Firewall",
  "gcp:compute/network:Network",
  "gcp:compute/subnetwork:Subnetwork",
  "gcp:dataproc/autoscalingPolicy:AutoscalingPolicy",
  "gcp:projects/iAMMember:IAMMember",
  "gcp:projects/service:Service",
  "gcp:projects/serviceIdentity:ServiceIdentity",
  "gcp:secretmanager/secretIamMember:SecretIamMember",
  "gcp:secretmanager/secretVersion:SecretVersion",
  "gcp:serviceaccount/account:Account",
  "gcp:serviceaccount/iAMMember:IAMMember",
  "gcp:storage/bucketIAMMember:BucketIAMMember",
  "gcp:storage/bucketObject:BucketObject",
]);

/** Of those, the ones that have a text to say whose they are, for `oneoff leftovers`. */
const TOLD: Readonly<Record<string, string>> = {
  "gcp:bigquery/dataTransferConfig:DataTransferConfig": "displayName",
  "gcp:compute/firewall:Firewall": "description",
  "gcp:compute/network:Network": "description",
  "gcp:compute/subnetwork:Subnetwork": "description",
  "gcp:serviceaccount/account:Account": "displayName",
};

/** Roles that a stack may give in all of a project, and why there is no narrower place for them. */
export const PROJECT_ROLES: Readonly<Record<string, string>> = {
  "roles/bigquery.jobUser": "a query is a job of the project, which is billed for it",
  "roles/dataproc.editor": "jobs and batches are made in a project, and a template's cluster too",
  "roles/dataproc.worker": "Dataproc's agent on a machine asks for its work in the project",
  "roles/logging.logWriter": "logs are the project's",
};

const WORLD = ["0.0.0.0/0", "::/0"];
const CLOUD = ["cloud-platform", "https://www.googleapis.com/auth/cloud-platform"];

const at = (value: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((of, key) => (of as Properties | undefined)?.[key], value);
const is = (type: string, ...names: readonly string[]) => names.some((name) => type.endsWith(`:${name}`));
const list = (value: unknown) => (value === undefined || value === null ? [] : [value].flat()) as readonly unknown[];

/** Configurations of clusters, of those that are there and those that a template makes. */
const clusters = ({ type, properties }: Resource): readonly unknown[] => [
  ...(type === "gcp:dataproc/cluster:Cluster" ? [properties.clusterConfig] : []),
  ...(type === "gcp:dataproc/workflowTemplate:WorkflowTemplate"
    ? [at(properties, "placement.managedCluster.config")]
    : []),
];

/** Serverless batches that the orchestrator is told to ask for (assets/dataproc-orchestrator/launch.ts). */
const batches = ({ type, properties }: Resource): readonly unknown[] =>
  type === "gcp:storage/bucketObject:BucketObject" &&
  /^_clusters\/[^/]+\/launch-[0-9a-f]+\.json$/.test(String(properties.name))
    ? (JSON.parse(String(properties.content)).steps as readonly { request?: Properties }[])
        .map(({ request }) => request)
        .filter((request) => request?.environmentConfig)
    : [];

/** Who something acts as, each with what must be said beside it; undefined where nobody is named. */
const actors = (resource: Resource): readonly unknown[] => {
  const { type, properties } = resource;
  if (type === "gcp:compute/instance:Instance") return [at(properties, "serviceAccount.email")];
  if (type === "gcp:cloudrunv2/job:Job") return [at(properties, "template.template.serviceAccount")];
  if (is(type, "DataTransferConfig")) return [properties.serviceAccountName];
  return [
    ...clusters(resource).map((config) => at(config, "gceClusterConfig.serviceAccount")),
    ...batches(resource).map((batch) => at(batch, "environmentConfig.executionConfig.serviceAccount")),
  ];
};

/** All texts of a resource but the programs and pages that it carries. */
const texts = (value: unknown): readonly string[] =>
  typeof value === "string"
    ? [value]
    : Object.entries((value ?? {}) as object).flatMap(([key, of]) => (key === "content" ? [] : texts(of)));

const SHIELDS = ["enableSecureBoot", "enableVtpm", "enableIntegrityMonitoring"];
const shielded = (config: unknown) =>
  SHIELDS.every((shield) => at(config, `shieldedInstanceConfig.${shield}`) === true);

const labelled = (labels: unknown) => /^oneoff__/.test(String((labels as Properties | undefined)?.["oneoff-stack"]));
const retained = (resources: readonly Resource[]) =>
  resources.some(({ properties }) => at(properties, "labels.oneoff-removal") === "retain");

export const rules: Readonly<Record<string, Rule>> = {
  "nothing has a public address": (resource) => {
    const { type, properties } = resource;
    if (is(type, "Address", "GlobalAddress", "ForwardingRule", "GlobalForwardingRule")) return "is a public address";
    const nics = type === "gcp:compute/instance:Instance" ? list(properties.networkInterfaces) : [];
    if (nics.some((nic) => at(nic, "accessConfigs") || at(nic, "ipv6AccessConfigs"))) return "has a public address";
    return clusters(resource).every((config) => at(config, "gceClusterConfig.internalIpOnly") === true)
      ? undefined
      : "has machines with public addresses";
  },
  "nobody in the world may connect": ({ type, properties }) => {
    if (!is(type, "Firewall") || properties.direction === "EGRESS" || !properties.allows) return undefined;
    const sources = ["sourceRanges", "sourceTags", "sourceServiceAccounts"].flatMap((from) => list(properties[from]));
    return sources.length === 0 || sources.some((source) => WORLD.includes(source as string))
      ? "lets the world in"
      : undefined;
  },
  "nobody is everybody": ({ properties }) =>
    texts(properties).some((text) => /\ball(Authenticated)?Users\b/.test(text)) ? "lets everybody in" : undefined,
  "no role is a basic one or an admin's": ({ properties }) =>
    [properties.role, ...list(properties.accesses).map((access) => at(access, "role"))].some((role) =>
      /^(roles\/(owner|editor|viewer)|roles\/[\w.]*\.?admin)$/i.test(String(role ?? "")),
    )
      ? `gives ${properties.role ?? "a basic role"}`
      : undefined,
  "what is given in all of the project is on a short list": ({ type, properties }) => {
    if (/^gcp:(projects|folder|organizations)\/iAM(Binding|Policy)/i.test(type))
      return "takes from others what they have";
    return type === "gcp:projects/iAMMember:IAMMember" && !Object.hasOwn(PROJECT_ROLES, String(properties.role))
      ? `gives ${properties.role} everywhere`
      : undefined;
  },
  "everything that takes labels has the stack's": ({ type, properties }) => {
    if (!type.startsWith("gcp:") || UNLABELLED.has(type)) return undefined;
    const inner = {
      "gcp:compute/instance:Instance": "bootDisk.initializeParams.labels",
      "gcp:dataproc/workflowTemplate:WorkflowTemplate": "placement.managedCluster.labels",
      "gcp:cloudrunv2/job:Job": "template.labels",
    }[type];
    return labelled(properties.labels) && (!inner || labelled(at(properties, inner)))
      ? undefined
      : "has no label oneoff-stack";
  },
  "batches that are asked for have them too": (resource) =>
    batches(resource).every((batch) => labelled(at(batch, "labels"))) ? undefined : "has no label oneoff-stack",
  "what takes no labels says whose it is": ({ type, properties }) => {
    const told = TOLD[type];
    return told && !String(properties[told]).startsWith("oneoff/") ? `its ${told} names no stack` : undefined;
  },
  "nothing is protected from its end": ({ type, properties }, all) => {
    const { deletionProtection, deletionPolicy } = properties;
    if (deletionProtection === true || properties.enableDeletionProtection === true) return "is protected";
    // Both are protected where nothing is said.
    const byDefault = ["gcp:bigquery/table:Table", "gcp:cloudrunv2/job:Job"].includes(type);
    if (byDefault && deletionProtection !== false) return "is protected by default";
    if (deletionPolicy !== undefined && deletionPolicy !== "DELETE") return `is not deleted: ${deletionPolicy}`;
    if (type === "gcp:storage/bucket:Bucket" && !properties.forceDestroy) {
      return at(properties, "labels.oneoff-removal") === "retain" ? undefined : "stays while something is in it";
    }
    if (is(type, "Dataset") && !properties.deleteContentsOnDestroy && !retained(all))
      return "stays while it has tables";
    return type === "gcp:projects/service:Service" && properties.disableOnDestroy !== false
      ? "may be turned off under others in the project"
      : undefined;
  },
  "what costs by the hour has an end": (resource) => {
    const { type, properties } = resource;
    const needed: Readonly<Record<string, readonly string[]>> = {
      "gcp:bigquery/dataTransferConfig:DataTransferConfig": ["scheduleOptions.endTime"],
      "gcp:cloudrunv2/job:Job": ["template.template.timeout"],
      "gcp:compute/instance:Instance": ["scheduling.maxRunDuration.seconds", "scheduling.instanceTerminationAction"],
      "gcp:dataproc/batch:Batch": ["environmentConfig.executionConfig.ttl"],
      "gcp:dataproc/cluster:Cluster": [
        "clusterConfig.lifecycleConfig.idleDeleteTtl",
        "clusterConfig.lifecycleConfig.autoDeleteTime",
      ],
      "gcp:dataproc/workflowTemplate:WorkflowTemplate": [
        "dagTimeout",
        "placement.managedCluster.config.lifecycleConfig.autoDeleteTtl",
      ],
    };
    const missing = needed[type]?.find((path) => !at(properties, path));
    if (missing) return `has no ${missing}`;
    if (type === "gcp:compute/routerNat:RouterNat") return "costs until it is destroyed";
    return type === "gcp:compute/instance:Instance" && at(properties, "scheduling.automaticRestart") !== false
      ? "starts again by itself"
      : undefined;
  },
  "buckets are closed, and what is deleted is gone": ({ type, properties }) => {
    if (type !== "gcp:storage/bucket:Bucket") return undefined;
    if (properties.uniformBucketLevelAccess !== true) return "has objects with lists of their own";
    if (properties.publicAccessPrevention !== "enforced") return "can be made public";
    return at(properties, "softDeletePolicy.retentionDurationSeconds") === 0 ? undefined : "keeps what is deleted";
  },
  "tables expire": ({ type, properties }) =>
    type === "gcp:bigquery/dataset:Dataset" && !properties.defaultTableExpirationMs ? "keeps tables" : undefined,
  "a query has a limit": ({ type, properties }) =>
    type === "gcp:bigquery/job:Job" && properties.query && !at(properties, "query.maximumBytesBilled")
      ? "may read anything"
      : undefined,
  "no secret lies in the open": (resource, all) => {
    const own = texts(resource.properties);
    if (own.some((text) => /-----BEGIN [A-Z ]*PRIVATE KEY|\bAIza[\w-]{30}|\bya29\.[\w-]{20}/.test(text)))
      return "has a key in it";
    if (is(resource.type, "SecretVersion")) return undefined;
    const secrets = all.filter(({ type }) => is(type, "SecretVersion")).map(({ properties }) => properties.secretData);
    const text = JSON.stringify(resource.properties);
    return secrets.some((secret) => typeof secret === "string" && secret && text.includes(secret))
      ? "has a secret in it"
      : undefined;
  },
  "no long-lived keys": ({ type, properties }) => {
    if (is(type, "Key", "HmacKey", "ApiKey")) return "is a key that lives until somebody deletes it";
    if (type !== "gcp:compute/instance:Instance") return undefined;
    const { metadata = {} } = properties as { metadata?: Readonly<Record<string, string>> };
    if (metadata["ssh-keys"] || /^true$/i.test(metadata["serial-port-enable"] ?? "")) return "can be logged into";
    return /^true$/i.test(metadata["block-project-ssh-keys"] ?? "") ? undefined : "takes the project's keys";
  },
  "machines are shielded": (resource) => {
    const configs = [
      ...(resource.type === "gcp:compute/instance:Instance" ? [resource.properties] : []),
      ...clusters(resource).map((config) => at(config, "gceClusterConfig")),
    ];
    return configs.every(shielded) ? undefined : "boots anything";
  },
  "whatever acts has an account of the stack's own": (resource, all) => {
    const own = all
      .filter(({ type }) => type === "gcp:serviceaccount/account:Account")
      .map(({ properties }) => properties.email);
    return actors(resource).every((email) => own.includes(email)) ? undefined : "acts as somebody else";
  },
  "accounts are limited by their roles alone": (resource) => {
    const given = [
      ...(resource.type === "gcp:compute/instance:Instance" ? [at(resource.properties, "serviceAccount.scopes")] : []),
      ...clusters(resource).map((config) => at(config, "gceClusterConfig.serviceAccountScopes")),
    ];
    return given.every((scopes) => list(scopes).length === 1 && CLOUD.includes(list(scopes)[0] as string))
      ? undefined
      : "has scopes, which nobody looks for when a role is missing";
  },
  "Dataproc leaves no bucket behind": (resource) => {
    const named = [
      ...clusters(resource).flatMap((config) => [at(config, "stagingBucket"), at(config, "tempBucket")]),
      ...batches(resource).map((batch) => at(batch, "environmentConfig.executionConfig.stagingBucket")),
    ];
    return named.every(Boolean) ? undefined : "makes a bucket that nothing takes away";
  },
  "machines reach Google, and are in a network of their own": (resource) => {
    const { type, properties } = resource;
    if (is(type, "Network") && properties.autoCreateSubnetworks !== false) return "has subnetworks everywhere";
    if (is(type, "Subnetwork") && properties.privateIpGoogleAccess !== true) return "has no way to Google's APIs";
    const places = [
      ...(type === "gcp:compute/instance:Instance" ? [at(properties, "networkInterfaces.0.subnetwork")] : []),
      ...clusters(resource).map((config) => at(config, "gceClusterConfig.subnetwork")),
      ...batches(resource).map((batch) => at(batch, "environmentConfig.executionConfig.subnetworkUri")),
    ];
    return places.every(Boolean) ? undefined : "is in the project's default network";
  },
};

/** Every breach of every rule, as "name: rule: what is wrong". */
export const breaches = (resources: readonly Resource[]): readonly string[] =>
  Object.entries(rules).flatMap(([rule, check]) =>
    resources.flatMap((resource) => {
      const wrong = check(resource, resources);
      return wrong ? [`${resource.name}: ${rule}: ${wrong}`] : [];
    }),
  );
