/** What a lake on S3 lets a role do, by what it grants. */
import type * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { Prefix } from "../../core/lake-layout.ts";
import type { Table } from "../../core/table.ts";
import type { Statement } from "./iam.ts";

const below = (arn: pulumi.Input<string>, prefix: string) => pulumi.interpolate`${arn}/${prefix ? `${prefix}/*` : "*"}`;

/** Listing is not narrowed to the prefixes: who may not list the bucket is told 403 of a key that isn't there, not 404. */
export function readStatements(bucketArn: pulumi.Output<string>, prefixes: readonly string[]): readonly Statement[] {
  return [
    { Action: ["s3:GetBucketLocation", "s3:ListBucket"], Resource: bucketArn },
    // Hadoop also asks whether the prefix itself is an object.
    {
      Action: ["s3:GetObject"],
      Resource: prefixes.flatMap((prefix) => [
        ...(prefix ? [pulumi.interpolate`${bucketArn}/${prefix}`] : []),
        below(bucketArn, prefix),
      ]),
    },
  ];
}

export function writeStatements(bucketArn: pulumi.Output<string>, prefixes: readonly string[]): readonly Statement[] {
  const action = ["s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"];
  return [{ Action: action, Resource: prefixes.map((prefix) => below(bucketArn, prefix)) }];
}

/** Reads what an address such as `s3://bucket/prefix` names. */
export function addressStatements(address: string): readonly Statement[] {
  const [bucket, ...path] = address.slice("s3://".length).replace(/\/+$/, "").split("/");
  const arn = `arn:aws:s3:::${bucket}`;
  const within = path.length > 0 ? [`${arn}/${path.join("/")}`, `${arn}/${path.join("/")}/*`] : [`${arn}/*`];
  return [
    { Action: ["s3:GetBucketLocation", "s3:ListBucket"], Resource: arn },
    { Action: ["s3:GetObject"], Resource: within },
  ];
}

/** What a query through the SDK needs, and no more. */
export function queryStatements(
  tables: readonly Table[],
  bucketArn: pulumi.Output<string>,
  workgroupArn: pulumi.Output<string>,
  database: aws.glue.CatalogDatabase,
  catalogTables: readonly aws.glue.CatalogTable[],
): readonly Statement[] {
  // arn:aws:glue:region:account:database/name, and beside it the catalog that it is in.
  const inCatalog = (what: string) => database.arn.apply((arn) => `${arn.split(":").slice(0, 5).join(":")}:${what}`);
  return [
    {
      Action: [
        "athena:StartQueryExecution",
        "athena:GetQueryExecution",
        "athena:GetQueryResults",
        "athena:StopQueryExecution",
        "athena:GetWorkGroup",
      ],
      Resource: workgroupArn,
    },
    {
      Action: ["glue:GetDatabase", "glue:GetTable", "glue:GetPartition", "glue:GetPartitions"],
      Resource: [inCatalog("catalog"), database.arn, ...catalogTables.map((table) => table.arn)],
    },
    // https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
    { Action: ["glue:GetDatabase"], Resource: inCatalog("database/default") },
    ...readStatements(bucketArn, [...tables.map((table) => table.name), Prefix.runs, Prefix.results]),
    ...writeStatements(bucketArn, [Prefix.results]),
  ];
}
