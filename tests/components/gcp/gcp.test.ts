import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { londonPower } from "../../../assets/jobs/london-power/index.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { DATAPROC_DEADLINES } from "../../../components/gcp/dataproc/args.ts";
import {
  DataprocCluster,
  type DataprocClusterArgs,
  GcpNetwork,
  GcsLake,
  type GcsLakeArgs,
} from "../../../components/gcp/index.ts";
import { ceiling } from "../../../core/bill.ts";
import { type Job, job } from "../../../core/job.ts";
import { labelValue, stackLabel } from "../../../core/labels.ts";
import { fakeGcp } from "../../stacks/fake-gcp.ts";
import { isSecret, type Registered, record, result, settle } from "../mocks.ts";

process.env.GOOGLE_CLOUD_PROJECT = "my-project";
process.env.GOOGLE_REGION = "europe-west1";

let resources: Registered[];
beforeAll(() => {
  resources = record(fakeGcp).resources;
});
afterEach(() => {
  resources.length = 0;
});

const small = xo({ rows: 100 });
const lifetime = { deadline: "90 minutes" } as const;
const subnet = { network: "net", subnetwork: "sub" };
const named = (name: string) => {
  const found = resources.filter((resource) => resource.name === name);
  expect(
    found.map(({ name }) => name),
    name,
  ).toEqual([name]);
  return found[0]?.inputs ?? {};
};
const ofType = (type: string) => resources.filter((resource) => resource.type.endsWith(`:${type}`));

/** The provider keeps what is in an object as a secret. */
const plain = (content: unknown): string => (content as { readonly value: string }).value;

/** A job of one step whose script is there. */
const tiny = (step: object = {}, columns: readonly string[] = ["x"]): Job =>
  job({
    name: "tiny",
    from: import.meta.url,
    steps: [{ name: "count", script: "../step.py", ...step }],
    tables: [{ name: "points", about: "A point", columns: columns.map((name) => ({ name, type: "double" as const })) }],
  });

/** A cluster with its surroundings; what the orchestrator is told. */
async function launched(args: Partial<DataprocClusterArgs> = {}, given: Job = small): Promise<Launch> {
  await settle(() => {
    const network = args.network ?? new GcpNetwork("network");
    const lake = new GcsLake("lake", { job: given, bucket: "the-lake", dataset: "the_lake" });
    return new DataprocCluster("cluster", { job: given, lake, network, lifetime, ...args });
  });
  return JSON.parse(plain(named("cluster-launch").content));
}

describe("a lake", () => {
  const make = (args: Partial<GcsLakeArgs> = {}, given: Job = small) =>
    settle(() => new GcsLake("lake", { job: given, ...args }));

  /** What the constructor checks before the first child. */
  const check = (args: Partial<GcsLakeArgs>) => GcsLake.bill({ job: small, ...args }, "1 GB", "1 day");

  test("is closed, its data goes with it at once, and Dataproc's buckets are the stack's own", async () => {
    const lake = await make();
    const buckets = ofType("Bucket");
    expect(buckets.map(({ name }) => name).sort()).toEqual(["lake-bucket", "lake-staging", "lake-temporary"]);
    for (const { inputs } of buckets) {
      expect(inputs).toMatchObject({
        project: "my-project",
        location: "europe-west1",
        forceDestroy: true,
        uniformBucketLevelAccess: true,
        publicAccessPrevention: "enforced",
        softDeletePolicy: { retentionDurationSeconds: 0 },
        labels: { "oneoff-stack": "oneoff__test" },
      });
    }
    const { name: bucket } = named("lake-bucket");
    for (const part of ["lake-staging", "lake-temporary", "lake-dataset"]) {
      expect(named(part).labels).toEqual({ "oneoff-stack": "oneoff__test", "oneoff-lake": bucket });
    }
    expect(new Set(buckets.map(({ inputs }) => inputs.name)).size).toBe(3);
    expect(await result(lake.uri)).toBe(`gs://${named("lake-bucket").name}`);
    expect(named("lake-bucket").lifecycleRules).toEqual([
      { action: { type: "AbortIncompleteMultipartUpload" }, condition: { age: 1 } },
      { action: { type: "Delete" }, condition: { age: 30, matchesPrefixes: ["_logs/"] } },
      { action: { type: "Delete" }, condition: { age: 7, matchesPrefixes: ["_scratch/"] } },
    ]);
  });

  test("has a table of BigQuery for each of the job's, with the run first, and expires", async () => {
    await make({ keepTables: "2 days" }, londonPower({}));
    expect(named("lake-dataset")).toMatchObject({
      location: "europe-west1",
      defaultTableExpirationMs: 172_800_000,
      deleteContentsOnDestroy: true,
    });
    expect(named("lake-dataset").datasetId).toMatch(/^oneoff_test_lake_[0-9a-f]{8}$/);
    expect(ofType("Table").map(({ inputs }) => inputs.tableId)).toEqual(londonPower({}).tables.map(({ name }) => name));
    const readings = named("lake-table-readings");
    expect(JSON.parse(readings.schema as string)[0]).toEqual({
      name: "run",
      type: "STRING",
      mode: "NULLABLE",
      description: "Id of the run",
    });
    expect(
      JSON.parse(readings.schema as string).map(({ name, type }: Record<string, string>) => `${name} ${type}`),
    ).toContain("time TIMESTAMP");
    expect(readings.clusterings).toEqual([
      "run",
      ...(londonPower({}).tables.find(({ name }) => name === "readings")?.partitions ?? []),
    ]);
    expect(readings.deletionProtection).toBe(false);
  });

  test("lets viewers read results and query, and a prefix limits what a grant is for", async () => {
    const lake = await make({ viewers: ["user:ann@example.com"] });
    expect(named("lake-viewer-1-rows")).toMatchObject({
      role: "roles/bigquery.dataViewer",
      member: "user:ann@example.com",
    });
    expect(named("lake-viewer-1-jobs")).toMatchObject({ role: "roles/bigquery.jobUser" });
    expect((named("lake-viewer-1-files").condition as { expression: string }).expression).toContain(
      '/objects/_runs/")',
    );
    await settle(() => lake.grantWrite("writes", "serviceAccount:a@my-project.iam.gserviceaccount.com", "points"));
    expect(named("writes")).toMatchObject({
      role: "roles/storage.objectUser",
      condition: {
        expression: `resource.name.startsWith("projects/_/buckets/${named("lake-bucket").name}/objects/points/")`,
      },
    });
    await settle(() => lake.grantRead("reads", "group:team@example.com"));
    expect(named("reads")).toMatchObject({ role: "roles/storage.objectViewer", member: "group:team@example.com" });
    expect(named("reads").condition).toBeUndefined();
    expect(() => lake.grantRead("everybody", "allUsers")).toThrow(/closed by default/);
  });

  test("schedules queries as an account of its own, until an end that a second up leaves as it is", async () => {
    const before = Date.now();
    await make({
      queries: { best: { sql: "SELECT MAX(accuracy) AS best FROM {models}", schedule: "every day 09:00" } },
      keepQueries: "2 days",
    });
    const query = ofType("DataTransferConfig")[0]?.inputs ?? {};
    expect(query).toMatchObject({
      dataSourceId: "scheduled_query",
      displayName: "oneoff/test query best",
      schedule: "every day 09:00",
      params: { destination_table_name_template: "best", write_disposition: "WRITE_TRUNCATE" },
    });
    const { query: sql } = query.params as { query: string };
    expect(sql).toBe(`SELECT MAX(accuracy) AS best FROM \`my-project.${named("lake-dataset").datasetId}.models\``);
    const end = Date.parse((query.scheduleOptions as { endTime: string }).endTime);
    expect(end - before).toBeGreaterThan(2 * 86_400_000 - 5000);
    expect(end - before).toBeLessThan(2 * 86_400_000 + 60_000);
    expect(named("lake-queries-agent")).toMatchObject({ role: "roles/iam.serviceAccountTokenCreator" });
    expect(named("lake-schedules-api")).toMatchObject({
      service: "bigquerydatatransfer.googleapis.com",
      disableOnDestroy: false,
    });
    expect(named("lake-queries-rows")).toMatchObject({ role: "roles/bigquery.dataEditor" });
  });

  test("loads a CSV file of the user's, ignoring what is too much in a line", async () => {
    await make({ csv: { power: { from: "gs://my-data/power-*.csv", nullMarker: "Null" } } });
    expect(named("lake-csv-power").load).toMatchObject({
      sourceUris: ["gs://my-data/power-*.csv"],
      ignoreUnknownValues: true,
      skipLeadingRows: 1,
      nullMarker: "Null",
      destinationTable: { tableId: "power" },
    });
  });

  test("stays where it is when it is to be retained", async () => {
    await make({ removal: "retain" });
    expect(named("lake-bucket")).toMatchObject({ forceDestroy: false, labels: { "oneoff-removal": "retain" } });
  });

  test.each<[Partial<GcsLakeArgs>, RegExp]>([
    [{ dataset: "my-power" }, /^dataset is "my-power": expected letters, digits and underscores \(no dashes\)/],
    [{ bucket: "My.Lake" }, /^bucket is "My.Lake": expected 3 to 63 lower-case letters/],
    [{ bucket: "google-lake" }, /^bucket is "google-lake"/],
    [{ viewers: ["ann@example.com"] }, /^viewers is "ann@example.com": expected a member with its type/],
    [{ viewers: ["allUsers"] }, /^viewers is "allUsers", which is everybody/],
    [{ keepLogs: "36 hours" }, /^keepLogs is "36 hours": Google counts in whole days/],
    [{ keepTables: "10 minutes" }, /^keepTables is "10 minutes": expected "1 hour" or more/],
    [{ queryLimit: "5 MB" }, /^queryLimit is "5 MB": BigQuery bills every query for "10 MB" at least/],
    [
      { queries: { q: { sql: "SELECT 1", schedule: "daily" } } },
      /^queries.q.schedule is "daily": expected a schedule in UTC/,
    ],
    [
      { queries: { q: { sql: "SELECT 1", schedule: "every 1 minutes" } } },
      /^queries.q.schedule is .*every 5 minutes at most/,
    ],
    [
      { queries: { q: { sql: "SELECT * FROM {nothing}", schedule: "every 24 hours" } } },
      /^queries.q.sql reads \{nothing\}/,
    ],
    [
      { queries: { points: { sql: "SELECT 1", schedule: "every 24 hours" } } },
      /^queries is "points", which is a table/,
    ],
    [{ csv: { points: { from: "gs://my-data/a.csv" } } }, /^csv is "points", which is a table of job "xo": choose/],
    [{ csv: { power: { from: "power.csv" } } }, /^csv.power.from is "power.csv": expected an object of a bucket/],
    [{ project: undefined, region: "europe-west1-b" }, /^region is "europe-west1-b": expected a region/],
  ])("refuses %o", (args, message) => {
    expect(() => check(args)).toThrow(message);
    expect(resources).toEqual([]);
  });

  test("refuses columns that BigQuery refuses", () => {
    const long = "x".repeat(301);
    expect(() => check({ job: tiny({}, [long]) })).toThrow(/of 301 characters: BigQuery takes 300/);
    const many = Array.from({ length: 10_000 }, (_, i) => `c${i}`);
    expect(() => check({ job: tiny({}, many) })).toThrow(/has 10000 columns: BigQuery takes 9999/);
    expect(resources).toEqual([]);
  });
});

describe("a schedule", () => {
  const scheduled = (schedule: string) => ({ job: small, queries: { q: { sql: "SELECT 1", schedule } } });

  test.each([
    "every 24 hours",
    "every 5 minutes",
    "every 12 hours from 08:00 to 20:00",
    "every day 00:00",
    "every monday 09:00",
    "every mon,thu 23:59",
    "1st,3rd monday of month 15:30",
    "first sunday of quarter 00:00",
    "every wed,fri of jan,jun 13:15",
    "1,15 of month 06:00",
  ])("may be %o", async (schedule) => {
    await settle(() => new GcsLake("lake", scheduled(schedule)));
    expect(ofType("DataTransferConfig").map(({ inputs }) => inputs.schedule)).toEqual([schedule]);
  });

  test.each(["", "daily", "every", "every day", "every day 24:00", "every 90 seconds", "0 9 * * *", "Every day 09:00"])(
    "may not be %o",
    (schedule) => {
      expect(() => GcsLake.bill(scheduled(schedule), "1 GB", "1 day")).toThrow(/^queries\.q\.schedule is /);
    },
  );
});

describe("a workflow", () => {
  test("is a template whose cluster lives for the run, one job a step, each after the one before", async () => {
    const launch = await launched();
    const template = named("cluster-template");
    expect(template).toMatchObject({ location: "europe-west1", dagTimeout: "5400s" });
    const jobs = template.jobs as { stepId: string; prerequisiteStepIds?: string[]; pysparkJob: { args: string[] } }[];
    expect(jobs.map(({ stepId, prerequisiteStepIds }) => [stepId, prerequisiteStepIds])).toEqual([
      ["step-generate", undefined],
      ["step-train", ["step-generate"]],
    ]);
    const [{ fields }] = template.parameters as [{ fields: string[] }];
    for (const [i, { stepId, pysparkJob }] of jobs.entries()) {
      const at = pysparkJob.args.indexOf("{deadline}");
      expect(pysparkJob.args[at - 1]).toBe("--deadline");
      expect(fields[i]).toBe(`jobs['${stepId}'].pysparkJob.args[${at}]`);
    }
    expect(launch).toMatchObject({ mode: "workflow", run: "1", deadlineSeconds: 5400, bucket: "the-lake" });
    expect(named("cluster-template").name).toMatch(new RegExp(`/?${launch.template}$`));
    expect(ofType("Cluster")).toEqual([]);
  });

  test("has a closed cluster that ends by itself and leaves no bucket behind", async () => {
    await launched();
    const placement = named("cluster-template").placement as { managedCluster: { config: Record<string, unknown> } };
    expect(placement.managedCluster.config).toMatchObject({
      stagingBucket: named("lake-staging").name,
      tempBucket: named("lake-temporary").name,
      lifecycleConfig: { autoDeleteTtl: "5400s" },
      gceClusterConfig: {
        internalIpOnly: true,
        shieldedInstanceConfig: { enableSecureBoot: true, enableVtpm: true, enableIntegrityMonitoring: true },
        metadata: {
          "oneoff-code": expect.stringMatching(/^gs:\/\/the-lake\/_code\/[0-9a-f]{16}$/),
          "oneoff-venvs": expect.stringMatching(/^recorder=gs:\/\/the-lake\/_wheels\/[0-9a-f]{16} step-/),
        },
      },
      workerConfig: { numInstances: 2, machineType: "n2-standard-4" },
    });
    expect(placement.managedCluster.config.secondaryWorkerConfig).toBeUndefined();
  });

  test("puts what its machines fetch into the lake, under the digest that they are told", async () => {
    await launched();
    const keys = ofType("BucketObject").map(({ inputs }) => inputs.name as string);
    const config = (named("cluster-template").placement as { managedCluster: { config: unknown } }).managedCluster
      .config as { initializationActions: { executableFile: string }[] };
    const script = config.initializationActions[0]?.executableFile.replace("gs://the-lake/", "");
    expect(keys).toContain(script);
    const [main] = (named("cluster-template").jobs as { pysparkJob: { mainPythonFileUri: string } }[]).map(
      ({ pysparkJob }) => pysparkJob.mainPythonFileUri.replace("gs://the-lake/", ""),
    );
    expect(keys).toContain(main);
    for (const name of ["node/step.py", "node/oneoff.py", "node/google_cloud.py", "steps/train/train.py"]) {
      expect(keys.filter((key) => key.endsWith(`/${name}`))).toHaveLength(1);
    }
  });

  test("has spot machines and a policy that adds them, where they are asked for", async () => {
    await launched({ workers: { count: 2, spot: 1, upTo: 5 } });
    const { managedCluster } = named("cluster-template").placement as { managedCluster: { config: object } };
    expect(managedCluster.config).toMatchObject({
      secondaryWorkerConfig: { numInstances: 1, preemptibility: "SPOT" },
      autoscalingConfig: { policy: expect.stringContaining("oneoff-") },
    });
    expect(named("cluster-autoscaling")).toMatchObject({
      workerConfig: { minInstances: 2, maxInstances: 2 },
      secondaryWorkerConfig: { minInstances: 1, maxInstances: 5 },
    });
  });
});

describe("a cluster that stays", () => {
  test("ends by idleness and by a point in time, and has JupyterLab with a notebook of the lake", async () => {
    const before = Date.now();
    const launch = await launched({
      mode: "cluster",
      lifetime: { deadline: "3 hours", idle: "20 minutes" },
      runId: "Run.7",
    });
    const cluster = named("cluster-Run.7");
    const config = cluster.clusterConfig as { lifecycleConfig: { idleDeleteTtl: string; autoDeleteTime: string } };
    expect(config).toMatchObject({
      endpointConfig: { enableHttpPortAccess: true },
      softwareConfig: { imageVersion: "2.3-debian12", optionalComponents: ["JUPYTER"] },
      gceClusterConfig: { internalIpOnly: true },
    });
    expect(config.lifecycleConfig.idleDeleteTtl).toBe("1200s");
    const end = Date.parse(config.lifecycleConfig.autoDeleteTime) - before;
    expect(end).toBeGreaterThan(3 * 3_600_000 - 5000);
    expect(end).toBeLessThan(3 * 3_600_000 + 60_000);
    expect(cluster.name).toMatch(/^oneoff-test-run-7-[0-9a-f]{4}-[0-9a-f]{8}$/);
    expect(launch.cluster).toBe(cluster.name);
    expect(launch.steps[0]?.request).toMatchObject({ pysparkJob: { args: expect.arrayContaining(["spark-submit"]) } });
    expect(named("cluster-notebook")).toMatchObject({ name: "notebooks/jupyter/lake-Run.7.ipynb" });
    const notebook = plain(named("cluster-notebook").content);
    expect(notebook).toContain("gs://the-lake");
    expect(JSON.parse(notebook).cells.length).toBeGreaterThan(1);
  });

  test("is named differently for runs that differ in what names can't have", async () => {
    const names = [];
    for (const runId of ["v1.0", "v1-0", "V1-0"]) {
      await launched({ mode: "cluster", runId });
      names.push(String(named(`cluster-${runId}`).name).replace(/-[0-9a-f]{8}$/, ""));
      resources.length = 0;
    }
    expect(new Set(names).size).toBe(3);
    expect(names[1]).toBe("oneoff-test-v1-0");
  });

  test("takes Kerberos and a key of the user's", async () => {
    const key = "projects/p/locations/l/keyRings/r/cryptoKeys/k";
    await launched({ mode: "cluster", kerberos: { kmsKey: key, rootPassword: "gs://b/p.encrypted" }, kmsKey: key });
    expect(named("cluster-1").clusterConfig).toMatchObject({
      encryptionConfig: { kmsKeyName: key },
      securityConfig: {
        kerberosConfig: { enableKerberos: true, kmsKeyUri: key, rootPrincipalPasswordUri: "gs://b/p.encrypted" },
      },
    });
    expect(named("cluster-nodes-decrypt")).toMatchObject({
      cryptoKeyId: key,
      role: "roles/cloudkms.cryptoKeyDecrypter",
      member: expect.stringContaining("nodes"),
    });
    expect(named("cluster-nodes-password")).toMatchObject({ bucket: "b", role: "roles/storage.objectViewer" });
  });

  test("can be a single machine", async () => {
    await launched({ mode: "cluster", workers: { count: 0 } });
    const config = named("cluster-1").clusterConfig as Record<string, unknown>;
    expect(config.workerConfig).toBeUndefined();
    expect(config.softwareConfig).toMatchObject({
      overrideProperties: { "dataproc:dataproc.allow.zero.workers": "true" },
    });
  });
});

describe("batches", () => {
  test("are one a step, with their packages from the lake", async () => {
    const launch = await launched({ mode: "batch", workers: { count: 2, upTo: 4 } });
    expect(ofType("WorkflowTemplate")).toEqual([]);
    expect(ofType("Cluster")).toEqual([]);
    const [, train] = launch.steps;
    expect(train?.request).toMatchObject({
      runtimeConfig: {
        version: "2.3",
        properties: {
          "spark.executor.instances": "2",
          "spark.dynamicAllocation.maxExecutors": "4",
          "spark.executorEnv.PYTHONPATH": "./packages",
        },
      },
      environmentConfig: { executionConfig: { stagingBucket: named("lake-staging").name } },
      labels: { "oneoff-stack": "oneoff__test", "oneoff-run": "1" },
    });
    const { pysparkBatch } = (train?.request ?? {}) as { pysparkBatch: { args: string[]; archiveUris: string[] } };
    expect(pysparkBatch.args.slice(pysparkBatch.args.indexOf("--"), pysparkBatch.args.indexOf("--") + 2)).toEqual([
      "--",
      "steps/train/train.py",
    ]);
    const archives = launch.wheels.map(({ archive }) => `gs://the-lake/${archive}#packages`);
    expect(archives).toContain(pysparkBatch.archiveUris[0]);
  });
});

describe("the orchestrator", () => {
  const job = () => {
    const inputs = named("cluster-orchestrator-job") as { startExecutionToken: string; template: { template: object } };
    return { token: inputs.startExecutionToken, template: inputs.template.template, inputs };
  };

  test("runs as an account of its own, ends by itself, and is started by a token of the run", async () => {
    await launched();
    const { token, template, inputs } = job();
    expect(inputs).toMatchObject({ deletionProtection: false, location: "europe-west1" });
    expect(template).toMatchObject({
      timeout: "6300s",
      serviceAccount: expect.stringContaining("orchestrator"),
    });
    const [{ args }] = (template as { containers: [{ args: string[] }] }).containers;
    expect(args.slice(-3)).toEqual(["the-lake", expect.stringMatching(/^_code\/.*mjs$/), named("cluster-launch").name]);
    expect(named("cluster-launch").name).toMatch(/^_clusters\/1\/launch-[0-9a-f]{16}\.json$/);
    expect(token).toMatch(/^r1-[0-9a-f]{8}$/);
    resources.length = 0;
    await launched({ runId: "2" });
    expect(job().token).toMatch(/^r2-[0-9a-f]{8}$/);
  });

  test("may act as the machines' account and write the lake, and has no role of the project but two", async () => {
    await launched();
    const roles = (type: string) =>
      ofType(type)
        .filter(({ inputs }) => String(inputs.member).includes("orchestrator"))
        .map(({ inputs }) => inputs.role);
    expect(roles("IAMMember").sort()).toEqual([
      "roles/bigquery.jobUser",
      "roles/dataproc.editor",
      "roles/iam.serviceAccountUser",
    ]);
    expect(roles("BucketIAMMember").sort()).toEqual(["roles/storage.legacyBucketReader", "roles/storage.objectUser"]);
  });
});

test("secrets are kept in Secret Manager, for the machines alone, and never in plain text", async () => {
  const secretive = tiny({ secrets: ["token"], arguments: ["--token", "{secret:token}"] });
  const launch = await launched({ mode: "cluster", secrets: { token: "hush!" } }, secretive);
  expect(isSecret(named("cluster-secret-token-value").secretData)).toBe(true);
  expect(named("cluster-secret-token-access")).toMatchObject({
    role: "roles/secretmanager.secretAccessor",
    member: expect.stringContaining("nodes"),
  });
  expect(JSON.stringify(launch)).not.toContain("hush!");
  const { pysparkJob } = (launch.steps[0]?.request ?? {}) as { pysparkJob: { args: string[] } };
  expect(pysparkJob.args).toEqual(expect.arrayContaining(["--token", "/dev/shm/oneoff-token"]));
  expect(pysparkJob.args[pysparkJob.args.indexOf("--secret") + 1]).toMatch(/^token=projects\//);
});

test("a cluster takes the lake's job, or a copy of it", async () => {
  const copied = await launched({ job: structuredClone(small) });
  resources.length = 0;
  const { job, steps, tables, wheels } = await launched({ job: undefined });
  expect({ ...copied, job, steps, tables, wheels }).toEqual(copied);
  expect(job).toBe("xo");
});

test("a bucket that the job reads is granted once, after those that are given, and never the lake's own", async () => {
  const reads = ["gs://ours/a", "gs://theirs", "gs://ours/b", "gs://the-lake/raw"];
  const granted = async (args: Partial<DataprocClusterArgs>, own: readonly string[]) => {
    resources.length = 0;
    await launched({ job: undefined, ...args }, { ...small, reads: own });
    return resources
      .filter(({ name }) => name.includes("-nodes-reads-"))
      .map(({ name, inputs }) => [name, inputs.bucket, inputs.role]);
  };
  const role = "roles/storage.objectViewer";
  expect(await granted({}, [])).toEqual([]);
  expect(await granted({ reads: ["theirs", "other"] }, [])).toEqual([
    ["cluster-nodes-reads-1", "theirs", role],
    ["cluster-nodes-reads-2", "other", role],
  ]);
  expect(await granted({ reads: ["theirs", "other"] }, reads)).toEqual([
    ["cluster-nodes-reads-1", "theirs", role],
    ["cluster-nodes-reads-2", "other", role],
    ["cluster-nodes-reads-3", "ours", role],
  ]);
  expect(await granted({}, reads)).toEqual([
    ["cluster-nodes-reads-1", "ours", role],
    ["cluster-nodes-reads-2", "theirs", role],
  ]);
});

describe("who may cancel runs", () => {
  test("is nobody else where nobody is named: no role is made", async () => {
    await launched();
    expect(ofType("IAMCustomRole")).toEqual([]);
  });

  test("begins nothing, makes requests once and writes records alone", async () => {
    await launched({ cancellers: ["user:ann@example.com"] });
    const [role] = ofType("IAMCustomRole");
    const permissions = role?.inputs.permissions as string[];
    expect(permissions.filter((one) => !/^(dataproc|run)\.\w+\.(cancel|get|list|delete)$/.test(one))).toEqual([]);
    expect(permissions.filter((one) => one.endsWith(".delete"))).toEqual(["dataproc.clusters.delete"]);
    expect(role?.inputs.roleId).toMatch(/^oneoff_cancel_[0-9a-f]{8}$/);
    const given = resources.filter(({ inputs }) => inputs.member === "user:ann@example.com");
    expect(
      given.map(({ name, inputs }) => [name, inputs.role, (inputs.condition as { expression: string })?.expression]),
    ).toMatchInlineSnapshot(`
      [
        [
          "cluster-canceller-1-runs",
          "cluster-cancel-role-8636c75",
          undefined,
        ],
        [
          "cluster-canceller-1-reads-bucket",
          "roles/storage.legacyBucketReader",
          undefined,
        ],
        [
          "cluster-canceller-1-reads",
          "roles/storage.objectViewer",
          "resource.name.startsWith("projects/_/buckets/the-lake/objects/_cancels/") || resource.name.startsWith("projects/_/buckets/the-lake/objects/_runs/") || resource.name.startsWith("projects/_/buckets/the-lake/objects/_launches/") || resource.name.startsWith("projects/_/buckets/the-lake/objects/_clusters/") || resource.name.startsWith("projects/_/buckets/the-lake/objects/_logs/")",
        ],
        [
          "cluster-canceller-1-asks",
          "roles/storage.objectCreator",
          "resource.name.startsWith("projects/_/buckets/the-lake/objects/_cancels/")",
        ],
        [
          "cluster-canceller-1-records",
          "roles/storage.objectUser",
          "resource.name.startsWith("projects/_/buckets/the-lake/objects/_runs/")",
        ],
      ]
    `);
  });
});

describe("what is refused before anything is made", () => {
  test.each(["s3://books/novels", "/data/books"])("a job that reads %s", async (address) => {
    const reading: Job = { ...small, reads: ["gs://books", address] };
    const message = `job.reads has "${address}", and Dataproc's machines can be let read nothing but Cloud Storage: copy it there and give that address, such as "gs://bucket/prefix"`;
    expect(attempt({}, reading)).toThrow(message);
    const lake = { job: reading } as GcsLake;
    await settle(() =>
      expect(() => new DataprocCluster("cluster", { lake, network: subnet, lifetime })).toThrow(message),
    );
    expect(resources.filter(({ custom }) => custom)).toEqual([]);
  });

  test.each<[Job, string]>([
    [londonPower(), 'job is "london-power" and lake is of job "xo": leave job out'],
    [{ ...small, panels: small.panels.slice(1) }, "of a job of that name that has a panel"],
    [{ ...small, tables: small.tables.map((table) => ({ ...table, columns: [] })) }, "has other columns"],
  ])("another job than the lake's: %#, %s", async (other, message) => {
    const lake = { job: small } as GcsLake;
    await settle(() =>
      expect(() => new DataprocCluster("cluster", { job: other, lake, network: subnet, lifetime })).toThrow(message),
    );
    expect(resources.filter(({ custom }) => custom)).toEqual([]);
  });

  const attempt =
    (args: Partial<DataprocClusterArgs>, given: Job = small) =>
    () =>
      DataprocCluster.bill({ job: given, lifetime, ...args });

  test.each<[Partial<DataprocClusterArgs>, RegExp]>([
    [{ mode: "serverless" as never }, /^mode is "serverless": expected "cluster", "workflow", "batch"/],
    [
      { mode: "cluster", lifetime: { deadline: "2 hours", idle: "4 minutes" } },
      /^lifetime.idle is "4 minutes": Dataproc takes "5 minutes" to "14 days"/,
    ],
    [{ mode: "cluster", lifetime: { deadline: "15 days" } }, /^deadline is "15 days" .*"20 minutes" to "14 days"/],
    [{ lifetime: { deadline: "25 hours" } }, /^deadline is "25 hours" .*"20 minutes" to "24 hours"/],
    [
      { lifetime: { deadline: "2 hours", idle: "10 minutes" } },
      /^lifetime.idle is "10 minutes" and mode is "workflow"/,
    ],
    [{ workers: { count: 1 } }, /^workers.count is 1: Dataproc takes 2 or more, or 0/],
    [{ workers: { count: 0, spot: 2 } }, /^workers.count is 0, and a cluster of one node has no spot machines/],
    [{ workers: { count: 2, spot: 3, upTo: 2 } }, /^workers.upTo is 2 and workers.spot is 3/],
    [{ mode: "batch", workers: { count: 1 } }, /^workers.count is 1: a batch has 2 executors or more/],
    [{ mode: "batch", workers: { count: 2, spot: 1 } }, /^workers.spot is 1 and mode is "batch"/],
    [{ workers: { count: 2, type: "n2-huge-4" } }, /^workers.type is "n2-huge-4": its price is not known/],
    [{ mode: "batch", driverMemory: "64 GB" }, /^driverMemory is "64 GB": a batch's driver takes "4 GB" to "24 GB"/],
    [
      { workers: { count: 2, type: "n4-standard-4" } },
      /^workers.type is "n4-standard-4", which takes none of the disks/,
    ],
    [{ mode: "batch", lifetime: { deadline: "7 days" } }, /^deadline is "7 days" .*"20 minutes" to "6 days"/],
    [{ primary: "e2-small" }, /^primary is "e2-small", with 2 GB of memory: Dataproc needs 2 vCPUs and 7 GB/],
    [{ imageVersion: "1.3" }, /^imageVersion is "1.3": expected one of 2.2 or 2.3/],
    [{ runtimeVersion: "2.2" }, /^runtimeVersion is "2.2": expected "2.3"/],
    [{ disk: "10 GB" }, /^disk is "10 GB": expected whole gigabytes, "30 GB" to "64 TB"/],
    [{ mode: "batch", kerberos: { kmsKey: "k", rootPassword: "p" } }, /^kerberos is set and mode is "batch"/],
    [{ network: { ...subnet, subnetwork: "" } }, /^network has a network and no subnetwork/],
    [{ runId: "a b" }, /^runId is "a b"/],
    [{ project: "My Project" }, /^project is "My Project": expected a project's id/],
    [{ lifetime: { deadline: "90 minutes", maxCost: 0.01 } }, /^maxCost is 0.01 USD and this can cost up to/],
  ])("%o", (args, message) => {
    expect(attempt(args)).toThrow(message);
    expect(resources).toEqual([]);
  });

  test("what machines without a way out could not fetch, and what batches can't run", () => {
    const packages = tiny({ packages: ["org.apache.spark:spark-avro_2.12:3.5.3"] });
    expect(attempt({}, packages)).toThrow(/machines without a public address reach no Maven repository/);
    expect(attempt({ network: subnet }, packages)).not.toThrow();
    const jar = tiny({ script: undefined, jar: "gcp.test.ts", mainClass: "a.B" });
    expect(attempt({ mode: "batch" }, jar)).toThrow(/is a jar, which mode "batch" can't run/);
    expect(attempt({}, tiny({ secrets: ["token"] }))).toThrow(/^secrets has no "token", which job "tiny" asks for/);
  });

  test("nothing known of project or region", () => {
    const { GOOGLE_CLOUD_PROJECT, GOOGLE_REGION } = process.env;
    try {
      process.env.GOOGLE_CLOUD_PROJECT = "";
      expect(attempt({})).toThrow(/^there is no project: pulumi config set gcp:project my-project/);
      process.env.GOOGLE_CLOUD_PROJECT = "my-project";
      process.env.GOOGLE_REGION = "";
      expect(attempt({})).toThrow(/^there is no region: pulumi config set gcp:region europe-west1/);
    } finally {
      Object.assign(process.env, { GOOGLE_CLOUD_PROJECT, GOOGLE_REGION });
    }
  });
});

test("the bill grows with machines and time, and not with the mode's name", () => {
  const bill = (args: Partial<DataprocClusterArgs> = {}) =>
    ceiling(DataprocCluster.bill({ job: small, lifetime, ...args }));
  expect(bill({ workers: { count: 4 } })).toBeGreaterThan(bill());
  expect(bill({ workers: { count: 2, spot: 2 } })).toBe(bill({ workers: { count: 2, upTo: 2 } }));
  expect(bill({ lifetime: { deadline: "3 hours" } })).toBeGreaterThan(bill());
  expect(DATAPROC_DEADLINES.workflow).toEqual(["20 minutes", "24 hours"]);
});

test("labels are what Google takes, and two texts never become one", () => {
  expect(stackLabel("oneoff/dataproc")).toBe("oneoff__dataproc");
  expect(labelValue("Run.7")).toMatch(/^run-7-[0-9a-f]{8}$/);
  expect(labelValue("Run.7")).not.toBe(labelValue("run-7"));
  expect(labelValue("x".repeat(80))).toHaveLength(63);
});
