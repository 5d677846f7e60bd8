import { type Duration, formatDuration, seconds } from "./duration.ts";
import { arg, quote, refusal } from "./errors.ts";

/** When a cluster ends, whatever happens. It is told as an age, so the clock never enters the program. */
export interface Lifetime {
  /** The cluster ends this long after its creation, finished or not. */
  readonly deadline: Duration;
  /** A cluster that is kept alive ends when it has had nothing to do for so long. @default needed where it is kept alive */
  readonly idle?: Duration;
  /** USD: it is refused when it can cost more by its deadline. @default no limit */
  readonly maxCost?: number;
}

/**
 * A deadline in seconds.
 *
 * @throws UsageError when it isn't a duration, is shorter than `least` (what a cluster of this kind needs to start) or
 * longer than `most`.
 */
export function deadlineSeconds(lifetime: Lifetime, least: Duration, most: Duration): number {
  const deadline = seconds(lifetime.deadline, "deadline");
  if (deadline < seconds(least) || deadline > seconds(most)) {
    throw refusal`${arg("deadline")} is ${quote(lifetime.deadline)} (${formatDuration(deadline)}): expected something from "${least}" to "${most}"`;
  }
  return deadline;
}
