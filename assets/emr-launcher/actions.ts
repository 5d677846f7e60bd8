import * as pulumi from "@pulumi/pulumi";
import type { Statement } from "../../components/aws/iam.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { Tag } from "../../core/tags.ts";

/** What the launcher's role has to allow, with the resources and conditions that the services know. */
export const launcherActions = {
  /** On `_launches/*` and `_wheels/*` of the lake. A conditional write needs both. */
  objects: ["s3:GetObject", "s3:PutObject"],
  /** On the bucket, without a condition: who may not list gets 403 for a key that isn't there, and not 404. */
  bucket: ["s3:ListBucket"],
  /** On "*": EMR lists by account, and whose a cluster is only its description tells. */
  read: ["elasticmapreduce:ListClusters", "elasticmapreduce:DescribeCluster"],
  /** On "*", with `aws:RequestTag`s; RunJobFlow knows no resource. */
  rent: ["elasticmapreduce:RunJobFlow", "elasticmapreduce:AddTags"],
  /**
   * On clusters, without a condition. An idle limit in RunJobFlow is a policy that is put, and while that is authorised
   * there is no cluster yet whose tags could be looked at.
   */
  idle: ["elasticmapreduce:PutAutoTerminationPolicy"],
  /** On clusters with `aws:ResourceTag`s. */
  end: ["elasticmapreduce:TerminateJobFlows", "elasticmapreduce:SetTerminationProtection"],
  /** On the roles of the cluster, to the services that take them. */
  pass: ["iam:PassRole"],
  /** On the role with which EMR cleans up; it is there once per account, from the first cluster on. */
  cleanup: ["iam:CreateServiceLinkedRole"],
} as const;

const CLUSTERS = "arn:*:elasticmapreduce:*:*:cluster/*";

/** The same as statements of a policy. */
export const launcherStatements = (args: {
  /** Value of the tag `oneoff:stack`. */
  readonly stack: string;
  /** Value of the tag `oneoff:lake`, the name of the lake's bucket. */
  readonly bucket: pulumi.Input<string>;
  readonly bucketArn: pulumi.Input<string>;
  /** The role of EMR and that of the machines. */
  readonly roleArns: readonly pulumi.Input<string>[];
}): readonly Statement[] => [
  {
    Action: launcherActions.objects,
    Resource: [Prefix.launches, Prefix.wheels].map((prefix) => pulumi.interpolate`${args.bucketArn}/${prefix}/*`),
  },
  { Action: launcherActions.bucket, Resource: args.bucketArn },
  { Action: launcherActions.read, Resource: "*" },
  {
    Action: launcherActions.rent,
    Resource: "*",
    Condition: ownTags("aws:RequestTag", args),
  },
  { Action: launcherActions.idle, Resource: CLUSTERS },
  { Action: launcherActions.end, Resource: CLUSTERS, Condition: ownTags("aws:ResourceTag", args) },
  {
    Action: launcherActions.pass,
    Resource: args.roleArns,
    Condition: { StringLike: { "iam:PassedToService": ["elasticmapreduce.amazonaws.com*", "ec2.amazonaws.com*"] } },
  },
  {
    Action: launcherActions.cleanup,
    Resource: "arn:*:iam::*:role/aws-service-role/elasticmapreduce.amazonaws.com*/AWSServiceRoleForEMRCleanup*",
    Condition: { StringLike: { "iam:AWSServiceName": "elasticmapreduce.amazonaws.com*" } },
  },
];

/** Both: two people can have stacks of one name in one account, and no two have one bucket. */
const ownTags = (
  key: string,
  { stack, bucket }: { readonly stack: string; readonly bucket: pulumi.Input<string> },
) => ({
  StringEquals: { [`${key}/${Tag.stack}`]: stack, [`${key}/${Tag.lake}`]: bucket },
});
