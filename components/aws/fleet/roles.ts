import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { fleetKeys } from "../../../core/fleet-lake.ts";
import type { Job } from "../../../core/job.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { NodeRole } from "../../../core/node-role.ts";
import { rolePath, stackTags } from "../../common/naming.ts";
import { allow, SESSION_STATEMENTS, type Statement, serviceRole } from "../iam.ts";
import type { S3Lake } from "../lake.ts";
import { addressStatements } from "../lake-statements.ts";
import { appStatements } from "./app.ts";

export interface FleetRolesArgs {
  readonly job: Job;
  readonly lake: S3Lake;
  /** ARN of the parameter that holds Spark's secret. */
  readonly parameterArn: pulumi.Input<string>;
  /** ARNs of those that hold the job's secrets. */
  readonly secretArns: readonly pulumi.Input<string>[];
  /** What reads the fleet's software. */
  readonly software: readonly Statement[];
  /** Whether the head scores flows. */
  readonly app: boolean;
}

export interface FleetRoles {
  /** Of the machines; only root gets at it there. */
  readonly profiles: Readonly<Record<NodeRole, aws.iam.InstanceProfile>>;
  /** What users, and executors, have of the lake. */
  readonly users: aws.iam.Role;
  /** What the account has that runs jobs. */
  readonly run: aws.iam.Role;
  /** What the account has that scores flows. */
  readonly app: aws.iam.Role | undefined;
  readonly parts: readonly pulumi.Resource[];
}

/**
 * The machines' roles, one for each kind of them, and those whose credentials they hand on: nobody but root has a machine's own.
 */
export function fleetRoles(name: string, args: FleetRolesArgs, parent: pulumi.Resource): FleetRoles {
  const machines = Object.fromEntries(
    Object.values(NodeRole).map((role) => [role, serviceRole(`${name}-${role}-role`, "ec2.amazonaws.com", parent)]),
  ) as Record<NodeRole, aws.iam.Role>;
  const users = handedOn(`${name}-users-role`, Object.values(machines), parent);
  const run = handedOn(`${name}-run-role`, [machines.head], parent);
  const app = args.app ? handedOn(`${name}-app-role`, [machines.head], parent) : undefined;
  const handed = {
    [NodeRole.head]: [users, run, ...(app ? [app] : [])],
    [NodeRole.data]: [users],
    [NodeRole.worker]: [users],
  };
  const own = Object.values(NodeRole).map((role) =>
    allow(`${name}-${role}-policy`, machines[role], machineStatements(name, role, args, handed[role]), parent),
  );
  const profiles = Object.fromEntries(
    Object.values(NodeRole).map((role) => [
      role,
      new aws.iam.InstanceProfile(
        `${name}-${role}-profile`,
        { path: rolePath(), role: machines[role].name, tags: stackTags() },
        { parent },
      ),
    ]),
  ) as Record<NodeRole, aws.iam.InstanceProfile>;
  const theirs = [
    allow(`${name}-users-policy`, users, userStatements(args), parent),
    allow(`${name}-run-policy`, run, runStatements(args), parent),
    ...(app ? [allow(`${name}-app-policy`, app, appStatements(args.lake), parent)] : []),
  ];
  return { profiles, users, run, app, parts: [...own, ...theirs] };
}

/** A role that machines take on and hand to accounts of theirs. */
function handedOn(name: string, by: readonly aws.iam.Role[], parent: pulumi.Resource): aws.iam.Role {
  const assumeRolePolicy = pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { AWS: by.map(({ arn }) => arn) }, Action: "sts:AssumeRole" }],
  });
  return new aws.iam.Role(name, { path: rolePath(), assumeRolePolicy, tags: stackTags() }, { parent });
}

/** What the head is asked by way of the lake. */
const DONE = ["requests", "uploads", "answers"];
const ASKED = [...DONE, "runs"];

function machineStatements(
  fleet: string,
  role: NodeRole,
  { lake, parameterArn, software }: FleetRolesArgs,
  handed: readonly aws.iam.Role[],
): readonly Statement[] {
  const keys = fleetKeys(fleet);
  const object = (key: string) => pulumi.interpolate`${lake.bucketArn}/${key}`;
  const isHead = role === NodeRole.head;
  const reads = [keys.users, ...(isHead ? [keys.members, keys.conf, keys.reaper] : [])];
  return [
    ...software,
    ...lake.statements.read([keys.configs, ...(isHead ? ASKED.map((asked) => `${keys.at}/${asked}`) : [])]),
    { Action: ["s3:GetObject"], Resource: reads.map(object) },
    // A machine speaks for those of its kind alone.
    {
      Action: ["s3:PutObject"],
      Resource: [
        object(keys.node(isHead ? "head" : `${role}-*`)),
        object(`${keys.boot}/*`),
        ...(isHead ? [object(`${keys.at}/answers/*`)] : []),
      ],
    },
    // What it was asked, once that is done.
    ...(isHead ? [{ Action: ["s3:DeleteObject"], Resource: DONE.map((done) => object(`${keys.at}/${done}/*`)) }] : []),
    ...(role === NodeRole.data ? [] : [{ Action: ["ssm:GetParameter"], Resource: parameterArn }]),
    { Action: ["sts:AssumeRole"], Resource: handed.map(({ arn }) => arn) },
    ...SESSION_STATEMENTS,
  ];
}

/** Results are read, and a folder of their own is written. */
const userStatements = ({ lake, job, software }: FleetRolesArgs): readonly Statement[] => [
  ...software,
  ...lake.statements.read([...job.tables.map((table) => table.name), Prefix.shared]),
  ...lake.statements.write([Prefix.shared]),
  { Action: ["s3:DeleteObject"], Resource: pulumi.interpolate`${lake.bucketArn}/${Prefix.shared}/*` },
  ...readsOf(job).flatMap(addressStatements),
];

/** What the driver of a run reads and writes. */
function runStatements({ lake, job, software, secretArns }: FleetRolesArgs): readonly Statement[] {
  const tables = job.tables.map((table) => table.name);
  const own = [Prefix.runs, Prefix.logs, Prefix.scratch, Prefix.clusters];
  return [
    ...software,
    ...lake.statements.read([...tables, ...own, Prefix.cancels]),
    ...lake.statements.write([...tables, ...own]),
    {
      Action: ["s3:DeleteObject"],
      Resource: [...tables, Prefix.scratch].map((prefix) => pulumi.interpolate`${lake.bucketArn}/${prefix}/*`),
    },
    ...(secretArns.length > 0 ? [{ Action: ["ssm:GetParameter"], Resource: secretArns }] : []),
    ...readsOf(job).flatMap(addressStatements),
  ];
}

/** Addresses in S3 that a job reads beside its lake. */
export const readsOf = ({ reads = [] }: Pick<Job, "reads">): readonly string[] =>
  reads.filter((address) => address.startsWith("s3://"));
