import { AthenaClient, DeleteWorkGroupCommand, GetWorkGroupCommand } from "@aws-sdk/client-athena";
import {
  DeleteBucketCommand,
  DeleteObjectsCommand,
  HeadBucketCommand,
  ListObjectVersionsCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { DeleteParameterCommand, GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { Tag } from "../../../core/tags.ts";
import type { Leftover } from "../../platform.ts";
import { notAutomated } from "../../removal.ts";
import { connect, orUndefined } from "../client.ts";
import { isThere, remove } from "./cloud-control.ts";
import { lakeIn, Order, ownerIn, type Sweep } from "./sweep.ts";

/** An ARN taken apart: "arn:aws:glue:us-west-2:123456789012:database/lake". */
export interface Arn {
  readonly text: string;
  readonly service: string;
  /** Such as "database"; empty where there is none, as for buckets. */
  readonly type: string;
  readonly name: string;
}

export function parseArn(text: string): Arn {
  const [, , service = "", , , ...rest] = text.split(":");
  const resource = rest.join(":");
  const [, type = "", name = ""] = /^([a-z-]+)[:/](.*)$/.exec(resource) ?? [undefined, "", resource];
  return { text, service, type, name };
}

interface Kind {
  readonly kind: string;
  readonly order: number;
  readonly there: (region: string, arn: Arn) => Promise<boolean>;
  readonly remove: (region: string, arn: Arn) => Promise<void>;
}

/** What CloudFormation knows too is looked for and removed by AWS's Cloud Control API, all alike. */
const controlled = (kind: string, order: number, type: string, id = (arn: Arn): string => arn.name): Kind => ({
  kind,
  order,
  there: (region, arn) => isThere(region, type, id(arn)),
  remove: (region, arn) => remove(region, type, id(arn)),
});

const byArn = ({ text }: Arn): string => text;

const KINDS: Readonly<Record<string, Kind>> = {
  "lambda:function": controlled("Lambda function", Order.functions, "AWS::Lambda::Function"),
  "events:rule": controlled("EventBridge rule", Order.functions, "AWS::Events::Rule", byArn),
  "scheduler:schedule-group": controlled("schedule group", Order.functions, "AWS::Scheduler::ScheduleGroup"),
  "logs:log-group": controlled("log group", Order.tables, "AWS::Logs::LogGroup", ({ name }) =>
    name.replace(/:\*$/, ""),
  ),
  "glue:database": controlled("Glue database", Order.tables, "AWS::Glue::Database"),
  "secretsmanager:secret": controlled("secret", Order.tables, "AWS::SecretsManager::Secret", byArn),
  "sns:": controlled("SNS topic", Order.tables, "AWS::SNS::Topic", byArn),
  "kms:key": controlled("KMS key", Order.keys, "AWS::KMS::Key"),
  // Cloud Control removes neither a workgroup that was used nor a bucket that isn't empty.
  "athena:workgroup": { kind: "Athena workgroup", order: Order.tables, there: hasWorkgroup, remove: removeWorkgroup },
  "ssm:parameter": { kind: "SSM parameter", order: Order.tables, there: hasParameter, remove: removeParameter },
  "s3:": { kind: "S3 bucket", order: Order.buckets, there: hasBucket, remove: removeBucket },
};

/** Services whose own lists are asked, which are never out of date. */
const ELSEWHERE: ReadonlySet<string> = new Set(["ec2", "elasticmapreduce", "autoscaling", "iam"]);

/** What the tagging API knows of the stack; it also knows what is gone, so each thing is looked for. */
export async function taggedLeftovers({ region, stack, tagged }: Sweep): Promise<readonly Leftover[]> {
  const own = tagged
    .filter(({ tags }) => ownerIn(tags) === stack)
    .map(({ arn: text, tags }) => {
      const arn = parseArn(text);
      const kept = tags.some(({ Key, Value }) => Key === Tag.removal && Value === "retain");
      return { arn, marks: { kept, ...(isBucket(arn) ? { lake: arn.name } : lakeIn(tags)) } };
    })
    .filter(({ arn }) => !ELSEWHERE.has(arn.service));
  const found = await Promise.all(own.map(({ arn, marks }) => leftover(region, arn, marks)));
  return found.filter((item) => item !== undefined);
}

/** A stack's bucket is its lake. */
const isBucket = ({ service, type }: Arn): boolean => service === "s3" && type === "";

async function leftover(
  region: string,
  arn: Arn,
  marks: Pick<Leftover, "kept" | "lake">,
): Promise<Leftover | undefined> {
  const kind = KINDS[`${arn.service}:${arn.type}`] ?? KINDS[`${arn.service}:`];
  if (!kind) {
    const name = `${arn.service} ${arn.type}`.trim();
    return {
      kind: name,
      id: arn.text,
      ...marks,
      order: Order.tables,
      remove: notAutomated(`remove it in the console of ${arn.service}`),
    };
  }
  if (!(await kind.there(region, arn))) return undefined;
  return { kind: kind.kind, id: arn.name, ...marks, order: kind.order, remove: () => kind.remove(region, arn) };
}

async function hasWorkgroup(region: string, { name }: Arn): Promise<boolean> {
  const athena = connect(new AthenaClient({ region }));
  return (await orUndefined(athena.send(new GetWorkGroupCommand({ WorkGroup: name })))) !== undefined;
}

async function removeWorkgroup(region: string, { name }: Arn): Promise<void> {
  const athena = connect(new AthenaClient({ region }));
  await athena.send(new DeleteWorkGroupCommand({ WorkGroup: name, RecursiveDeleteOption: true }));
}

/** A parameter's ARN leaves out the slash that its name may begin with; a name with others always does. */
async function parameterName(ssm: SSMClient, { name }: Arn): Promise<string | undefined> {
  for (const Name of name.includes("/") ? [`/${name}`] : [name, `/${name}`]) {
    const found = await orUndefined(ssm.send(new GetParameterCommand({ Name })));
    if (found?.Parameter?.Name === Name) return Name;
  }
  return undefined;
}

async function hasParameter(region: string, arn: Arn): Promise<boolean> {
  return (await parameterName(connect(new SSMClient({ region })), arn)) !== undefined;
}

async function removeParameter(region: string, arn: Arn): Promise<void> {
  const ssm = connect(new SSMClient({ region }));
  await ssm.send(new DeleteParameterCommand({ Name: await parameterName(ssm, arn) }));
}

async function hasBucket(region: string, { name }: Arn): Promise<boolean> {
  const s3 = connect(new S3Client({ region }));
  return (await orUndefined(s3.send(new HeadBucketCommand({ Bucket: name })))) !== undefined;
}

async function removeBucket(region: string, { name }: Arn): Promise<void> {
  const s3 = connect(new S3Client({ region }));
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: name }));
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) break;
    const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket: name, Delete: { Objects, Quiet: true } }));
    if (Errors[0]) throw new Error(`${Errors[0].Key}: ${Errors[0].Message}`);
  }
  await s3.send(new DeleteBucketCommand({ Bucket: name }));
}
