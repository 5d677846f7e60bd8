/**
 * What becomes of workers that aren't to be had: others on demand come in the place of spot ones, and of a gang that isn't whole
 * all are given back. Where neither is asked for, the group goes on asking.
 */
import { UpdateAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { secondsIfAny } from "../../core/duration.ts";
import type { ReaperReport } from "../../core/fleet-lake.ts";
import { Tag } from "../../core/tags.ts";
import type { Clients } from "./clients.ts";
import { type Entry, failure } from "./entry.ts";
import type { Candidate } from "./overdue.ts";

/** A group that is to see to another number of instances. */
interface Resize {
  readonly group: Candidate;
  readonly to: number;
}

/** What is to be done about a shortage, and what is told of it once that is done. */
export interface CapacityPlan {
  /** In this order: who is missing is asked for before the others are given up, or they might be forgotten. */
  readonly resize: readonly Resize[];
  /** Since when there are fewer workers than are wanted. */
  readonly shortSince: Date | undefined;
  readonly gaveBack: ReaperReport["gaveBack"];
}

/** @param members of the fleet, without groups that are emptied just now. */
export function capacityPlan(members: readonly Candidate[], last: ReaperReport | undefined, now: Date): CapacityPlan {
  const groups = members.filter(({ kind }) => kind === "group");
  const spare = groups.find(({ tags }) => tags[Tag.fallback] !== undefined);
  const main = groups.find((group) => group !== spare);
  if (!main) return { resize: [], shortSince: undefined, gaveBack: last?.gaveBack ?? null };
  const before = last && Date.parse(last.looked) >= main.created.getTime() ? last : undefined;
  const shortSince = missingOf(main) > 0 ? new Date(before?.shortSince ?? now) : undefined;
  const isOver = (wait: string | undefined) => {
    const seconds = secondsIfAny(wait);
    return shortSince && seconds !== undefined ? now.getTime() - shortSince.getTime() >= seconds * 1000 : false;
  };
  if (spare) {
    const more = isOver(spare.tags[Tag.fallback]) ? missingOf(main) : 0;
    return { resize: balance(main, spare, more), shortSince, gaveBack: null };
  }
  if (isOver(main.tags[Tag.gang])) {
    const { there = 0, wanted = 0 } = main;
    return { resize: [{ group: main, to: 0 }], shortSince, gaveBack: { at: now.toISOString(), there, wanted } };
  }
  return { resize: [], shortSince, gaveBack: main.wanted ? null : (before?.gaveBack ?? null) };
}

const missingOf = ({ wanted = 0, there = 0 }: Candidate): number => Math.max(0, wanted - there);

/**
 * Has the spare group take over workers that the main one doesn't get. Both together never want more than the fleet has workers, which
 * is what the bill counts: after an update, or where one of the two calls failed, first those go that aren't there yet.
 *
 * @param more how many it is to take over, as far as it may.
 */
function balance(main: Candidate, spare: Candidate, more: number): readonly Resize[] {
  const { wanted: mainWanted = 0, most = 0 } = main;
  const { wanted: spareWanted = 0, most: room = 0 } = spare;
  const moved = Math.min(more, Math.max(0, room - spareWanted));
  const excess = Math.max(0, mainWanted + spareWanted - most);
  const unmet = Math.min(excess, missingOf(main) - moved);
  return [
    { group: spare, to: spareWanted + moved - (excess - unmet) },
    { group: main, to: mainWanted - moved - unmet },
  ].filter(({ group, to }) => to !== group.wanted);
}

/** Does what the plan says, up to what fails. */
export async function resize(
  { autoScaling }: Pick<Clients, "autoScaling">,
  fleet: string,
  { resize }: CapacityPlan,
): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (const { group, to } of resize) {
    const { kind, id, wanted: from = 0 } = group;
    try {
      const change = { AutoScalingGroupName: id, MinSize: 0, DesiredCapacity: to };
      await autoScaling.send(new UpdateAutoScalingGroupCommand(change));
      entries.push({ event: "resized", kind, id, fleet, from, to });
    } catch (error) {
      return [...entries, failure(kind, id, error)];
    }
  }
  return entries;
}
