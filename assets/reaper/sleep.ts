/** What becomes of a fleet that nobody works on, or that is to be off: its workers go, then its other machines are stopped, and their disks stay. */
import { UpdateAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { StopInstancesCommand } from "@aws-sdk/client-ec2";
import { REST_SECONDS, type ReaperReport } from "../../core/fleet-lake.ts";
import { NodeRole } from "../../core/node-role.ts";
import { Tag } from "../../core/tags.ts";
import { inBatches } from "./batches.ts";
import type { Clients } from "./clients.ts";
import { type Entry, failure } from "./entry.ts";
import { fleetDuration } from "./fleets.ts";
import type { Idleness } from "./idle.ts";
import type { Candidate } from "./overdue.ts";
import type { Demand } from "./power.ts";

/** What is to be done about a fleet that nobody works on, or that is told to be off, and when the rest is. */
export interface SleepPlan {
  readonly idleSince: Date | undefined;
  readonly workersGo: Date | undefined;
  readonly nodesStop: Date | undefined;
  /** Since when nodes are due that wait for HDFS, or are stopped now. */
  readonly stopping: Date | undefined;
  /** Groups that are to see to no instance any more. */
  readonly empty: readonly Candidate[];
  /** Instances that are to be stopped. */
  readonly stop: readonly Candidate[];
}

export interface SleepReasons {
  readonly idleness: Idleness;
  /** @default nobody told it anything */
  readonly demand: Demand | undefined;
  readonly last: ReaperReport | undefined;
}

export function sleepPlan(members: readonly Candidate[], reasons: SleepReasons, now: Date): SleepPlan {
  const { idleness, demand, last } = reasons;
  const awake = members.filter(({ wanted = 0 }) => wanted > 0);
  const nodes = members.filter(({ started, tags }) => started && tags[Tag.role] !== NodeRole.worker);
  const idle = fleetDuration(members, Tag.idle)?.seconds;
  const off = fleetDuration(members, Tag.idleOff)?.seconds;
  const isIdle = members.length > 0 && idleness.why.length === 0;
  const idleSince = isIdle ? sinceWhen(awake, reasons, now) : undefined;
  const after = (seconds: number | undefined) =>
    idleSince && seconds !== undefined ? new Date(idleSince.getTime() + seconds * 1000) : undefined;
  const told = demand?.off ?? demand?.clock?.off;
  const workersGo = awake.length > 0 ? earliest(after(idle), told) : undefined;
  const stopsIdle = off === undefined ? undefined : after(idle && idle + off);
  const nodesStop = nodes.length > 0 ? earliest(stopsIdle, told) : undefined;
  const isDue = (moment: Date | undefined) => moment !== undefined && moment <= now;
  const stopping = isDue(nodesStop) ? new Date((last?.nodesStop && last.stopping) || now) : undefined;
  const isReady = idleness.rests || (stopping && now.getTime() - stopping.getTime() >= REST_SECONDS * 1000);
  return {
    idleSince,
    workersGo,
    nodesStop,
    stopping,
    empty: isDue(workersGo) ? awake : [],
    // Not in the same breath: what workers had is to find the others still there. Nor while one is being set up, which isn't gone on with.
    stop: stopping && isReady && awake.length === 0 && !idleness.nodesBoot ? nodes : [],
  };
}

const earliest = (...moments: readonly (Date | undefined)[]): Date | undefined =>
  moments.filter((moment) => moment !== undefined).sort((a, b) => a.getTime() - b.getTime())[0];

/** Never earlier than it was told last, as machines that were idle for a shorter time may be gone; anew once somebody wakes it. */
function sinceWhen(awake: readonly Candidate[], { idleness, demand, last }: SleepReasons, now: Date): Date {
  const before = last && last.idleSince !== null ? last : undefined;
  const isWoken = (before?.workersGo === null && awake.length > 0) || (demand?.on && demand.isNew);
  const told = before?.idleSince ? Date.parse(before.idleSince) : undefined;
  const latest = Math.max(idleness.since?.getTime() ?? told ?? now.getTime(), told ?? 0, isWoken ? now.getTime() : 0);
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
      ? { event, kind, id, fleet, ...(idleSince && { idleSince: idleSince.toISOString() }) }
      : failure(kind, id, error);
  return [
    ...emptied.map(({ one, error }) => told("emptied", one, error)),
    ...stopped.map(({ one, error }) => told("stopped", one, error)),
  ];
}
