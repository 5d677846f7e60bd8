import * as pulumi from "@pulumi/pulumi";
import { launcherActions } from "../../../assets/emr-launcher/actions.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { Tag } from "../../../core/tags.ts";
import type { Statement } from "../iam.ts";

export const CLUSTERS = "arn:*:elasticmapreduce:*:*:cluster/*";

/** What the launcher may do, as statements of its role's policy. */
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
  { Action: launcherActions.requests, Resource: pulumi.interpolate`${args.bucketArn}/${Prefix.cancels}/*` },
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
export const ownTags = (
  key: string,
  { stack, bucket }: { readonly stack: string; readonly bucket: pulumi.Input<string> },
) => ({
  StringEquals: { [`${key}/${Tag.stack}`]: stack, [`${key}/${Tag.lake}`]: bucket },
});
