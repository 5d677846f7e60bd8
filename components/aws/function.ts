import { join } from "node:path";
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { BundleName } from "../../assets/manifest.ts";
import { bundle } from "../common/bundle.ts";
import { stackTags } from "../common/naming.ts";
import { allow, type Statement, serviceRole } from "./iam.ts";

export interface LambdaFunctionArgs {
  /** Which of assets/ it runs: a bundle with a function `handler`. */
  readonly code: BundleName;
  readonly about: string;
  readonly environment: Readonly<Record<string, pulumi.Input<string>>>;
  readonly memoryMebibytes: number;
  readonly timeoutSeconds: number;
  /** What it may do beside writing its log. */
  readonly statements: readonly Statement[];
}

/** What of a function must be there before it is used. */
export interface LambdaFunction {
  readonly function: aws.lambda.Function;
  readonly role: aws.iam.Role;
  readonly parts: readonly pulumi.Resource[];
}

/** A Lambda function with a role and a log of its own; the log ends with the stack and keeps two weeks. */
export function lambdaFunction(name: string, args: LambdaFunctionArgs, parent: pulumi.Resource): LambdaFunction {
  const tags = stackTags();
  const logs = new aws.cloudwatch.LogGroup(`${name}-logs`, { retentionInDays: 14, tags }, { parent });
  const role = serviceRole(`${name}-role`, "lambda.amazonaws.com", parent);
  const log: Statement = {
    Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: pulumi.interpolate`${logs.arn}:*`,
  };
  const policy = allow(`${name}-policy`, role, [log, ...args.statements], parent);
  const code = new pulumi.asset.FileAsset(join(bundle(args.code), "index.mjs"));
  const made = new aws.lambda.Function(
    `${name}-function`,
    {
      description: args.about,
      runtime: "nodejs24.x",
      architectures: ["arm64"],
      handler: "index.handler",
      code: new pulumi.asset.AssetArchive({ "index.mjs": code }),
      role: role.arn,
      memorySize: args.memoryMebibytes,
      timeout: args.timeoutSeconds,
      environment: { variables: { ...args.environment } },
      loggingConfig: { logFormat: "Text", logGroup: logs.name },
      tags,
    },
    { parent },
  );
  return { function: made, role, parts: [made, policy] };
}
