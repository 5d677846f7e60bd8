import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { bigQueryTable, checkDatasetId, checkTableId, scanMebibytes } from "../../core/bigquery-table.ts";
import type { BillLine } from "../../core/bill.ts";
import { type Duration, seconds } from "../../core/duration.ts";
import { invalid } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import { Label } from "../../core/labels.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { checkRemoval, Removal } from "../../core/removal.ts";
import { mebibytes, type Size } from "../../core/size.ts";
import { SqlEngine } from "../../core/sql-engine.ts";
import { lakeLabels, physicalName, stackLabels } from "../common/naming.ts";
import { checkPanels } from "../common/panels.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import { gcsLakeBill } from "./bill.ts";
import { type Granted, type Member, readObjects, runQueries, useDataset, writeObjects } from "./grants.ts";
import { checkMember, checkProject, checkRegion, googleProject, googleRegion } from "./project.ts";
import { checkQueries, type ScheduledQuery, scheduleQueries } from "./scheduled-queries.ts";

export interface GcsLakeArgs {
  /** The job whose tables lie in the lake. */
  readonly job: Job;
  /** Name of the bucket, unique in the world. @default project, stack and this component's name, and 8 random digits */
  readonly bucket?: string;
  /** Id of the BigQuery dataset. @default as the bucket's name, with underscores */
  readonly dataset?: string;
  /** Who may read results and query tables: "user:ann@example.com", "group:...", "domain:...". @default who may in the project */
  readonly viewers?: readonly string[];
  /** Tables of BigQuery are deleted when they are so old, "1 hour" or more; the files stay. @default "90 days" */
  readonly keepTables?: Duration;
  /** Logs of runs are deleted when they are so old, in whole days. @default "30 days" */
  readonly keepLogs?: Duration;
  /** CSV files of your own that BigQuery loads, by the name of the table that their rows go to. @default none */
  readonly csv?: Readonly<Record<string, CsvFile>>;
  /** Queries that BigQuery runs on a schedule, by the name of the table that their rows go to. @default none */
  readonly queries?: Readonly<Record<string, ScheduledQuery>>;
  /** The schedules end so long after they were made. @default "7 days" */
  readonly keepQueries?: Duration;
  /** A query of the dashboard that would be billed for more is refused by BigQuery; at least "10 MB". @default "10 GB" */
  readonly queryLimit?: Size;
  /** What `pulumi destroy` does with the bucket: "retain" leaves it and all that lies in it. @default "delete" */
  readonly removal?: Removal;
  /** Project that it is in. @default the provider's: setting `gcp:project`, else GOOGLE_CLOUD_PROJECT */
  readonly project?: string;
  /** Region of bucket and dataset. @default the provider's: setting `gcp:region`, else GOOGLE_REGION */
  readonly region?: string;
  /** Changes a child just before it is made. */
  readonly transform?: {
    readonly bucket?: Transform<gcp.storage.BucketArgs>;
    readonly dataset?: Transform<gcp.bigquery.DatasetArgs>;
  };
}

/**
 * CSV with a line of names first. Values beyond the columns are ignored. It is loaded once: again when something here
 * changes, and so a file that was changed in its place needs another address.
 */
export interface CsvFile {
  /** Such as "gs://bucket/power.csv" or "gs://bucket/power-*.csv". */
  readonly from: string;
  /** Text that stands for a missing value. @default none: an empty field is one */
  readonly nullMarker?: string;
  /** @default "," */
  readonly separator?: string;
}

/**
 * A lake on Google Cloud Storage: a bucket for a job's tables, and a BigQuery dataset with a table for each, into which a
 * run's rows are loaded once it has succeeded. Never public; logs, what runs left behind and tables expire.
 */
export class GcsLake extends pulumi.ComponentResource {
  /** The job whose tables lie in it. */
  readonly job: Job;
  /** `gs://<bucket>` */
  readonly uri: pulumi.Output<string>;
  /** Name of the bucket. */
  readonly bucket: pulumi.Output<string>;
  /** The same where argument `bucket` said it, which is known before the bucket is there; else undefined. */
  readonly bucketGiven: string | undefined;
  /** Names of the buckets in which Dataproc keeps drivers' output and notebooks, and what it needs for a while. */
  readonly staging: pulumi.Output<string>;
  readonly temporary: pulumi.Output<string>;
  readonly project: string;
  /** Region of bucket and dataset. */
  readonly location: string;
  /** Id of the BigQuery dataset. */
  readonly dataset: pulumi.Output<string>;
  /** What a query of the dashboard may be billed for, in MiB. */
  readonly queryLimitMebibytes: number;
  /** Lets a member read below a prefix. @param prefix such as "points", without slashes at the ends. @default everything */
  readonly grantRead: (name: string, member: Member, prefix?: string) => readonly pulumi.Resource[];
  /** Lets a member write below a prefix. */
  readonly grantWrite: (name: string, member: Member, prefix: string) => readonly pulumi.Resource[];
  /** Lets a member query the tables, and read the files of runs that are not in them yet. */
  readonly grantQuery: (name: string, member: Member) => readonly pulumi.Resource[];

  /**
   * What so much data in a lake costs in such a span, before anything is made: in the bucket and in BigQuery.
   * @throws UsageError for what the constructor refuses, and when the region's prices are not known.
   */
  static bill(args: GcsLakeArgs, size: Size, span: Duration): readonly BillLine[] {
    const { region, queryLimit, queries } = lakePlan(args);
    return gcsLakeBill({
      region,
      gibibytes: mebibytes(size) / 1024,
      hours: seconds(span, "span") / 3600,
      queries: Object.values(queries).map(({ schedule }) => ({ schedule, mebibytes: queryLimit })),
    });
  }

  /**
   * @throws UsageError for an illegal name, schedule, member or column, a span that isn't whole days, and a panel that BigQuery
   * can't show.
   */
  constructor(name: string, args: GcsLakeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:GcsLake", name, {}, opts);
    const plan = lakePlan(args);
    checkPanels(args.job, SqlEngine.bigquery, this);
    const { project, region, viewers, queries } = plan;
    const hex = new random.RandomId(`${name}-id`, { byteLength: 4 }, { parent: this }).hex;
    const bucket = makeBucket(name, args, plan, hex, this);
    const labels = lakeLabels(bucket.name);
    const staging = serviceBucket(name, "staging", plan, labels, this);
    const temporary = serviceBucket(name, "temporary", plan, labels, this);
    const dataset = makeDataset(name, args, plan, { hex, labels }, this);
    const tables = args.job.tables.map(
      (table) =>
        new gcp.bigquery.Table(
          `${name}-table-${table.name}`,
          {
            project,
            datasetId: dataset.datasetId,
            tableId: table.name,
            description: table.about,
            ...bigQueryTable(table),
            clusterings: [...bigQueryTable(table).clusterings],
            deletionProtection: false,
            labels: stackLabels(),
          },
          // One that has expired can't be deleted any more; all of them go with the dataset.
          { parent: this, deletedWith: dataset, ignoreChanges: ["expirationTime"] },
        ),
    );
    this.job = args.job;
    this.project = project;
    this.location = region;
    this.bucket = bucket.name;
    this.bucketGiven = args.bucket;
    this.staging = staging.name;
    this.temporary = temporary.name;
    this.uri = pulumi.interpolate`gs://${bucket.name}`;
    this.dataset = dataset.datasetId;
    this.queryLimitMebibytes = plan.queryLimit;

    const granted: Granted = { project, bucket: bucket.name, datasetId: dataset.datasetId };
    this.grantRead = (grant, member, prefix) => readObjects(grant, granted, member, prefix ? [prefix] : [], this);
    this.grantWrite = (grant, member, prefix) => writeObjects(grant, granted, member, [prefix], this);
    this.grantQuery = (grant, member) => [
      runQueries(`${grant}-jobs`, granted, member, this),
      useDataset(`${grant}-rows`, granted, member, "roles/bigquery.dataViewer", this),
      ...readObjects(
        `${grant}-files`,
        granted,
        member,
        [Prefix.runs, Prefix.loads, ...args.job.tables.map((table) => table.name)],
        this,
      ),
    ];
    for (const [table, csv] of Object.entries(args.csv ?? {})) {
      loadCsv(`${name}-csv-${table}`, table, csv, { ...granted, location: region, hex }, this);
    }
    for (const [i, viewer] of viewers.entries()) this.grantQuery(`${name}-viewer-${i + 1}`, viewer);
    if (Object.keys(queries).length > 0) {
      const what = { job: args.job, queries, keep: plan.keepQueries };
      scheduleQueries(name, what, { ...granted, location: region, hex }, tables, this);
    }
    if (plan.removal === Removal.retain) {
      this.bucket.apply((bucket) =>
        pulumi.log.info(`"pulumi destroy" leaves bucket ${bucket} and all that is in it`, this),
      );
    }
    this.registerOutputs({ uri: this.uri, dataset: this.dataset });
  }
}

type Plan = ReturnType<typeof lakePlan>;

/** The arguments, checked and with their defaults. */
function lakePlan(args: GcsLakeArgs) {
  const queryLimit = scanMebibytes("queryLimit", args.queryLimit ?? "10 GB");
  const keepTables = seconds(args.keepTables ?? "90 days", "keepTables");
  if (keepTables < 3600) throw invalid("keepTables", args.keepTables, 'expected "1 hour" or more');
  const logSeconds = seconds(args.keepLogs ?? "30 days", "keepLogs");
  if (logSeconds % 86_400 !== 0)
    throw invalid("keepLogs", args.keepLogs, 'Google counts in whole days, such as "7 days"');
  if (args.bucket !== undefined) checkBucketName(args.bucket);
  if (args.dataset !== undefined) checkDatasetId(args.dataset);
  for (const table of args.job.tables) bigQueryTable(table);
  for (const [table, csv] of Object.entries(args.csv ?? {})) checkCsv(table, csv, args.job);
  const queries = args.queries ?? {};
  const keepQueries = args.keepQueries ?? "7 days";
  checkQueries(args.job, queries, keepQueries);
  return {
    project: args.project === undefined ? googleProject() : checkProject("project", args.project),
    region: args.region === undefined ? googleRegion() : checkRegion("region", args.region),
    removal: checkRemoval(args.removal),
    viewers: (args.viewers ?? []).map((member) => checkMember("viewers", member)),
    keepTablesMs: keepTables * 1000,
    logDays: logSeconds / 86_400,
    queries,
    keepQueries,
    queryLimit,
  };
}

/** Nobody's but who is let in, and gone when it is deleted: deleted objects would be billed for a week more. */
const CLOSED = {
  uniformBucketLevelAccess: true,
  publicAccessPrevention: "enforced",
  softDeletePolicy: { retentionDurationSeconds: 0 },
} as const;

function makeBucket(
  name: string,
  { bucket, transform }: GcsLakeArgs,
  { project, region, removal, logDays }: Plan,
  hex: pulumi.Input<string>,
  parent: pulumi.Resource,
): gcp.storage.Bucket {
  const expire = (prefix: string, age: number) => ({
    action: { type: "Delete" },
    condition: { age, matchesPrefixes: [`${prefix}/`] },
  });
  const args: gcp.storage.BucketArgs = {
    ...CLOSED,
    project,
    name: bucket ?? physicalName(name, hex),
    location: region,
    forceDestroy: removal === Removal.delete,
    lifecycleRules: [
      { action: { type: "AbortIncompleteMultipartUpload" }, condition: { age: 1 } },
      expire(Prefix.logs, logDays),
      // What a run could not remove itself.
      expire(Prefix.scratch, 7),
    ],
    labels: stackLabels({ [Label.removal]: removal }),
  };
  const options = { parent, retainOnDelete: removal === Removal.retain };
  return new gcp.storage.Bucket(...applyTransform(transform?.bucket, `${name}-bucket`, args, options));
}

/** What expires in Dataproc's own buckets: of the staging one drivers' output, and not the notebooks. */
const EXPIRING = {
  staging: { matchesPrefixes: ["google-cloud-dataproc-metainfo/"] },
  temporary: {},
} satisfies Readonly<Record<string, gcp.types.input.storage.BucketLifecycleRuleCondition>>;

/** Dataproc would make buckets of its own otherwise, which nothing takes away. */
const serviceBucket = (
  name: string,
  use: keyof typeof EXPIRING,
  { project, region }: Plan,
  labels: pulumi.Input<Record<string, string>>,
  parent: pulumi.Resource,
): gcp.storage.Bucket =>
  new gcp.storage.Bucket(
    `${name}-${use}`,
    {
      ...CLOSED,
      project,
      name: physicalName(name, new random.RandomId(`${name}-${use}-id`, { byteLength: 4 }, { parent }).hex),
      location: region,
      forceDestroy: true,
      lifecycleRules: [{ action: { type: "Delete" }, condition: { age: 30, ...EXPIRING[use] } }],
      labels,
    },
    { parent },
  );

function makeDataset(
  name: string,
  { dataset, transform }: GcsLakeArgs,
  { project, region, keepTablesMs }: Plan,
  { hex, labels }: { readonly hex: pulumi.Input<string>; readonly labels: pulumi.Input<Record<string, string>> },
  parent: pulumi.Resource,
): gcp.bigquery.Dataset {
  const args: gcp.bigquery.DatasetArgs = {
    project,
    datasetId: dataset ?? physicalName(name, hex, "_"),
    location: region,
    description: `Tables of lake ${name}`,
    defaultTableExpirationMs: keepTablesMs,
    maxTimeTravelHours: "48", // the least: what is deleted is billed no longer
    deleteContentsOnDestroy: true, // the files are the results; rows can be loaded again
    labels,
  };
  return new gcp.bigquery.Dataset(...applyTransform(transform?.dataset, `${name}-dataset`, args, { parent }));
}

/** @throws UsageError for a name that is no table's, and an address that is none. */
function checkCsv(table: string, { from }: CsvFile, job: Job): void {
  checkTableId("csv", table, job);
  if (/^gs:\/\/[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]\/[^*]+\*?[^*]*$/.test(from)) return;
  throw invalid(
    `csv.${table}.from`,
    from,
    'expected an object of a bucket with one "*" at most, "gs://bucket/power.csv"',
  );
}

function loadCsv(
  name: string,
  table: string,
  { from, nullMarker, separator }: CsvFile,
  { project, datasetId, location, hex }: Granted & { readonly location: string; readonly hex: pulumi.Output<string> },
  parent: pulumi.Resource,
): gcp.bigquery.Job {
  // A job's id is used once in a project's life: whatever is changed makes another.
  const id = new random.RandomId(
    `${name}-id`,
    { byteLength: 4, keepers: { from, nullMarker: nullMarker ?? "", separator: separator ?? "," } },
    { parent },
  );
  return new gcp.bigquery.Job(
    name,
    {
      project,
      location,
      jobId: pulumi.interpolate`oneoff_${hex}_${table}_${id.hex}`,
      labels: stackLabels(),
      load: {
        sourceUris: [from],
        sourceFormat: "CSV",
        autodetect: true,
        skipLeadingRows: 1,
        ignoreUnknownValues: true,
        ...(nullMarker !== undefined && { nullMarker }),
        ...(separator !== undefined && { fieldDelimiter: separator }),
        writeDisposition: "WRITE_TRUNCATE",
        destinationTable: { projectId: project, datasetId, tableId: table },
      },
    },
    { parent },
  );
}

/** @throws UsageError for what Google refuses (https://cloud.google.com/storage/docs/buckets#naming). */
function checkBucketName(bucket: string): void {
  const legal = /^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$/.test(bucket) && !/^goog|g[o0]{2}gle/.test(bucket);
  if (legal) return;
  throw invalid(
    "bucket",
    bucket,
    'expected 3 to 63 lower-case letters, digits, dashes and underscores, a letter or digit at both ends, not beginning with "goog" and without "google" (and no dots, which stand for domains)',
  );
}
