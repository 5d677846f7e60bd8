import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { MembersEvent } from "../../../assets/fleet-members/index.ts";
import type { Members } from "../../../assets/fleet-members/settle.ts";
import { fleetKeys } from "../../../core/fleet-lake.ts";
import { stackId, stackTags } from "../../common/naming.ts";
import { lambdaFunction } from "../function.ts";
import type { S3Lake } from "../lake.ts";
import type { FleetPlan } from "./args.ts";
import type { Standing } from "./machines.ts";

/**
 * Tells the head which data nodes HDFS consists of, and waits, when some are to go, until their blocks are elsewhere. The engine deletes
 * what a program drops after all else: by then that is so, or this has failed, and everybody stays. A destroy waits for nothing.
 *
 * @returns what data nodes come after.
 */
export function fleetMembers(
  name: string,
  plan: FleetPlan,
  lake: S3Lake,
  nodes: readonly Standing[],
  parent: pulumi.Resource,
): pulumi.Resource {
  const { members, answer } = fleetKeys(name);
  const wanted = pulumi.all(nodes.map(({ card }) => card.privateIp)).apply(
    (addresses): Members => ({
      nodes: nodes.map(({ node }, i) => ({ name: node, address: `${addresses[i]}:9866` })),
      replication: plan.hdfs.replication,
    }),
  );
  // By itself: when the wait was broken off, another `up` still changes it back.
  const told = new aws.s3.BucketObjectv2(
    `${name}-members`,
    { bucket: lake.bucket, key: members, content: pulumi.jsonStringify(wanted), tags: stackTags() },
    { parent, dependsOn: [lake] },
  );
  const settler = lambdaFunction(
    `${name}-settler`,
    {
      code: "fleet-members",
      about: `Waits for blocks of fleet ${name} of stack ${stackId()} to be elsewhere before data nodes go`,
      environment: {},
      memoryMebibytes: 256,
      timeoutSeconds: 900,
      statements: [
        { Action: ["s3:GetObject"], Resource: pulumi.interpolate`${lake.bucketArn}/${answer("members")}` },
        // Who may not list gets 403 for a key that isn't there, and not 404.
        { Action: ["s3:ListBucket"], Resource: lake.bucketArn },
      ],
    },
    parent,
  );
  const event = pulumi.all([lake.bucket, wanted]).apply(([bucket, wanted]): MembersEvent => {
    return { bucket, answer: answer("members"), wanted };
  });
  return new aws.lambda.Invocation(
    `${name}-settled`,
    { functionName: settler.function.name, lifecycleScope: "CRUD", input: pulumi.jsonStringify(event) },
    { parent, dependsOn: [told, ...settler.parts] },
  );
}
