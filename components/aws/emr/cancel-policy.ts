import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { launcherActions } from "../../../assets/emr-launcher/actions.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { rolePath, stackId, stackTags } from "../../common/naming.ts";
import type { Statement } from "../iam.ts";
import type { S3Lake } from "../lake.ts";
import { CLUSTERS, ownTags } from "./launcher-policy.ts";

/** A policy for whoever may cancel runs of the stack, and do nothing else with it; nobody has it until somebody gives it. */
export const cancelPolicy = (name: string, lake: S3Lake, parent: pulumi.Resource): aws.iam.Policy =>
  new aws.iam.Policy(
    `${name}-cancel-policy`,
    {
      path: rolePath(),
      description: `Cancels runs of cluster ${name} of stack ${stackId()}`,
      policy: pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: cancelStatements(stackId(), lake).map((statement) => ({ Effect: "Allow", ...statement })),
      }),
      tags: stackTags(),
    },
    { parent },
  );

interface Lake extends Pick<S3Lake, "bucket" | "bucketArn"> {
  readonly statements: Pick<S3Lake["statements"], "read">;
}

/** A request is made once, and a record written in the place of the one that was read: by nothing else than such a write. */
export function cancelStatements(stack: string, lake: Lake): readonly Statement[] {
  const below = (...prefixes: readonly string[]) =>
    prefixes.map((prefix) => pulumi.interpolate`${lake.bucketArn}/${prefix}/*`);
  const own = ownTags("aws:ResourceTag", { stack, bucket: lake.bucket });
  return [
    ...lake.statements.read([Prefix.cancels, Prefix.runs, Prefix.launches, Prefix.clusters, Prefix.logs]),
    {
      Action: ["s3:PutObject"],
      Resource: below(Prefix.cancels, Prefix.runs),
      Condition: { Null: { "s3:if-none-match": "false" } },
    },
    { Action: ["s3:PutObject"], Resource: below(Prefix.runs), Condition: { Null: { "s3:if-match": "false" } } },
    { Action: launcherActions.read, Resource: "*" },
    {
      Action: ["elasticmapreduce:ListSteps", "elasticmapreduce:GetAutoTerminationPolicy", ...launcherActions.end],
      Resource: CLUSTERS,
      Condition: own,
    },
  ];
}
