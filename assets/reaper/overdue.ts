import { secondsIfAny } from "../../core/duration.ts";
import { Tag } from "../../core/tags.ts";

/** How long something lives that carries a stack's tag and no legible deadline: the longest deadline there is, but for fleets. */
export const DEFAULT_DEADLINE_SECONDS = 7 * 86_400;

export type Kind = "cluster" | "group" | "instance" | "volume" | "endpoint";

/** Something that is there and may have to end. */
export interface Candidate {
  readonly kind: Kind;
  readonly id: string;
  readonly created: Date;
  readonly tags: Readonly<Record<string, string>>;
  /** Of an instance that isn't off: when it was started last. */
  readonly started?: Date;
  /** Of an instance: that it is off, and may be started. */
  readonly stopped?: boolean;
  /** Of a group: how many instances it sees to. */
  readonly wanted?: number;
  /** Of a group: how many it may see to. */
  readonly most?: number;
  /** Of a group: how many of them there are, or are being launched. */
  readonly there?: number;
  /** Of a volume: that an instance has it, so that it can't be deleted. */
  readonly inUse?: boolean;
}

/** Something that has to end. */
export interface Overdue {
  readonly kind: Kind;
  readonly id: string;
  /** Of a fleet's: since the first of the fleet was created. */
  readonly ageSeconds: number;
  readonly deadlineSeconds: number;
  /** The deadline's tag as it is; undefined when there is none. */
  readonly deadlineTag: string | undefined;
  /** Whether the deadline's tag could be read; else the default stands. */
  readonly legible: boolean;
}

/** What `candidate` is due to by its own age; undefined when it is another stack's, or young enough. */
export function overdue(candidate: Candidate, stack: string, now: Date): Overdue | undefined {
  const { kind, id, created, tags } = candidate;
  if (tags[Tag.stack] !== stack) return undefined;
  const deadlineTag = tags[Tag.deadline];
  const read = secondsIfAny(deadlineTag);
  const deadlineSeconds = read ?? DEFAULT_DEADLINE_SECONDS;
  const ageSeconds = Math.floor((now.getTime() - created.getTime()) / 1000);
  if (ageSeconds < deadlineSeconds) return undefined;
  return { kind, id, ageSeconds, deadlineSeconds, deadlineTag, legible: read !== undefined };
}
