import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { reaperActions } from "../../assets/reaper/actions.ts";
import type { BillLine } from "../../core/bill.ts";
import { type Duration, seconds } from "../../core/duration.ts";
import { fleetKeys } from "../../core/fleet-lake.ts";
import { Tag } from "../../core/tags.ts";
import { stackId, stackTags } from "../common/naming.ts";
import { reaperBill } from "./bill.ts";
import { lambdaFunction } from "./function.ts";
import type { Statement } from "./iam.ts";
import { regionOf } from "./region.ts";

/**
 * Ends what is past its deadline: a function, run every 5 minutes in the cloud, that ends the EMR clusters, Auto Scaling
 * groups and EC2 instances which carry this stack's tag and are older than their tag `oneoff:deadline` says, fleets as a whole with
 * their volumes, and clusters whose run somebody asked to cancel. A fleet that nobody works on it puts to sleep.
 * Whatever must end takes it as an argument, and so is made after it and destroyed before it.
 */
export class Reaper extends pulumi.ComponentResource {
  /** Name of the function: its log says what was ended and why. */
  readonly functionName: pulumi.Output<string>;
  /** Its role, for a cluster to let it see which runs are to be cancelled. */
  readonly role: aws.iam.Role;
  /** What must be there before anything that it ends. */
  readonly parts: readonly pulumi.Resource[];

  /** What it costs itself in such a span. @throws UsageError when the region's prices are not known. */
  static bill(span: Duration, region = regionOf()): readonly BillLine[] {
    return reaperBill(region, seconds(span, "span") / 3600);
  }

  constructor(name: string, args: Readonly<Record<string, never>> = {}, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:Reaper", name, args, opts);
    const reaper = lambdaFunction(
      name,
      {
        code: "reaper",
        about: `Ends what is past its deadline in stack ${stackId()}`,
        environment: { ONEOFF_STACK: stackId() },
        memoryMebibytes: 256,
        timeoutSeconds: 120,
        statements: reaperStatements(stackId()),
      },
      this,
    );
    const rule = new aws.cloudwatch.EventRule(
      `${name}-schedule`,
      { scheduleExpression: "rate(5 minutes)", tags: stackTags() },
      { parent: this },
    );
    const permission = new aws.lambda.Permission(
      `${name}-permission`,
      {
        function: reaper.function.name,
        action: "lambda:InvokeFunction",
        principal: "events.amazonaws.com",
        sourceArn: rule.arn,
      },
      { parent: this },
    );
    const target = new aws.cloudwatch.EventTarget(
      `${name}-target`,
      { rule: rule.name, arn: reaper.function.arn },
      { parent: this, dependsOn: [permission, ...reaper.parts] },
    );
    this.functionName = reaper.function.name;
    this.role = reaper.role;
    this.parts = [target];
    this.registerOutputs({ functionName: this.functionName });
  }
}

/** What it may do, as statements of its role's policy. @param stack value of the tag `oneoff:stack`. */
export const reaperStatements = (stack: string): readonly Statement[] => [
  { Action: reaperActions.read, Resource: "*" },
  ...reaperActions.end.map(({ actions, resource }) => ({
    Action: actions,
    Resource: resource,
    Condition: { StringEquals: { [`aws:ResourceTag/${Tag.stack}`]: stack } },
  })),
];

/** What it may do besides in a fleet's lake: see what the machines say there, take away what is old of it, and say what it saw itself. */
export function fleetReaperStatements(bucketArn: pulumi.Output<string>, fleet: string): readonly Statement[] {
  const keys = fleetKeys(fleet);
  const nodes = pulumi.interpolate`${bucketArn}/${keys.nodes}*`;
  const report = pulumi.interpolate`${bucketArn}/${keys.reaper}`;
  return [
    // Not narrowed to a prefix: who may not list the bucket is told 403 of a report that isn't there yet, not 404.
    { Action: ["s3:ListBucket"], Resource: bucketArn },
    { Action: ["s3:GetObject"], Resource: [nodes, report, pulumi.interpolate`${bucketArn}/${keys.power}`] },
    { Action: ["s3:PutObject"], Resource: report },
    { Action: ["s3:DeleteObject"], Resource: nodes },
  ];
}
