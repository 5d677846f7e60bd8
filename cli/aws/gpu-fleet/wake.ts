import { SetDesiredCapacityCommand } from "@aws-sdk/client-auto-scaling";
import { StartInstancesCommand } from "@aws-sdk/client-ec2";
import { TransientError, UsageError } from "../../../core/errors.ts";
import type { FleetPower } from "../../../core/fleet-lake.ts";
import type { FleetCloud } from "./machines.ts";
import { checkWakeable } from "./power.ts";

/**
 * Has what the reaper put to sleep come back: the workers that the group is for, and the nodes that were stopped. All are found by the
 * three tags of this fleet.
 *
 * @throws UsageError for a fleet that is to be off, or that there isn't; TransientError while one of its machines is being stopped.
 */
export async function wake(stack: string, cloud: FleetCloud, power: FleetPower | undefined): Promise<string> {
  checkWakeable(stack, power);
  const [machines, { group, spare }] = await Promise.all([cloud.machines(), cloud.groups()]);
  if (machines.length === 0 && !group) {
    throw new UsageError(`the fleet of stack ${stack} has no machines: "npx --no oneoff up ${stack}" makes them`);
  }
  const ending = machines.filter(({ state }) => state === "stopping");
  if (ending.length > 0) {
    throw new TransientError(
      `${ending.map(({ id }) => id).join(", ")} of stack ${stack} is being stopped, and can't be started before: give it again in a minute`,
    );
  }
  const stopped = machines.filter(({ state }) => state === "stopped").map(({ id }) => id);
  // Nodes first: workers look for the head.
  if (stopped.length > 0) await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: stopped }));
  // Those that came on demand in the place of spot ones stay; after a sleep there are none, and spot is asked for again.
  const missing = group === undefined ? 0 : group.most - group.desired - (spare?.desired ?? 0);
  if (group && missing > 0) {
    const DesiredCapacity = group.desired + missing;
    await cloud.scaling.send(new SetDesiredCapacityCommand({ AutoScalingGroupName: group.name, DesiredCapacity }));
  }
  const parts = [
    ...(stopped.length > 0 ? [`${counted(stopped.length, "node")} started`] : []),
    ...(missing > 0 ? [`${counted(missing, "worker")} asked for`] : []),
  ];
  if (parts.length === 0) return "Nothing sleeps: every node runs, and every worker is asked for.";
  return `${parts.join(", ")}: "npx --no oneoff fleet status ${stack}" tells when they are ready.`;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? " is" : "s are"}`;
