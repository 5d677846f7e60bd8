import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { rolePath, stackTags } from "../common/naming.ts";

/** What a policy allows. `Resource: "*"` only where the service knows no narrower one. */
export interface Statement {
  readonly Action: readonly string[];
  readonly Resource: pulumi.Input<string> | readonly pulumi.Input<string>[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, pulumi.Input<string> | readonly string[]>>>>;
}

/** A role for a service (`lambda.amazonaws.com`), under the stack's own path. */
export function serviceRole(name: string, service: string, parent: pulumi.Resource): aws.iam.Role {
  const assumeRolePolicy = JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Principal: { Service: service }, Action: "sts:AssumeRole" }],
  });
  return new aws.iam.Role(name, { path: rolePath(), assumeRolePolicy, tags: stackTags() }, { parent });
}

/** Allows a role what the statements say. */
export function allow(
  name: string,
  role: aws.iam.Role,
  statements: readonly Statement[],
  parent: pulumi.Resource,
): aws.iam.RolePolicy {
  const policy = pulumi.jsonStringify({
    Version: "2012-10-17",
    Statement: statements.map((statement) => ({ Effect: "Allow", ...statement })),
  });
  return new aws.iam.RolePolicy(name, { role: role.name, policy }, { parent });
}

/** What a machine needs so that its user reaches it by Session Manager. None of it can be narrowed to a resource. */
export const SESSION_STATEMENTS: readonly Statement[] = [
  {
    Action: [
      "ssm:UpdateInstanceInformation",
      "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel",
      "ssmmessages:OpenControlChannel",
      "ssmmessages:OpenDataChannel",
    ],
    Resource: "*",
  },
];
