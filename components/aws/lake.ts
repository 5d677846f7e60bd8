import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { BillLine } from "../../core/bill.ts";
import { mebibytesFrom } from "../../core/checks.ts";
import type { Duration } from "../../core/duration.ts";
import { seconds } from "../../core/duration.ts";
import { invalid } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { checkRemoval, Removal } from "../../core/removal.ts";
import { mebibytes, type Size } from "../../core/size.ts";
import { SqlEngine } from "../../core/sql-engine.ts";
import type { Table } from "../../core/table.ts";
import { Tag } from "../../core/tags.ts";
import { physicalName, stackId, stackTags } from "../common/naming.ts";
import { checkPanels } from "../common/panels.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import { lakeBill } from "./bill.ts";
import { catalogEntry } from "./catalog.ts";
import { allow, type Statement } from "./iam.ts";
import { queryStatements, readStatements, writeStatements } from "./lake-statements.ts";
import { regionOf } from "./region.ts";

/** No run takes as long. */
const SCRATCH_DAYS = 7;

export interface S3LakeArgs {
  /** The job whose tables lie in the lake. */
  readonly job: Job;
  /** Name of the bucket, unique in the world. @default project, stack and this component's name, and 8 random digits */
  readonly bucket?: string;
  /** Logs of clusters are deleted when they are so old, in whole days. @default "30 days" */
  readonly keepLogs?: Duration;
  /** Results of queries are deleted when they are so old, in whole days. @default "7 days" */
  readonly keepResults?: Duration;
  /** A query that would read more is ended by Athena; at least "10 MB". @default "10 GB" */
  readonly queryLimit?: Size;
  /** What `pulumi destroy` does with the bucket: "retain" leaves it and all that lies in it. @default "delete" */
  readonly removal?: Removal;
  /** Changes a child just before it is made. */
  readonly transform?: {
    readonly bucket?: Transform<aws.s3.BucketArgs>;
    readonly workgroup?: Transform<aws.athena.WorkgroupArgs>;
  };
}

/**
 * A lake on S3: a bucket for a job's tables, a catalog of them, and an Athena workgroup to query them. It is encrypted,
 * reached by TLS only and never public; unfinished uploads, logs, query results and what runs left behind expire.
 */
export class S3Lake extends pulumi.ComponentResource {
  /** The job whose tables lie in it. */
  readonly job: Job;
  /** `s3://<bucket>`, once the bucket is closed to the public. */
  readonly uri: pulumi.Output<string>;
  /** Name of the bucket. */
  readonly bucket: pulumi.Output<string>;
  readonly bucketArn: pulumi.Output<string>;
  readonly region: pulumi.Output<string>;
  /** Id of the account that it is in. */
  readonly account: pulumi.Output<string>;
  /** Name of the database in Glue's catalog. */
  readonly database: pulumi.Output<string>;
  /** Name of the Athena workgroup. */
  readonly workgroup: pulumi.Output<string>;
  /** Lets a role read below a prefix. @param prefix such as "points", without slashes at the ends. @default everything */
  readonly grantRead: (name: string, role: aws.iam.Role, prefix?: string) => aws.iam.RolePolicy;
  /** Lets a role write, and not overwrite by deleting, below a prefix. */
  readonly grantWrite: (name: string, role: aws.iam.Role, prefix: string) => aws.iam.RolePolicy;
  /** Lets a role query the tables through the workgroup, and read what the queries read. */
  readonly grantQuery: (name: string, role: aws.iam.Role) => aws.iam.RolePolicy;
  /** What the grants say, for a role whose policy has more in it. */
  readonly statements: {
    readonly read: (prefixes: readonly string[]) => readonly Statement[];
    readonly write: (prefixes: readonly string[]) => readonly Statement[];
    readonly query: () => readonly Statement[];
  };

  /**
   * What so much data in a lake costs in such a span, before anything is made.
   * @throws UsageError for what the constructor refuses, and when the region's prices are not known.
   */
  static bill(args: S3LakeArgs, size: Size, span: Duration, region = regionOf()): readonly BillLine[] {
    lakePlan(args);
    return lakeBill(region, mebibytes(size) / 1024, seconds(span, "span") / 3600);
  }

  /**
   * @throws UsageError for an illegal bucket name, a span that isn't whole days, a partition without values, and a panel that
   * Athena can't show.
   */
  constructor(name: string, args: S3LakeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:S3Lake", name, {}, opts);
    const { removal, days, queryLimit, entries } = lakePlan(args);
    checkPanels(args.job, SqlEngine.athena, this);
    const hex = new random.RandomId(`${name}-id`, { byteLength: 4 }, { parent: this }).hex;
    const bucket = makeBucket(name, args, removal, hex, this);
    const closed = closeBucket(name, bucket, removal, days, this);
    const database = new aws.glue.CatalogDatabase(
      `${name}-database`,
      { name: physicalName(name, hex, "_"), description: `${stackId()} ${name}`, tags: stackTags() },
      { parent: this },
    );
    const tables = entries.map(({ table, entry }) => makeTable(name, table, entry, bucket, database, this));
    const workgroup = makeWorkgroup(name, args, physicalName(name, hex), bucket, queryLimit, this);

    this.job = args.job;
    this.bucket = bucket.bucket;
    this.bucketArn = bucket.arn;
    this.region = bucket.region;
    this.account = database.arn.apply((arn) => arn.split(":")[4] as string);
    this.uri = pulumi.all([bucket.bucket, ...closed.map((part) => part.id)]).apply(([bucket]) => `s3://${bucket}`);
    this.database = database.name;
    this.workgroup = workgroup.name;
    const statements = {
      read: (prefixes: readonly string[]) => readStatements(bucket.arn, prefixes),
      write: (prefixes: readonly string[]) => writeStatements(bucket.arn, prefixes),
      query: () => queryStatements(args.job.tables, bucket.arn, workgroup.arn, database, tables),
    };
    this.statements = statements;
    const grant = (name: string, role: aws.iam.Role, what: readonly Statement[]) => allow(name, role, what, this);
    this.grantRead = (name, role, prefix = "") => grant(name, role, statements.read([prefix]));
    this.grantWrite = (name, role, prefix) => grant(name, role, statements.write([prefix]));
    this.grantQuery = (name, role) => grant(name, role, statements.query());
    if (removal === Removal.retain) {
      this.bucket.apply((bucket) =>
        pulumi.log.info(`"pulumi destroy" leaves bucket ${bucket} and all that is in it`, this),
      );
    }
    this.registerOutputs({ uri: this.uri, database: this.database, workgroup: this.workgroup });
  }
}

/** The arguments, checked and with their defaults. */
function lakePlan(args: S3LakeArgs) {
  const queryLimit = mebibytesFrom(10, "queryLimit", args.queryLimit ?? "10 GB", 'Athena takes no less than "10 MB"');
  if (args.bucket !== undefined) checkBucketName(args.bucket);
  return {
    removal: checkRemoval(args.removal),
    days: {
      logs: wholeDays("keepLogs", args.keepLogs ?? "30 days"),
      results: wholeDays("keepResults", args.keepResults ?? "7 days"),
    },
    queryLimit,
    entries: args.job.tables.map((table) => ({ table, entry: catalogEntry(table) })),
  };
}

function makeBucket(
  name: string,
  { bucket, transform }: S3LakeArgs,
  removal: Removal,
  hex: pulumi.Input<string>,
  parent: pulumi.Resource,
): aws.s3.Bucket {
  const args: aws.s3.BucketArgs = {
    bucket: bucket ?? physicalName(name, hex),
    forceDestroy: removal === Removal.delete,
    tags: stackTags({ [Tag.removal]: removal }),
  };
  const options = { parent, retainOnDelete: removal === Removal.retain };
  return new aws.s3.Bucket(...applyTransform(transform?.bucket, `${name}-bucket`, args, options));
}

/** What keeps a bucket closed stays with it when it is retained. */
function closeBucket(
  name: string,
  bucket: aws.s3.Bucket,
  removal: Removal,
  days: { readonly logs: number; readonly results: number },
  parent: pulumi.Resource,
): readonly pulumi.CustomResource[] {
  const options = { parent, retainOnDelete: removal === Removal.retain, deletedWith: bucket };
  const access = new aws.s3.BucketPublicAccessBlock(
    `${name}-access`,
    {
      bucket: bucket.bucket,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    },
    options,
  );
  const encryption = new aws.s3.BucketServerSideEncryptionConfiguration(
    `${name}-encryption`,
    { bucket: bucket.bucket, rules: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: "AES256" } }] },
    options,
  );
  const policy = pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "TlsOnly",
        Effect: "Deny",
        Principal: "*",
        Action: "s3:*",
        Resource: [bucket.arn, pulumi.interpolate`${bucket.arn}/*`],
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  });
  // S3 refuses to change policy and public access at once.
  const tls = new aws.s3.BucketPolicy(
    `${name}-tls`,
    { bucket: bucket.bucket, policy },
    { ...options, dependsOn: [access] },
  );
  const expire = (prefix: string, days: number) => ({
    id: prefix,
    status: "Enabled",
    filter: { prefix: `${prefix}/` },
    expiration: { days },
  });
  const expiry = new aws.s3.BucketLifecycleConfiguration(
    `${name}-expiry`,
    {
      bucket: bucket.bucket,
      rules: [
        {
          id: "unfinished-uploads",
          status: "Enabled",
          filter: { prefix: "" },
          abortIncompleteMultipartUpload: { daysAfterInitiation: 1 },
        },
        expire(Prefix.logs, days.logs),
        expire(Prefix.results, days.results),
        // What a run could not remove itself.
        expire(Prefix.scratch, SCRATCH_DAYS),
      ],
    },
    options,
  );
  return [access, encryption, tls, expiry];
}

function makeTable(
  name: string,
  table: Table,
  entry: ReturnType<typeof catalogEntry>,
  bucket: aws.s3.Bucket,
  database: aws.glue.CatalogDatabase,
  parent: pulumi.Resource,
): aws.glue.CatalogTable {
  const location = pulumi.interpolate`s3://${bucket.bucket}/${table.name}`;
  return new aws.glue.CatalogTable(
    `${name}-table-${table.name}`,
    {
      databaseName: database.name,
      name: table.name,
      description: table.about,
      tableType: "EXTERNAL_TABLE",
      partitionKeys: [...entry.partitionKeys],
      parameters: location.apply(entry.parameters),
      storageDescriptor: {
        location,
        columns: [...entry.columns],
        inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        serDeInfo: { serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
      },
    },
    { parent, deletedWith: database },
  );
}

function makeWorkgroup(
  name: string,
  { transform }: S3LakeArgs,
  physical: pulumi.Output<string>,
  bucket: aws.s3.Bucket,
  queryLimitMebibytes: number,
  parent: pulumi.Resource,
): aws.athena.Workgroup {
  const args: aws.athena.WorkgroupArgs = {
    name: physical,
    forceDestroy: true,
    configuration: {
      enforceWorkgroupConfiguration: true,
      publishCloudwatchMetricsEnabled: false,
      bytesScannedCutoffPerQuery: queryLimitMebibytes * 2 ** 20,
      engineVersion: { selectedEngineVersion: "Athena engine version 3" },
      resultConfiguration: {
        outputLocation: pulumi.interpolate`s3://${bucket.bucket}/${Prefix.results}/`,
        encryptionConfiguration: { encryptionOption: "SSE_S3" },
      },
    },
    tags: stackTags(),
  };
  return new aws.athena.Workgroup(...applyTransform(transform?.workgroup, `${name}-workgroup`, args, { parent }));
}

/** @throws UsageError for what S3 refuses (https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html). */
function checkBucketName(bucket: string): void {
  const legal =
    /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(bucket) &&
    !/^xn--|^sthree-|^amzn-s3-demo-|-s3alias$|--ol-s3$|--x-s3$/.test(bucket);
  if (legal) return;
  throw invalid(
    "bucket",
    bucket,
    "expected 3 to 63 lower-case letters, digits and dashes, a letter or digit at both ends (and no dots, which break TLS)",
  );
}

function wholeDays(setting: string, span: Duration): number {
  const days = seconds(span, setting) / 86_400;
  if (!Number.isInteger(days)) throw invalid(setting, span, 'S3 counts in whole days, such as "7 days"');
  return days;
}
