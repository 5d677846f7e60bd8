/** What a program asks of a Google Cloud project, known from its resources alone. */
import { expect, test } from "vitest";
import { part } from "../../cli/gcp/dataproc/index.ts";
import { googleNeeds, vcpusOf } from "../../cli/gcp/needs.ts";
import { taken } from "../../cli/gcp/quotas.ts";
import { refreshFlags } from "../../cli/registry.ts";

test("Pulumi is told to look before it changes or ends a cluster that may be gone by itself", () => {
  expect(refreshFlags({ cluster: "dataproc", mode: "cluster", run: "1" })).toEqual(["--refresh"]);
  expect(refreshFlags({ cluster: "dataproc", mode: "workflow", run: "1" })).toEqual([]);
  expect(refreshFlags({ cluster: "emr" })).toEqual([]);
  expect(refreshFlags({})).toEqual([]);
});

const resource = (type: string, inputs: object) => ({ type, name: "x", id: "x", inputs: { ...inputs } });
const disk = (bootDiskSizeGb: number, more: object = {}) => ({
  diskConfig: { bootDiskType: "pd-balanced", bootDiskSizeGb, ...more },
});
const config = {
  masterConfig: { numInstances: 1, machineType: "n2-standard-4", ...disk(100) },
  workerConfig: { numInstances: 2, machineType: "n2d-highmem-8", ...disk(100, { numLocalSsds: 2 }) },
};
const cluster = (more: object = {}, secondary: object = {}) =>
  resource("gcp:dataproc/cluster:Cluster", {
    clusterConfig: {
      ...config,
      preemptibleWorkerConfig: { numInstances: 3, preemptibility: "SPOT", ...disk(100), ...secondary },
      ...more,
    },
  });
const instance = resource("gcp:compute/instance:Instance", {
  machineType: "e2-small",
  bootDisk: { initializeParams: { size: 10, type: "pd-standard" } },
});
const launch = (properties: readonly object[]) =>
  resource("gcp:storage/bucketObject:BucketObject", {
    name: "_clusters/r1/launch-0123456789abcdef.json",
    content: JSON.stringify({
      mode: "batch",
      steps: properties.map((properties) => ({ name: "x", request: { runtimeConfig: { properties } } })),
    }),
  });
const quotas = (limits: Readonly<Record<string, number>>) =>
  Object.entries(limits).map(([metric, limit]) => ({ metric, limit, usage: 0 }));
const sums = (resources: Parameters<typeof googleNeeds>[0], limits: Readonly<Record<string, number>>) =>
  Object.fromEntries(taken(googleNeeds(resources, [part]).machines, quotas(limits)));

test("machines count to the quotas of their families, spot ones and disks to their own", () => {
  expect(sums([cluster(), instance], { N2_CPUS: 8, N2D_CPUS: 8, PREEMPTIBLE_CPUS: 1 })).toEqual({
    N2_CPUS: 4,
    N2D_CPUS: 16,
    CPUS: 2,
    CPUS_ALL_REGIONS: 22,
    PREEMPTIBLE_CPUS: 24,
    SSD_TOTAL_GB: 600,
    LOCAL_SSD_TOTAL_GB: 1500,
    DISKS_TOTAL_GB: 10,
  });
});

test("spot machines count with the others where the project has no quota of them", () => {
  expect(sums([cluster()], { N2_CPUS: 8, N2D_CPUS: 8, PREEMPTIBLE_CPUS: 0 })).toMatchObject({
    N2_CPUS: 4,
    N2D_CPUS: 40,
    CPUS_ALL_REGIONS: 44,
  });
  expect(sums([cluster()], {})).toMatchObject({ CPUS: 44 });
});

test("a template's cluster counts as another's, also one without primary workers", () => {
  const template = (config: object) =>
    resource("gcp:dataproc/workflowTemplate:WorkflowTemplate", { placement: { managedCluster: { config } } });
  const secondaryWorkerConfig = { numInstances: 3, preemptibility: "NON_PREEMPTIBLE", ...disk(50) };
  expect(sums([template({ ...config, secondaryWorkerConfig })], {})).toMatchObject({ CPUS: 44, SSD_TOTAL_GB: 450 });
  const { masterConfig } = config;
  const softwareConfig = { properties: { "dataproc:dataproc.allow.zero.workers": "true" } };
  expect(sums([template({ masterConfig, softwareConfig })], {})).toMatchObject({ CPUS: 4 });
});

test("a cluster that grows counts as it may become; of several types the largest counts", () => {
  const policy = resource("gcp:dataproc/autoscalingPolicy:AutoscalingPolicy", {
    workerConfig: { minInstances: 2, maxInstances: 2 },
    secondaryWorkerConfig: { maxInstances: 10 },
  });
  expect(sums([cluster({ autoscalingConfig: { policyUri: "p" } }), policy], { PREEMPTIBLE_CPUS: 1 })).toMatchObject({
    PREEMPTIBLE_CPUS: 80,
    CPUS: 20,
  });
  const instanceSelectionLists = [
    { machineTypes: ["n2-standard-4", "n2-standard-16"] },
    { machineTypes: ["n2-standard-8"] },
  ];
  const types = { instanceFlexibilityPolicy: { instanceSelectionLists } };
  expect(sums([cluster({}, types)], { PREEMPTIBLE_CPUS: 1 })).toMatchObject({ PREEMPTIBLE_CPUS: 48 });
});

test("of batches, which run one after another, the largest counts", () => {
  const small = { "spark.executor.instances": "2" };
  const large = {
    "spark.driver.cores": "8",
    "spark.executor.cores": "8",
    "spark.executor.instances": "2",
    "spark.dynamicAllocation.maxExecutors": "6",
  };
  expect(sums([launch([small])], {})).toEqual({ CPUS: 12, CPUS_ALL_REGIONS: 12, DISKS_TOTAL_GB: 1200 });
  expect(sums([launch([small, large, small])], {})).toMatchObject({ CPUS: 56 });
  expect(sums([launch([{ ...large, "spark.dynamicAllocation.enabled": "false" }])], {})).toMatchObject({ CPUS: 24 });
  const unknown = resource("gcp:storage/bucketObject:BucketObject", {
    name: "_clusters/r1/launch-0123456789abcdef.json",
  });
  expect(sums([unknown], {})).toEqual({});
});

test.each([
  ["n2-standard-4", 4],
  ["c3-standard-8-lssd", 8],
  ["e2-small", 2],
  ["f1-micro", 1],
  ["n2-custom-6-8192", 6],
  ["custom-6-8192", 6],
])("%s has %d vCPUs", (type, vcpus) => {
  expect(vcpusOf(type)).toBe(vcpus);
});

test("APIs and permissions are those of what is asked for, and of keys and secrets of a user's own", () => {
  const resources = [
    resource("gcp:storage/bucket:Bucket", {}),
    resource("gcp:bigquery/dataTransferConfig:DataTransferConfig", {}),
    resource("gcp:projects/iAMMember:IAMMember", {}),
    resource("gcp:serviceaccount/account:Account", {}),
    resource("gcp:serviceaccount/iAMMember:IAMMember", {}),
    resource("gcp:secretmanager/secretIamMember:SecretIamMember", {}),
    resource("gcp:projects/service:Service", {}),
    cluster({ encryptionConfig: { kmsKeyName: "projects/p/locations/l/keyRings/r/cryptoKeys/k" } }),
    resource("aws:s3/bucket:Bucket", {}),
  ];
  const needs = googleNeeds(resources, [part]);
  expect(needs.apis).toEqual([
    "bigquery",
    "bigquerydatatransfer",
    "cloudkms",
    "cloudresourcemanager",
    "compute",
    "dataproc",
    "iam",
    "secretmanager",
    "serviceusage",
    "storage",
  ]);
  expect(needs.permissions).toEqual([
    "bigquery.transfers.update",
    "dataproc.clusters.create",
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.create",
    "iam.serviceAccounts.setIamPolicy",
    "resourcemanager.projects.setIamPolicy",
    "secretmanager.secrets.create",
    "secretmanager.secrets.setIamPolicy",
    "serviceusage.services.enable",
    "storage.buckets.create",
  ]);
  expect(googleNeeds([instance], [part]).apis).toEqual(["compute", "iap"]);
  expect(googleNeeds([launch([])], [part]).apis).toEqual(["compute", "dataproc", "storage"]);
});
