import { seconds } from "../../core/duration.ts";
import { Tag } from "../../core/tags.ts";

/** How long something lives that carries a stack's tag and no legible deadline: the longest deadline there is. */
export const DEFAULT_DEADLINE = "7 days";

export type Kind = "cluster" | "group" | "instance";

/** Something that runs and may have to end. */
export interface Candidate {
  readonly kind: Kind;
  readonly id: string;
  readonly created: Date;
  readonly tags: Readonly<Record<string, string>>;
}

/** Something that has to end. */
export interface Overdue {
  readonly kind: Kind;
  readonly id: string;
  readonly ageSeconds: number;
  readonly deadlineSeconds: number;
  /** The deadline's tag as it is; undefined when there is none. */
  readonly deadlineTag: string | undefined;
  /** Whether the deadline's tag could be read; else the default stands. */
  readonly legible: boolean;
}

/** What `candidate` is due to; undefined when it is another stack's, or young enough. */
export function overdue(candidate: Candidate, stack: string, now: Date): Overdue | undefined {
  const { kind, id, created, tags } = candidate;
  if (tags[Tag.stack] !== stack) return undefined;
  const deadlineTag = tags[Tag.deadline];
  const read = legibleSeconds(deadlineTag);
  const deadlineSeconds = read ?? seconds(DEFAULT_DEADLINE);
  const ageSeconds = Math.floor((now.getTime() - created.getTime()) / 1000);
  if (ageSeconds < deadlineSeconds) return undefined;
  return { kind, id, ageSeconds, deadlineSeconds, deadlineTag, legible: read !== undefined };
}

function legibleSeconds(text: string | undefined): number | undefined {
  try {
    return text === undefined ? undefined : seconds(text);
  } catch {
    return undefined;
  }
}
