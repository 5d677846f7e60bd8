/** How a fleet comes back that was told to be on again, and how it gets workers that its owner added. */
import { UpdateAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { StartInstancesCommand } from "@aws-sdk/client-ec2";
import { NodeRole } from "../../core/node-role.ts";
import { Tag } from "../../core/tags.ts";
import { inBatches } from "./batches.ts";
import type { Clients } from "./clients.ts";
import { type Entry, failure } from "./entry.ts";
import type { Candidate } from "./overdue.ts";

export interface WakePlan {
  /** Instances that are to be started. */
  readonly start: readonly Candidate[];
  /** Groups that are to see to all instances that they may. */
  readonly fill: readonly Candidate[];
  /** Whether all that is off can be started: what is being stopped can't. */
  readonly isWhole: boolean;
}

/**
 * A program sets how many workers there may be, and no more: whether they are asked for is the reaper's, or an `up` would wake a fleet.
 *
 * @param isOn whether the fleet was told to be on; else what sleeps goes on sleeping.
 * @param emptied groups that are being emptied just now.
 */
export function wakePlan(members: readonly Candidate[], isOn: boolean, emptied: readonly Candidate[]): WakePlan {
  const short = members.flatMap((group) => shortOf(group, members));
  const isAsleep = members.every(({ wanted = 0 }) => wanted === 0);
  const off = members.filter(
    ({ kind, started, tags }) => kind === "instance" && !started && tags[Tag.role] !== NodeRole.worker,
  );
  return {
    start: isOn ? off.filter(({ stopped }) => stopped) : [],
    fill: isOn || !isAsleep ? short.filter(({ id }) => !emptied.some((group) => group.id === id)) : [],
    isWhole: off.every(({ stopped }) => stopped),
  };
}

/** The group of workers with as many as it is to have: what came on demand in the place of spot ones is in another (ADR 22). */
function shortOf(group: Candidate, members: readonly Candidate[]): readonly Candidate[] {
  const { wanted, most, tags } = group;
  if (wanted === undefined || most === undefined || tags[Tag.fallback] !== undefined) return [];
  const spare = members.find((other) => other.tags[Tag.fallback] !== undefined)?.wanted ?? 0;
  const room = Math.max(0, most - spare);
  return wanted < room ? [{ ...group, most: room }] : [];
}

/** Does what the plan says. Failures are entries. */
export async function wakeUp(
  { autoScaling, ec2 }: Pick<Clients, "autoScaling" | "ec2">,
  fleet: string,
  { start, fill }: WakePlan,
): Promise<readonly Entry[]> {
  // Nodes first: workers look for the head.
  const started = await inBatches(start, 50, (InstanceIds) => ec2.send(new StartInstancesCommand({ InstanceIds })));
  const most = new Map(fill.map(({ id, most }) => [id, most]));
  const filled = await inBatches(fill, 1, ([AutoScalingGroupName = ""]) => {
    const DesiredCapacity = most.get(AutoScalingGroupName);
    return autoScaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName, DesiredCapacity }));
  });
  const told = (event: "started" | "filled", { kind, id }: Candidate, error: unknown): Entry =>
    error === undefined ? { event, kind, id, fleet } : failure(kind, id, error);
  return [
    ...started.map(({ one, error }) => told("started", one, error)),
    ...filled.map(({ one, error }) => told("filled", one, error)),
  ];
}
