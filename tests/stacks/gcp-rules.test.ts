import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Properties, Resource } from "../engine/fake-provider.ts";
import { fakeGcp, PROJECT } from "./fake-gcp.ts";
import { breaches, PROJECT_ROLES, rules, UNLABELLED } from "./gcp-rules.ts";

const labels = { "oneoff-stack": "oneoff__dataproc" };
const shield = { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true };
const nodes = `nodes@${PROJECT}.iam.gserviceaccount.com`;
const CLOUD = "https://www.googleapis.com/auth/cloud-platform";

const clusterConfig = {
  stagingBucket: "staging",
  tempBucket: "temporary",
  gceClusterConfig: {
    subnetwork: "sub",
    internalIpOnly: true,
    serviceAccount: nodes,
    serviceAccountScopes: [CLOUD],
    shieldedInstanceConfig: shield,
  },
};
const launch = (execution: Properties, given: Properties = labels) =>
  JSON.stringify({
    steps: [{ name: "generate", request: { environmentConfig: { executionConfig: execution }, labels: given } }],
  });
const execution = { serviceAccount: nodes, subnetworkUri: "sub", stagingBucket: "staging" };

/** A stack in which nothing is wrong: types to inputs. */
const GOOD: Readonly<Record<string, Properties>> = {
  "gcp:storage/bucket:Bucket": {
    name: "lake",
    labels,
    forceDestroy: true,
    uniformBucketLevelAccess: true,
    publicAccessPrevention: "enforced",
    softDeletePolicy: { retentionDurationSeconds: 0 },
  },
  "gcp:storage/bucketObject:BucketObject": {
    bucket: "lake",
    name: "_clusters/1/launch-0123456789abcdef.json",
    content: launch(execution),
  },
  "gcp:storage/bucketIAMMember:BucketIAMMember": {
    bucket: "lake",
    role: "roles/storage.objectUser",
    member: `serviceAccount:${nodes}`,
  },
  "gcp:bigquery/dataset:Dataset": {
    datasetId: "lake",
    labels,
    deleteContentsOnDestroy: true,
    defaultTableExpirationMs: 3_600_000,
  },
  "gcp:bigquery/table:Table": { datasetId: "lake", tableId: "points", labels, deletionProtection: false },
  "gcp:bigquery/job:Job": { jobId: "load", labels, load: { sourceUris: ["gs://data/a.csv"] } },
  "gcp:bigquery/dataTransferConfig:DataTransferConfig": {
    displayName: "oneoff/dataproc query best",
    serviceAccountName: nodes,
    scheduleOptions: { endTime: "2026-12-01T00:00:00Z" },
  },
  "gcp:projects/service:Service": { service: "dataproc.googleapis.com", disableOnDestroy: false },
  "gcp:projects/iAMMember:IAMMember": {
    project: PROJECT,
    role: "roles/dataproc.worker",
    member: `serviceAccount:${nodes}`,
  },
  "gcp:serviceaccount/account:Account": { accountId: "nodes", displayName: "oneoff/dataproc nodes" },
  "gcp:compute/network:Network": { description: "oneoff/dataproc network", autoCreateSubnetworks: false },
  "gcp:compute/subnetwork:Subnetwork": {
    description: "oneoff/dataproc network",
    ipCidrRange: "10.83.0.0/20",
    privateIpGoogleAccess: true,
  },
  "gcp:compute/firewall:Firewall": {
    description: "oneoff/dataproc tunnels",
    direction: "INGRESS",
    sourceRanges: ["35.235.240.0/20"],
    allows: [{ protocol: "tcp", ports: ["8765"] }],
  },
  "gcp:compute/instance:Instance": {
    labels,
    bootDisk: { initializeParams: { image: "cos-stable", labels } },
    networkInterfaces: [{ network: "net", subnetwork: "sub" }],
    serviceAccount: { email: nodes, scopes: ["cloud-platform"] },
    shieldedInstanceConfig: shield,
    scheduling: {
      maxRunDuration: { seconds: 3600 },
      instanceTerminationAction: "STOP",
      automaticRestart: false,
    },
    deletionProtection: false,
    metadata: { "block-project-ssh-keys": "TRUE", "serial-port-enable": "FALSE" },
  },
  "gcp:dataproc/cluster:Cluster": {
    name: "oneoff-dataproc-1",
    labels,
    clusterConfig: {
      ...clusterConfig,
      lifecycleConfig: { idleDeleteTtl: "900s", autoDeleteTime: "2026-12-01T00:00:00Z" },
    },
  },
  "gcp:dataproc/workflowTemplate:WorkflowTemplate": {
    name: "oneoff-template",
    labels,
    dagTimeout: "5400s",
    placement: {
      managedCluster: { labels, config: { ...clusterConfig, lifecycleConfig: { autoDeleteTtl: "5400s" } } },
    },
  },
  "gcp:cloudrunv2/job:Job": {
    labels,
    deletionProtection: false,
    template: { labels, template: { serviceAccount: nodes, timeout: "6300s" } },
  },
  "gcp:secretmanager/secret:Secret": { secretId: "oneoff-kaggle", labels },
  "gcp:secretmanager/secretVersion:SecretVersion": { secret: "oneoff-kaggle", secretData: "correct horse" },
};

const resource = (type: string, inputs: Properties): Resource => {
  const name = type.split(":").at(-1) as string;
  return { id: name, type, name, properties: { ...inputs, ...fakeGcp.outputs?.(type, name, inputs) } };
};
const stack = (changed: Readonly<Record<string, Properties>> = {}): readonly Resource[] =>
  Object.entries({ ...GOOD, ...changed }).map(([type, inputs]) => resource(type, inputs));

/** A copy of what is good with one thing changed; undefined takes it away. */
function but(type: string, path: string, value: unknown): Readonly<Record<string, Properties>> {
  const copy = structuredClone(GOOD[type] ?? {}) as Record<string, unknown>;
  const keys = path.split(".");
  const of = keys.slice(0, -1).reduce((inner, key) => {
    inner[key] ??= {};
    return inner[key] as Record<string, unknown>;
  }, copy);
  const last = keys.at(-1) as string;
  if (value === undefined) delete of[last];
  else of[last] = value;
  return { [type]: copy };
}

test("a stack in which all is well breaks no rule", () => {
  expect(breaches(stack())).toEqual([]);
  expect(breaches([resource("random:index/randomId:RandomId", {})])).toEqual([]);
});

const INSTANCE = "gcp:compute/instance:Instance";
const CLUSTER = "gcp:dataproc/cluster:Cluster";
const TEMPLATE = "gcp:dataproc/workflowTemplate:WorkflowTemplate";
const FIREWALL = "gcp:compute/firewall:Firewall";
const BUCKET = "gcp:storage/bucket:Bucket";
const OBJECT = "gcp:storage/bucketObject:BucketObject";
const JOB = "gcp:cloudrunv2/job:Job";
const MEMBER = "gcp:storage/bucketIAMMember:BucketIAMMember";
const INGRESS = "placement.managedCluster.config";

/** Rule, and a stack that breaks this one and no other. */
const BAD: readonly (readonly [rule: string, type: string, path: string, value: unknown])[] = [
  ["nothing has a public address", INSTANCE, "networkInterfaces", [{ subnetwork: "sub", accessConfigs: [{}] }]],
  ["nothing has a public address", INSTANCE, "networkInterfaces", [{ subnetwork: "sub", ipv6AccessConfigs: [{}] }]],
  ["nothing has a public address", CLUSTER, "clusterConfig.gceClusterConfig.internalIpOnly", undefined],
  ["nothing has a public address", TEMPLATE, `${INGRESS}.gceClusterConfig.internalIpOnly`, false],
  ["nothing has a public address", "gcp:compute/address:Address", "labels", labels],
  ["nobody in the world may connect", FIREWALL, "sourceRanges", ["10.0.0.0/8", "0.0.0.0/0"]],
  ["nobody in the world may connect", FIREWALL, "sourceRanges", ["::/0"]],
  ["nobody in the world may connect", FIREWALL, "sourceRanges", undefined],
  ["nobody is everybody", MEMBER, "member", "allUsers"],
  ["nobody is everybody", MEMBER, "member", "allAuthenticatedUsers"],
  ["nobody is everybody", "gcp:bigquery/dataset:Dataset", "accesses", [{ specialGroup: "allAuthenticatedUsers" }]],
  ["no role is a basic one or an admin's", MEMBER, "role", "roles/viewer"],
  ["no role is a basic one or an admin's", MEMBER, "role", "roles/storage.admin"],
  [
    "what is given in all of the project is on a short list",
    "gcp:projects/iAMMember:IAMMember",
    "role",
    "roles/storage.objectViewer",
  ],
  [
    "what is given in all of the project is on a short list",
    "gcp:projects/iAMBinding:IAMBinding",
    "labels", // it has none: only so that this rule alone is broken
    labels,
  ],
  ["everything that takes labels has the stack's", BUCKET, "labels", {}],
  ["everything that takes labels has the stack's", BUCKET, "labels", { "oneoff-stack": "other" }],
  ["everything that takes labels has the stack's", INSTANCE, "bootDisk.initializeParams.labels", undefined],
  ["everything that takes labels has the stack's", TEMPLATE, "placement.managedCluster.labels", undefined],
  ["everything that takes labels has the stack's", JOB, "template.labels", undefined],
  ["everything that takes labels has the stack's", "gcp:pubsub/topic:Topic", "name", "unheard-of"],
  ["batches that are asked for have them too", OBJECT, "content", launch(execution, {})],
  ["what takes no labels says whose it is", FIREWALL, "description", "tunnels"],
  ["what takes no labels says whose it is", "gcp:serviceaccount/account:Account", "displayName", undefined],
  ["nothing is protected from its end", INSTANCE, "deletionProtection", true],
  ["nothing is protected from its end", JOB, "deletionProtection", undefined],
  ["nothing is protected from its end", "gcp:bigquery/table:Table", "deletionProtection", undefined],
  ["nothing is protected from its end", "gcp:bigquery/dataset:Dataset", "deleteContentsOnDestroy", undefined],
  ["nothing is protected from its end", BUCKET, "forceDestroy", false],
  ["nothing is protected from its end", CLUSTER, "deletionPolicy", "ABANDON"],
  ["nothing is protected from its end", "gcp:projects/service:Service", "disableOnDestroy", undefined],
  ["what costs by the hour has an end", CLUSTER, "clusterConfig.lifecycleConfig.idleDeleteTtl", undefined],
  ["what costs by the hour has an end", CLUSTER, "clusterConfig.lifecycleConfig.autoDeleteTime", undefined],
  ["what costs by the hour has an end", TEMPLATE, "dagTimeout", undefined],
  ["what costs by the hour has an end", TEMPLATE, `${INGRESS}.lifecycleConfig`, undefined],
  ["what costs by the hour has an end", INSTANCE, "scheduling.maxRunDuration", undefined],
  ["what costs by the hour has an end", INSTANCE, "scheduling.instanceTerminationAction", undefined],
  ["what costs by the hour has an end", INSTANCE, "scheduling.automaticRestart", undefined],
  ["what costs by the hour has an end", JOB, "template.template.timeout", undefined],
  ["what costs by the hour has an end", "gcp:dataproc/batch:Batch", "labels", labels],
  ["what costs by the hour has an end", "gcp:compute/routerNat:RouterNat", "labels", labels],
  [
    "what costs by the hour has an end",
    "gcp:bigquery/dataTransferConfig:DataTransferConfig",
    "scheduleOptions",
    undefined,
  ],
  ["buckets are closed, and what is deleted is gone", BUCKET, "uniformBucketLevelAccess", undefined],
  ["buckets are closed, and what is deleted is gone", BUCKET, "publicAccessPrevention", "inherited"],
  ["buckets are closed, and what is deleted is gone", BUCKET, "softDeletePolicy", undefined],
  ["tables expire", "gcp:bigquery/dataset:Dataset", "defaultTableExpirationMs", undefined],
  ["a query has a limit", "gcp:bigquery/job:Job", "query", { query: "SELECT 1" }],
  ["no secret lies in the open", INSTANCE, "metadata.password", "correct horse"],
  ["no secret lies in the open", OBJECT, "content", launch({ ...execution, password: "correct horse" })],
  ["no secret lies in the open", INSTANCE, "metadata.key", "-----BEGIN RSA PRIVATE KEY-----"],
  ["no secret lies in the open", INSTANCE, "metadata.key", `AIza${"x".repeat(35)}`],
  ["no long-lived keys", "gcp:serviceaccount/key:Key", "labels", labels],
  ["no long-lived keys", INSTANCE, "metadata.ssh-keys", "me:ssh-ed25519 AAAA"],
  ["no long-lived keys", INSTANCE, "metadata.serial-port-enable", "true"],
  ["no long-lived keys", INSTANCE, "metadata.block-project-ssh-keys", undefined],
  ["machines are shielded", INSTANCE, "shieldedInstanceConfig.enableSecureBoot", undefined],
  ["machines are shielded", CLUSTER, "clusterConfig.gceClusterConfig.shieldedInstanceConfig", undefined],
  ["machines are shielded", TEMPLATE, `${INGRESS}.gceClusterConfig.shieldedInstanceConfig.enableVtpm`, false],
  ["whatever acts has an account of the stack's own", INSTANCE, "serviceAccount.email", undefined],
  [
    "whatever acts has an account of the stack's own",
    CLUSTER,
    "clusterConfig.gceClusterConfig.serviceAccount",
    "123456789012-compute@developer.gserviceaccount.com",
  ],
  [
    "whatever acts has an account of the stack's own",
    TEMPLATE,
    `${INGRESS}.gceClusterConfig.serviceAccount`,
    undefined,
  ],
  ["whatever acts has an account of the stack's own", JOB, "template.template.serviceAccount", undefined],
  [
    "whatever acts has an account of the stack's own",
    OBJECT,
    "content",
    launch({ ...execution, serviceAccount: undefined }),
  ],
  ["accounts are limited by their roles alone", INSTANCE, "serviceAccount.scopes", ["storage-ro", "cloud-platform"]],
  [
    "accounts are limited by their roles alone",
    CLUSTER,
    "clusterConfig.gceClusterConfig.serviceAccountScopes",
    undefined,
  ],
  ["Dataproc leaves no bucket behind", CLUSTER, "clusterConfig.stagingBucket", undefined],
  ["Dataproc leaves no bucket behind", TEMPLATE, `${INGRESS}.tempBucket`, undefined],
  ["Dataproc leaves no bucket behind", OBJECT, "content", launch({ ...execution, stagingBucket: undefined })],
  [
    "machines reach Google, and are in a network of their own",
    "gcp:compute/network:Network",
    "autoCreateSubnetworks",
    undefined,
  ],
  [
    "machines reach Google, and are in a network of their own",
    "gcp:compute/subnetwork:Subnetwork",
    "privateIpGoogleAccess",
    false,
  ],
  ["machines reach Google, and are in a network of their own", INSTANCE, "networkInterfaces", [{ network: "default" }]],
  [
    "machines reach Google, and are in a network of their own",
    CLUSTER,
    "clusterConfig.gceClusterConfig.subnetwork",
    undefined,
  ],
  [
    "machines reach Google, and are in a network of their own",
    OBJECT,
    "content",
    launch({ ...execution, subnetworkUri: undefined }),
  ],
];

describe("a breach is told, and no other", () => {
  test.each(BAD)("%s: %s with %s %o", (rule, type, path, value) => {
    const told = breaches(stack(but(type, path, value)));
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(`${type.split(":").at(-1)}: ${rule}: `);
  });

  test("of each rule", () => {
    expect(new Set(BAD.map(([rule]) => rule))).toEqual(new Set(Object.keys(rules)));
  });
});

test.each([
  ["an egress rule to the world", FIREWALL, "direction", "EGRESS"],
  ["a rule by service account", FIREWALL, "sourceServiceAccounts", [nodes]],
  ["a program that names everybody", OBJECT, "content", launch({ ...execution, about: "refuses allUsers" })],
  ["a query with a limit", "gcp:bigquery/job:Job", "query", { query: "SELECT 1", maximumBytesBilled: "1000" }],
])("%s breaks no rule", (_, type, path, value) => {
  expect(breaches(stack(but(type, path, value)))).toEqual([]);
});

test("a rule that denies may be for the world", () => {
  const { allows: _, ...rest } = GOOD[FIREWALL] as Properties;
  const denies = { ...rest, sourceRanges: ["0.0.0.0/0"], denies: [{ protocol: "all" }] };
  expect(breaches(stack({ [FIREWALL]: denies }))).toEqual([]);
});

test("a lake that is retained may stay, with its tables", () => {
  const kept = { ...GOOD[BUCKET], forceDestroy: false, labels: { ...labels, "oneoff-removal": "retain" } };
  expect(breaches(stack({ [BUCKET]: kept }))).toEqual([]);
  const dataset = { ...GOOD["gcp:bigquery/dataset:Dataset"], deleteContentsOnDestroy: false };
  expect(breaches(stack({ [BUCKET]: kept, "gcp:bigquery/dataset:Dataset": dataset }))).toEqual([]);
});

test("what is said to take no labels takes none, and all of the rest does", () => {
  const sdk = dirname(createRequire(import.meta.url).resolve("@pulumi/gcp/package.json"));
  const takes = (type: string) => {
    const [module, file] = (type.split(":")[1] as string).split("/") as [string, string];
    const found = readdirSync(join(sdk, module)).find((name) => name.toLowerCase() === `${file.toLowerCase()}.d.ts`);
    return /^ {4}labels\?: /m.test(readFileSync(join(sdk, module, found as string), "utf8"));
  };
  expect([...UNLABELLED].filter(takes)).toEqual([]);
  const others = Object.keys(GOOD).filter((type) => !UNLABELLED.has(type));
  expect(others.length).toBeGreaterThan(8);
  expect(others.filter((type) => !takes(type))).toEqual([]);
});

test("no role of the project is without its reason", () => {
  for (const [role, reason] of Object.entries(PROJECT_ROLES)) {
    expect(role).toMatch(/^roles\/[a-z]+\.[a-zA-Z]+$/);
    expect(reason.length, role).toBeGreaterThan(20);
  }
});
