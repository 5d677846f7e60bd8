/** Fleets: which things are one, and when it ends. */
import { secondsIfAny } from "../../core/duration.ts";
import type { ReaperReport } from "../../core/fleet-lake.ts";
import { NodeRole } from "../../core/node-role.ts";
import { Tag } from "../../core/tags.ts";
import { type Candidate, DEFAULT_DEADLINE_SECONDS, type Overdue } from "./overdue.ts";

/** What carries the same lake and the same name of a fleet. */
export interface Fleet {
  /** Both are undefined where tags don't tell: then it ends, and nobody knows how it is. */
  readonly lake: string | undefined;
  readonly cluster: string | undefined;
  readonly members: readonly Candidate[];
}

/** When a fleet ends. */
export interface FleetEnd {
  readonly ends: Date;
  /** What of it is to go now. */
  readonly over: ReadonlyMap<Candidate, Overdue>;
  /** What of it goes on. */
  readonly rest: readonly Candidate[];
}

export const isOfFleet = ({ tags }: Candidate): boolean => tags[Tag.role] !== undefined;

/** As it is named in the log. */
export const fleetId = ({ lake, cluster }: Fleet): string => `${lake ?? "?"}/${cluster ?? "?"}`;

export function fleetsOf(candidates: readonly Candidate[], stack: string): readonly Fleet[] {
  const fleets = new Map<string, { lake: string | undefined; cluster: string | undefined; members: Candidate[] }>();
  for (const candidate of candidates) {
    const { [Tag.stack]: owner, [Tag.lake]: lake, [Tag.cluster]: cluster } = candidate.tags;
    if (!isOfFleet(candidate) || owner !== stack) continue;
    const key = JSON.stringify([lake, cluster]);
    const fleet = fleets.get(key) ?? { lake, cluster, members: [] };
    fleet.members.push(candidate);
    fleets.set(key, fleet);
  }
  return [...fleets.values()];
}

/**
 * A fleet ends as one: its deadline after the first of it was created, so that what joins later, a data node or its disk, ends with
 * it. Nothing tells of the first ones once they are gone, while disks are waited for: there the last report does.
 */
export function fleetEnd({ members }: Pick<Fleet, "members">, last: ReaperReport | undefined, now: Date): FleetEnd {
  const endedAt =
    last && Date.parse(last.looked) >= Date.parse(last.ends) ? Date.parse(last.ends) : Number.NEGATIVE_INFINITY;
  const remains = members.filter(({ created }) => created.getTime() <= endedAt);
  const current = members.filter(({ created }) => created.getTime() > endedAt);
  const deadline = deadlineOf(current.length > 0 ? current : members);
  const ends = firstOf(current) + deadline.deadlineSeconds * 1000;
  // Disks may be waited for while there is a new fleet of this name; a group would make more of the old one.
  const isOver = ends <= now.getTime() || remains.some(({ kind }) => kind === "group" || kind === "instance");
  return {
    // As long as there are remains, whoever looks next has to know of that end.
    ends: new Date(remains.length > 0 ? endedAt : ends),
    over: new Map([...dueOf(remains, deadline, now), ...(isOver ? dueOf(current, deadline, now) : [])]),
    rest: isOver ? [] : current,
  };
}

const firstOf = (members: readonly Candidate[]) => Math.min(...members.map(({ created }) => created.getTime()));

type Deadline = Pick<Overdue, "deadlineSeconds" | "deadlineTag" | "legible">;

function dueOf(members: readonly Candidate[], deadline: Deadline, now: Date): readonly [Candidate, Overdue][] {
  const ageSeconds = Math.floor((now.getTime() - firstOf(members)) / 1000);
  return members.map((member) => [member, { kind: member.kind, id: member.id, ageSeconds, ...deadline }]);
}

function deadlineOf(members: readonly Candidate[]): Deadline {
  const found = fleetDuration(members, Tag.deadline);
  const any = members.map(({ tags }) => tags[Tag.deadline]).find((tag) => tag !== undefined);
  return {
    deadlineSeconds: found?.seconds ?? DEFAULT_DEADLINE_SECONDS,
    deadlineTag: found?.tag ?? any,
    legible: found !== undefined,
  };
}

/** Whose tags hold, the first ones first. A worker has those of the day that it was rented: a group hands out new ones to new workers. */
const AUTHORITIES: readonly ((member: Candidate) => boolean)[] = [
  ({ kind, tags }) => kind === "instance" && tags[Tag.role] === NodeRole.head,
  ({ kind }) => kind === "group",
  ({ tags }) => tags[Tag.role] !== NodeRole.worker,
  () => true,
];

/** What a tag of a fleet says, where it can be read: the longest, where equals disagree. */
export function fleetDuration(
  members: readonly Candidate[],
  tag: string,
): { readonly seconds: number; readonly tag: string } | undefined {
  for (const isAuthority of AUTHORITIES) {
    const [longest] = members
      .filter(isAuthority)
      .map(({ tags }) => ({ tag: tags[tag] as string, seconds: secondsIfAny(tags[tag]) as number }))
      .filter(({ seconds }) => seconds !== undefined)
      .sort((a, b) => b.seconds - a.seconds);
    if (longest) return longest;
  }
  return undefined;
}
