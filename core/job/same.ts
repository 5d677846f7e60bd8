import { isDeepStrictEqual } from "node:util";
import { arg, quote, refusal } from "../errors.ts";
import type { Job } from "../job.ts";
import type { Panel } from "../panel.ts";
import type { Table } from "../table.ts";

/**
 * The job of what works over a lake: the lake's, unless the same job is given. Jobs are the same that have one name and equal
 * tables and panels, whatever objects they are. Tables and panels are told apart by their names, so their order says nothing;
 * that of a table's columns does. Steps, and what they read, may differ: they can have other arguments.
 *
 * @param shown "some": a few of the lake's panels will do, as for a dashboard.
 * @throws UsageError for another job than the lake's, and when there is none.
 */
export function jobFor(
  { job, lake }: { readonly job?: Job | undefined; readonly lake: { readonly job?: Job | undefined } },
  shown: "all" | "some" = "all",
): Job {
  const known = lake.job;
  if (job === undefined && known === undefined) {
    throw refusal`${arg("job")} is not set, and a lake that is but a path or an address has none: give the job whose tables lie in it`;
  }
  if (job === undefined || known === undefined || job === known) return (job ?? known) as Job;
  const difference = differenceOf(job, known, shown);
  if (difference === undefined) return job;
  throw refusal`${arg("job")} is ${quote(job.name)} and ${arg("lake")} is of ${difference}: leave ${arg("job")} out, which takes the lake's, or make a lake for this one`;
}

/** What tells the lake's job from one that is given; undefined where they are the same. */
function differenceOf(job: Job, known: Job, shown: "all" | "some"): string | undefined {
  if (job.name !== known.name) return `job ${quote(known.name)}`;
  const isShown = (name: string) => shown === "all" || job.panels.some((panel) => panel.name === name);
  const panels = known.panels.filter(({ name }) => isShown(name));
  const difference =
    firstUnlike("table", job.tables, known.tables, (one, other) =>
      isAlike(one.columns, other.columns) ? "is another" : "has other columns",
    ) ?? firstUnlike("panel", job.panels, panels, () => "is another");
  return difference && `a job of that name ${difference}`;
}

function firstUnlike<T extends Table | Panel>(
  kind: string,
  given: readonly T[],
  known: readonly T[],
  how: (one: T, other: T) => string,
): string | undefined {
  for (const one of given) {
    const other = known.find(({ name }) => name === one.name);
    if (!other) return `that has no ${kind} ${quote(one.name)}`;
    if (!isAlike(one, other)) return `whose ${kind} ${quote(one.name)} ${how(one, other)}`;
  }
  const more = known.find(({ name }) => !given.some((one) => one.name === name));
  return more && `that has a ${kind} ${quote(more.name)} too`;
}

/** Whether two pieces of plain data are equal, with what is undefined for left out. */
const isAlike = (one: unknown, other: unknown): boolean =>
  isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)));
