import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Job } from "../../../core/job.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { rolePath, stackTags } from "../../common/naming.ts";
import { allow, SESSION_STATEMENTS, type Statement, serviceRole } from "../iam.ts";
import type { S3Lake } from "../lake.ts";
import { addressStatements } from "../lake-statements.ts";
import { Network, type Subnets } from "../network.ts";

export interface ClusterRoles {
  /** Assumed by EMR, to rent and end machines. */
  readonly service: aws.iam.Role;
  /** Assumed by the machines. */
  readonly nodes: aws.iam.Role;
  readonly profile: aws.iam.InstanceProfile;
  readonly parts: readonly pulumi.Resource[];
}

export interface ClusterRolesArgs {
  readonly job: Job;
  readonly lake: S3Lake;
  readonly network: Subnets;
  readonly diskKeyArn: pulumi.Output<string>;
  readonly secretArns: readonly pulumi.Output<string>[];
  /** Whether the machines are spot instances. */
  readonly spot: boolean;
  /** Addresses in S3 beside the lake that the steps read. */
  readonly reads: readonly string[];
}

/** The service's role and the machines' role, each with what it needs in this stack and no more. */
export function clusterRoles(name: string, args: ClusterRolesArgs, parent: pulumi.Resource): ClusterRoles {
  const service = serviceRole(`${name}-service`, "elasticmapreduce.amazonaws.com", parent);
  const nodes = serviceRole(`${name}-nodes`, "ec2.amazonaws.com", parent);
  const managed = new aws.iam.RolePolicyAttachment(
    `${name}-service-managed`,
    { role: service.name, policyArn: "arn:aws:iam::aws:policy/service-role/AmazonEMRServicePolicy_v2" },
    { parent },
  );
  const parts = [
    managed,
    allow(`${name}-service-policy`, service, serviceStatements(args, nodes), parent),
    allow(`${name}-nodes-policy`, nodes, nodeStatements(args), parent),
  ];
  const profile = new aws.iam.InstanceProfile(
    `${name}-profile`,
    // Named as its role, which is what examples of the permission to pass it go by.
    { name: nodes.name, path: rolePath(), role: nodes.name, tags: stackTags() },
    { parent },
  );
  return { service, nodes, profile, parts };
}

/** What the managed policy leaves to the user: passing the machines' role, keys, and subnets without its tag. */
function serviceStatements(
  { lake, network, diskKeyArn, spot }: ClusterRolesArgs,
  nodes: aws.iam.Role,
): readonly Statement[] {
  return [
    {
      Action: ["iam:PassRole"],
      Resource: nodes.arn,
      Condition: { StringLike: { "iam:PassedToService": "ec2.amazonaws.com*" } },
    },
    { Action: ["s3:GetObject"], Resource: pulumi.interpolate`${lake.bucketArn}/${Prefix.certificates}/*` },
    ...diskKeyStatements(diskKeyArn),
    ...(network instanceof Network ? [] : [subnetStatement(network)]),
    ...(spot ? [SPOT_ROLE] : []),
  ];
}

/** The first spot request of an account makes this role, on behalf of whoever asks: here EMR. */
const SPOT_ROLE: Statement = {
  Action: ["iam:CreateServiceLinkedRole"],
  Resource: "arn:aws:iam::*:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot*",
  Condition: { StringLike: { "iam:AWSServiceName": "spot.amazonaws.com" } },
};

/** Subnets of the user's are not tagged for the managed policy, and it isn't ours to tag them. */
const subnetStatement = ({ subnetIds }: Subnets): Statement => ({
  Action: ["ec2:CreateNetworkInterface", "ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"],
  Resource: subnetIds.map((id) => pulumi.interpolate`arn:aws:ec2:*:*:subnet/${id}`),
});

/** EMR's documentation wants both roles to be users of the key. */
const diskKeyStatements = (diskKeyArn: pulumi.Output<string>): readonly Statement[] => [
  {
    Action: [
      "kms:DescribeKey",
      "kms:Encrypt",
      "kms:Decrypt",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
      "kms:GenerateDataKey",
      "kms:GenerateDataKeyWithoutPlaintext",
    ],
    Resource: diskKeyArn,
  },
  {
    Action: ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
    Resource: diskKeyArn,
    Condition: { Bool: { "kms:GrantIsForAWSResource": "true" } },
  },
];

/** What the nodes read and never write, beside what they write. */
const READ = [Prefix.cancels, Prefix.clusters, Prefix.code, Prefix.wheels, Prefix.certificates];

function nodeStatements({ job, lake, diskKeyArn, secretArns, reads }: ClusterRolesArgs): readonly Statement[] {
  const tables = job.tables.map((table) => table.name);
  const own = [Prefix.runs, Prefix.logs, Prefix.scratch, "_jupyter"];
  return [
    ...lake.statements.read([...tables, ...own, ...READ]),
    ...lake.statements.write([...tables, ...own]),
    // Spark's own writers commit by multipart uploads, and delete what they wrote on the way.
    { Action: ["s3:ListBucketMultipartUploads"], Resource: lake.bucketArn },
    {
      Action: ["s3:DeleteObject"],
      Resource: [...tables, Prefix.scratch].map((prefix) => pulumi.interpolate`${lake.bucketArn}/${prefix}/*`),
    },
    ...reads.flatMap(addressStatements),
    // Public buckets with what EMR and Amazon Linux bring to a node; a role that names no bucket can't read them.
    {
      Action: ["s3:GetObject"],
      Resource: [
        pulumi.interpolate`arn:aws:s3:::${lake.region}.elasticmapreduce/*`,
        pulumi.interpolate`arn:aws:s3:::repo.${lake.region}.emr.amazonaws.com/*`,
      ],
    },
    ...diskKeyStatements(diskKeyArn),
    ...(secretArns.length > 0 ? [{ Action: ["secretsmanager:GetSecretValue"], Resource: secretArns }] : []),
    ...SESSION_STATEMENTS,
  ];
}
