import { DescribeInstancesCommand, EC2Client, type Instance } from "@aws-sdk/client-ec2";
import { formatDuration, secondsIfAny } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { Tag } from "../../core/tags.ts";
import type { Route, StackContext } from "../platform.ts";
import { connect, orUndefined } from "./client.ts";
import { regionOf } from "./region.ts";
import { routeThroughSsm } from "./route.ts";

/** Outputs of a stack with a dashboard on an EC2 instance. */
interface DashboardOutputs {
  readonly dashboardInstance?: string | undefined;
  readonly dashboardDeadline?: string | undefined;
}

/** @throws UsageError when the stack has no dashboard, or it can't be reached from here. */
export async function dashboardRoute(
  stack: StackContext,
  { dashboardInstance: instance, dashboardDeadline }: DashboardOutputs,
): Promise<Route> {
  if (instance === undefined)
    throw new UsageError(`stack ${stack.name} has no dashboard: its output "dashboardInstance" is not set`);
  const region = regionOf(stack);
  const ec2 = connect(new EC2Client({ region }));
  return routeThroughSsm({
    title: "Dashboard",
    region,
    instance,
    addresses: [{ port: 8765, scheme: "http" }],
    probe: "/api/identity",
    state: async () => instanceState(stack.name, instance, await findInstance(ec2, instance), dashboardDeadline),
  });
}

async function findInstance(ec2: EC2Client, id: string): Promise<Instance | undefined> {
  const found = await orUndefined(ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] })));
  return found?.Reservations?.[0]?.Instances?.[0];
}

function instanceState(
  stack: string,
  id: string,
  instance: Instance | undefined,
  deadline: string | undefined,
): string {
  const state = instance?.State?.Name;
  if (!instance || state === "terminated" || state === "shutting-down") {
    const tag = instance?.Tags?.find(({ Key }) => Key === Tag.deadline)?.Value ?? deadline;
    const age = instance?.LaunchTime ? (Date.now() - instance.LaunchTime.getTime()) / 1000 : undefined;
    const limit = secondsIfAny(tag);
    const why =
      limit !== undefined && (age === undefined || age >= limit)
        ? `terminated at its deadline of ${formatDuration(limit)}`
        : "terminated";
    throw new UsageError(
      `the dashboard's instance ${id} was ${why}: "npx pulumi up --refresh --stack ${stack}" makes another, and the results are still in the lake`,
    );
  }
  if (state === "stopped" || state === "stopping") {
    throw new UsageError(
      `the dashboard's instance ${id} is stopped: start it with "aws ec2 start-instances --instance-ids ${id}"`,
    );
  }
  return `the instance is ${state === "pending" ? "starting" : state}`;
}
