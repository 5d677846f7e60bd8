/** What Cloud Run says of the orchestrator, which says nothing itself before it runs and after it was killed. */
import type { Google } from "../client.ts";
import type { DataprocStack } from "./stack.ts";

/** As of https://cloud.google.com/run/docs/reference/rest/v2/projects.locations.jobs.executions#Execution */
interface Execution {
  readonly name: string;
  readonly createTime: string;
  readonly startTime?: string;
  readonly completionTime?: string;
  readonly succeededCount?: number;
  readonly conditions?: readonly {
    readonly type: string;
    readonly state?: string;
    readonly message?: string;
    readonly reason?: string;
  }[];
}

/** The orchestrator of a run. */
export interface ExecutionState {
  /** Name of the execution. */
  readonly name: string;
  readonly since: string;
  /** What it is at, in words. */
  readonly what: string;
  /** When it ended. @default it has not */
  readonly ended?: string;
  /** Why it failed. @default it has not */
  readonly failure?: string;
}

/** The newest execution, of those that run where one does; undefined when there is none. */
export async function newestExecution(google: Google, stack: DataprocStack): Promise<ExecutionState | undefined> {
  const path = `v2/projects/${stack.project}/locations/${stack.region}/jobs/${stack.orchestrator}/executions`;
  const executions = await google.list<Execution>("run", path, "executions");
  const newestFirst = executions.toSorted((a, b) => Date.parse(b.createTime) - Date.parse(a.createTime));
  const newest = newestFirst.find(({ completionTime }) => completionTime === undefined) ?? newestFirst[0];
  return newest && seen(newest);
}

function seen({ name, createTime, startTime, completionTime, conditions = [] }: Execution): ExecutionState {
  const failed = conditions.find(({ type, state }) => type === "Completed" && state === "CONDITION_FAILED");
  // What hinders it, if anything does: an image that can't be had, a container that was started again.
  const hindered = conditions.find(({ type, state, message }) => type !== "Completed" && !isFine(state) && message);
  const at = startTime ? "the orchestrator has just started" : "Cloud Run starts the orchestrator";
  return {
    name: name.split("/").at(-1) as string,
    since: createTime,
    what: oneLine(hindered?.message) ?? at,
    ...(completionTime && { ended: completionTime }),
    ...(failed && { failure: oneLine(failed.message) ?? failed.reason ?? "Cloud Run doesn't say why" }),
  };
}

const isFine = (state: string | undefined): boolean => state === "CONDITION_SUCCEEDED" || state === undefined;

const oneLine = (text: string | undefined): string | undefined =>
  text?.trim().replace(/\s+/g, " ").replace(/\.$/, "") || undefined;

/** What reads all that the orchestrator printed. */
export const logCommand = ({ project, orchestrator }: DataprocStack): string =>
  `gcloud logging read '${filterOf(orchestrator)}' --project ${project} --freshness 7d --order asc --format "value(textPayload,jsonPayload.message)"`;

const filterOf = (orchestrator: string): string =>
  `resource.type="cloud_run_job" AND resource.labels.job_name="${orchestrator}"`;

interface Entry {
  readonly textPayload?: string;
  readonly jsonPayload?: { readonly message?: string };
}

/** The last that an execution printed; empty where it printed nothing or nobody may read it. */
export async function printedBy(
  google: Google,
  { project, orchestrator }: DataprocStack,
  { name }: ExecutionState,
): Promise<string> {
  const filter = `${filterOf(orchestrator)} AND labels."run.googleapis.com/execution_name"="${name}"`;
  const body = { resourceNames: [`projects/${project}`], filter, orderBy: "timestamp desc", pageSize: 50 };
  try {
    const { entries = [] } = await google.request<{ readonly entries?: readonly Entry[] }>(
      "logging",
      "v2/entries:list",
      { method: "POST", body },
    );
    return entries
      .map(({ textPayload, jsonPayload }) => textPayload ?? jsonPayload?.message ?? "")
      .filter((line) => line !== "")
      .toReversed()
      .join("\n");
  } catch {
    return ""; // the command that reads it is told with the error
  }
}
