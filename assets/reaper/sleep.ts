/** What becomes of a fleet while nobody works there: its workers go, then its other machines are stopped, and their disks stay. */
import { UpdateAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { StopInstancesCommand } from "@aws-sdk/client-ec2";
import type { ReaperReport } from "../../core/fleet-lake.ts";
import { NodeRole } from "../../core/node-role.ts";
import { Tag } from "../../core/tags.ts";
import { inBatches } from "./batches.ts";
import type { Clients } from "./clients.ts";
import { type Entry, failure } from "./entry.ts";
import { fleetDuration } from "./fleets.ts";
import type { Idleness } from "./idle.ts";
import type { Candidate } from "./overdue.ts";

/** What is to be done about an idle fleet, and when the rest is. */
export interface SleepPlan {
  readonly idleSince: Date | undefined;
  readonly workersGo: Date | undefined;
  readonly nodesStop: Date | undefined;
  /** Groups that are to see to no instance any more. */
  readonly empty: readonly Candidate[];
  /** Instances that are to be stopped. */
  readonly stop: readonly Candidate[];
}

export function sleepPlan(
  members: readonly Candidate[],
  idleness: Idleness,
  last: ReaperReport | undefined,
  now: Date,
): SleepPlan {
  const awake = members.filter(({ wanted = 0 }) => wanted > 0);
  const nodes = members.filter(({ started, tags }) => started && tags[Tag.role] !== NodeRole.worker);
  const idle = fleetDuration(members, Tag.idle)?.seconds;
  const off = fleetDuration(members, Tag.idleOff)?.seconds;
  const isIdle = members.length > 0 && idleness.why.length === 0;
  const idleSince = isIdle ? sinceWhen(members, awake, idleness.since, last, now) : undefined;
  const after = (seconds: number | undefined) =>
    idleSince && seconds !== undefined ? new Date(idleSince.getTime() + seconds * 1000) : undefined;
  const workersGo = awake.length > 0 ? after(idle) : undefined;
  const nodesStop = nodes.length > 0 && off !== undefined ? after(idle && idle + off) : undefined;
  const isDue = (moment: Date | undefined) => moment !== undefined && moment <= now;
  return {
    idleSince,
    workersGo,
    nodesStop,
    empty: isDue(workersGo) ? awake : [],
    // Not in the same breath: what workers had is to find the others still there.
    stop: isDue(nodesStop) && awake.length === 0 ? nodes : [],
  };
}

/** Never earlier than it was told last, as machines that were idle for a shorter time may be gone; anew once somebody wakes it. */
function sinceWhen(
  members: readonly Candidate[],
  awake: readonly Candidate[],
  since: Date | undefined,
  last: ReaperReport | undefined,
  now: Date,
): Date {
  const created = Math.min(...members.map((member) => member.created.getTime()));
  const before = last && Date.parse(last.looked) >= created && last.idleSince !== null ? last : undefined;
  const isWoken = before?.workersGo === null && awake.length > 0;
  const told = before?.idleSince ? Date.parse(before.idleSince) : undefined;
  const latest = Math.max(since?.getTime() ?? told ?? now.getTime(), told ?? 0, isWoken ? now.getTime() : 0);
  return new Date(Math.min(latest, now.getTime()));
}

/** Does what the plan says. Failures are entries. */
export async function putToSleep(
  { autoScaling, ec2 }: Pick<Clients, "autoScaling" | "ec2">,
  fleet: string,
  { idleSince, empty, stop }: SleepPlan,
): Promise<readonly Entry[]> {
  const emptied = await inBatches(empty, 1, ([AutoScalingGroupName]) =>
    autoScaling.send(new UpdateAutoScalingGroupCommand({ AutoScalingGroupName, MinSize: 0, DesiredCapacity: 0 })),
  );
  const stopped = await inBatches(stop, 50, (InstanceIds) => ec2.send(new StopInstancesCommand({ InstanceIds })));
  const told = (event: "emptied" | "stopped", { kind, id }: Candidate, error: unknown): Entry =>
    error === undefined
      ? { event, kind, id, fleet, idleSince: (idleSince as Date).toISOString() }
      : failure(kind, id, error);
  return [
    ...emptied.map(({ one, error }) => told("emptied", one, error)),
    ...stopped.map(({ one, error }) => told("stopped", one, error)),
  ];
}
