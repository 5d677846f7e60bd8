import { appendFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { lookNow } from "../../assets/dashboard/panels/now.ts";
import { isRefused, type Problem, told } from "../../assets/dashboard/panels/problem.ts";
import { quote, UsageError } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import type { SqlEngine } from "../../core/sql-engine.ts";
import { isTried } from "../../core/tried.ts";

/** Names a file for the environment: what would be looked at is written there, a line each, and nothing is refused. */
export const SHOWN_FILE = "ONEOFF_SHOWN";

/** A job as it is shown, and by what: a line of that file. */
export interface ShownJob {
  readonly job: Pick<Job, "name" | "tables" | "panels">;
  readonly engine: SqlEngine;
}

/**
 * Looks at a job's panels before anything is made of it: a run that is paid for and can't be shown is the dearest way to find
 * a typing error. What is wrong on other engines alone is a warning of the preview.
 *
 * @throws UsageError for a panel that `engine` can't show.
 */
export function checkPanels(job: Job, engine: SqlEngine, resource: pulumi.Resource): void {
  const { name, tables, panels } = job;
  const file = process.env[SHOWN_FILE];
  if (file) {
    appendFileSync(file, `${JSON.stringify({ job: { name, tables, panels }, engine })}\n`);
    return;
  }
  if (isTried(job)) return;
  const problems = look(job, resource);
  const [first, ...more] = problems.filter((problem) => isRefused(problem, engine));
  if (first) {
    const rest = more.length > 0 ? `; it is not the only one: "npx --no oneoff check" lists ${more.length + 1}` : "";
    throw new UsageError(`job ${quote(name)}, ${told(first)}${rest}`);
  }
  if (!pulumi.runtime.isDryRun()) return;
  for (const problem of problems) pulumi.log.warn(`job ${quote(name)}, ${told(problem)}`, resource);
}

/** Where DuckDB can't be loaded a run may still be made: then the panels are told of when they are shown. */
function look({ name, tables, panels }: Job, resource: pulumi.Resource): readonly Problem[] {
  try {
    return lookNow({ tables, panels });
  } catch (error) {
    pulumi.log.warn(
      `job ${quote(name)}: its panels can't be looked at before the run: ${(error as Error).message}`,
      resource,
    );
    return [];
  }
}
