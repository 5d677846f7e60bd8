import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { jobKind, jobSettings, jobs } from "../assets/jobs/registry.ts";
import { outputs } from "../components/common/outputs.ts";
import { stackProgram } from "../components/common/stack.ts";
import {
  BigQueryDashboard,
  ceiling,
  DataprocCluster,
  DataprocMode,
  GcpNetwork,
  type GcpSubnet,
  GcsLake,
  Removal,
  refuseAbove,
} from "../components/gcp/index.ts";
import { checkSchedule } from "../components/gcp/schedule.ts";
import { seconds } from "../core/duration.ts";
import { UsageError } from "../core/errors.ts";
import type { Job } from "../core/job.ts";
import { count, duration, flag, inSettingsOf, runId, size, texts } from "../core/settings.ts";

const machines = () => z.coerce.number("expected a whole number, 0 or more").int("expected a whole number").min(0);

const settings = z.object({
  job: z
    .string()
    .default("xo")
    .describe(`Which job to run: ${Object.keys(jobs).join(", ")}`),
  runId: runId().default("1").describe("Names the run; only a new one computes again (`npx --no oneoff run` sets one)"),
  mode: z
    .enum(DataprocMode)
    .default("workflow")
    .describe(
      "What runs the steps: workflow (a cluster for the run alone), cluster (one that stays a while, with JupyterLab) or batch (serverless)",
    ),
  deadline: duration(...DataprocCluster.deadlines.cluster)
    .default("90 minutes")
    .describe(
      "Machines are ended this long after the run's begin, finished or not: 24 hours at most in mode workflow, 6 days in batch",
    ),
  idle: duration("5 minutes", "14 days")
    .optional()
    .describe("Mode cluster: it ends after so long without work; 15 minutes when not set"),
  maxCost: z.coerce
    .number("expected USD above zero")
    .positive("expected USD above zero")
    .optional()
    .describe("USD: refused when all of it together can cost more"),
  workers: machines().default(2).describe("Machines beside the primary node, 2 or more, or 0; in mode batch executors"),
  workerType: z.string().default("n2-standard-4").describe("Their machine type"),
  primaryType: z.string().default("n2-standard-4").describe("Machine type of the primary node"),
  spotWorkers: machines().default(0).describe("Spot machines beside the workers, as many as are to be had"),
  autoscale: count().optional().describe("Let Dataproc add spot machines (mode batch: executors), so many at most"),
  disk: size().default("100 GB").describe("Disk of each machine: system, HDFS, shuffles, logs"),
  driverMemory: size().optional().describe("Memory of the driver; Dataproc decides when not set"),
  imageVersion: z.string().default("2.3-debian12").describe("Dataproc image"),
  runtimeVersion: z.string().default("2.3").describe("Serverless runtime, for mode batch"),
  reads: texts().optional().describe("Names of buckets of other projects that the steps read, separated by commas"),
  packageIndex: z.string().optional().describe("Where the job's wheels come from; PyPI when not set"),
  network: z.string().optional().describe("A VPC network of yours, with `subnetwork`; one is made when not set"),
  subnetwork: z.string().optional().describe("A subnetwork of `network` in the region, with Private Google Access"),
  kerberosKey: z
    .string()
    .optional()
    .describe("KMS key of an encrypted root password: sets up Kerberos, with `kerberosPassword`"),
  kerberosPassword: z.string().optional().describe("Address of that password in Cloud Storage, gs://bucket/object"),
  kmsKey: z.string().optional().describe("KMS key that encrypts the machines' disks; Google's own when not set"),
  bucket: z.string().optional().describe("Name of the lake's bucket; one is made up when not set"),
  dataset: z.string().optional().describe("Id of the BigQuery dataset; one is made up when not set"),
  viewers: texts()
    .optional()
    .describe("Who may read results and query tables: user:ann@example.com, group:..., separated by commas"),
  cancellers: texts()
    .optional()
    .describe("Who may cancel runs, and nothing else: user:ann@example.com, group:..., separated by commas"),
  removal: z.enum(Removal).default("delete").describe("What `pulumi destroy` does with the results: delete or retain"),
  csv: z.string().optional().describe("Address of a CSV file of yours, which BigQuery loads into table `csv`"),
  csvNull: z.string().optional().describe("Text that stands for a missing value in it"),
  refresh: flag()
    .default(true)
    .describe("Have BigQuery run the dashboard's queries on `schedule`, each into a table `panel_...`"),
  schedule: z.string().default("every 24 hours").describe("When, in UTC"),
  queryLimit: size().default("10 GB").describe("A query that would be billed for more is refused"),
  dashboardDeadline: duration(...BigQueryDashboard.deadlines)
    .default("7 days")
    .describe("The dashboard's instance is stopped this long after its start, and schedules end"),
  dashboardType: z.string().default("e2-small").describe("Machine type of the dashboard"),
  zone: z.string().optional().describe("Zone of the dashboard; zone b of the region when not set"),
  dailyScan: size().default("10 GB").describe("The most that the dashboard's queries may be billed for in a day"),
});
type Settings = z.output<typeof settings>;

export default stackProgram({
  about: "A job on throwaway Dataproc: results in Cloud Storage and BigQuery, scheduled queries, a small dashboard",
  rents: true,
  // The job's own settings are for the job alone; the program sees those of the stack.
  settings: (given) => settings.extend(jobKind(given["oneoff:job"]).settings.shape) as typeof settings,
  run(settings) {
    const job = jobKind(settings.job).create(settings);
    const { deadline, dashboardDeadline } = settings;
    const own = subnetOf(settings);
    const lakeArgs = lakeOf(settings, job);
    const clusterArgs = clusterOf(settings);
    const dashboardArgs = {
      lifetime: { deadline: dashboardDeadline },
      machineType: settings.dashboardType,
      dailyScan: settings.dailyScan,
      ...(settings.zone && { zone: settings.zone }),
    };
    // The bill comes first: it is refused before anything is made, and so is everything that it rests on.
    const stands = seconds(deadline) > seconds(dashboardDeadline) ? deadline : dashboardDeadline;
    const bill = [
      ...inSettings(() => DataprocCluster.bill({ ...clusterArgs, job, network: own }, stands)),
      ...inDashboardSettings(() => BigQueryDashboard.bill(dashboardArgs, stands)),
      ...inSettings(() => {
        checkSchedule("schedule", settings.schedule);
        return GcsLake.bill(lakeArgs, "10 GB", stands);
      }),
    ];
    inSettings(() => refuseAbove(settings.maxCost, bill));
    const say = `This can cost ${ceiling(bill).toFixed(2)} USD at most; "npx --no oneoff cost ${pulumi.getStack()}" shows what for`;
    pulumi.log.info(say);

    const network = own ?? new GcpNetwork("network");
    const lake = new GcsLake("lake", lakeArgs);
    const cluster = new DataprocCluster("cluster", { ...clusterArgs, lake, network });
    const dashboard = new BigQueryDashboard("dashboard", { ...dashboardArgs, lake, network });
    return outputs({ cluster, dashboard, bill });
  },
});

/** Errors name settings, and here stand the arguments of the components that are called otherwise. */
const inSettings = inSettingsOf(settings.extend(jobSettings.shape), {
  "job.reads": "input",
  "lifetime.idle": "idle",
  "workers.count": "workers",
  "workers.spot": "spotWorkers",
  "workers.upTo": "autoscale",
  "csv.csv.from": "csv",
  "workers.type": "workerType",
  primary: "primaryType",
  kerberos: "kerberosKey",
});

const inDashboardSettings = inSettingsOf(settings, { deadline: "dashboardDeadline", machineType: "dashboardType" });

/** The user's own subnetwork; undefined where the stack makes its own. */
function subnetOf({ network, subnetwork }: Settings): GcpSubnet | undefined {
  if (!network && !subnetwork) return undefined;
  if (!network) {
    throw new UsageError(
      "oneoff:subnetwork is set and oneoff:network is not: give the VPC network that the subnetwork is in",
    );
  }
  if (!subnetwork) {
    throw new UsageError("oneoff:network is set and oneoff:subnetwork is not: give one of its region, or set neither");
  }
  return { network, subnetwork };
}

function lakeOf(settings: Settings, job: Job) {
  const { bucket, dataset, viewers, removal, queryLimit, dashboardDeadline } = settings;
  return {
    job,
    removal,
    queryLimit,
    keepQueries: dashboardDeadline,
    ...(bucket && { bucket }),
    ...(dataset && { dataset }),
    ...(viewers && { viewers }),
    ...(settings.csv && {
      csv: { csv: { from: settings.csv, ...(settings.csvNull && { nullMarker: settings.csvNull }) } },
    }),
    ...(settings.refresh && { queries: panelQueries(job, settings) }),
  };
}

/** The dashboard's queries for the newest run that has rows, each into a table of its own. */
function panelQueries(job: Job, { schedule, runId, deadline }: Settings) {
  return Object.fromEntries(
    job.panels.map(({ name, sql }) => [
      `panel_${name.replaceAll("-", "_")}`,
      {
        schedule,
        after: deadline,
        // What is doubled stays so, since the query is filled in once more.
        sql: sql.replace(/\{\{|\}\}|\{(\w+)\}/g, (token, table) =>
          table === undefined ? token : `(SELECT * FROM {${table}} WHERE run = '${runId}')`,
        ),
      },
    ]),
  );
}

function clusterOf(settings: Settings) {
  const { mode, deadline, idle, kerberosKey, kerberosPassword } = settings;
  if (!kerberosKey !== !kerberosPassword) {
    const [set, missing] = kerberosKey ? ["kerberosKey", "kerberosPassword"] : ["kerberosPassword", "kerberosKey"];
    throw new UsageError(`oneoff:${set} is set and oneoff:${missing} is not: they go together`);
  }
  return {
    mode,
    lifetime: { deadline, ...(idle && { idle }) },
    workers: {
      count: settings.workers,
      type: settings.workerType,
      spot: settings.spotWorkers,
      ...(settings.autoscale && { upTo: settings.autoscale }),
    },
    primary: settings.primaryType,
    runId: settings.runId,
    disk: settings.disk,
    imageVersion: settings.imageVersion,
    runtimeVersion: settings.runtimeVersion,
    ...(settings.driverMemory && { driverMemory: settings.driverMemory }),
    ...(settings.reads && { reads: settings.reads }),
    ...(settings.cancellers && { cancellers: settings.cancellers }),
    ...(settings.packageIndex && { packageIndex: settings.packageIndex }),
    ...(kerberosKey && kerberosPassword && { kerberos: { kmsKey: kerberosKey, rootPassword: kerberosPassword } }),
    ...(settings.kmsKey && { kmsKey: settings.kmsKey }),
  };
}
