import { type Cluster, ClusterState, type StepSummary } from "@aws-sdk/client-emr";
import type { Launched } from "../../../assets/emr-launcher/event.ts";
import type { RunStatus } from "../../../core/run.ts";
import type { Machines } from "../../platform.ts";
import { deadlineOf, isEnding, isOver, whyEnded } from "./ending.ts";

type StepStatus = RunStatus["steps"][number];

/** What EMR says of a run. */
export interface EmrRun {
  readonly launched: Launched;
  /** @default EMR, which forgets a cluster after two months, knows it no more */
  readonly cluster?: Cluster | undefined;
  /** In the order they run. */
  readonly steps: readonly StepSummary[];
  /** The cluster ends when it was idle for so long. @default it has no idle limit */
  readonly idleSeconds?: number | undefined;
  readonly now: Date;
}

/** The outcome of a run is that of its steps: a cluster may stay after them. */
export function machinesOf(seen: EmrRun): Machines {
  const { launched, cluster } = seen;
  const steps = seen.steps.map(stepStatus);
  const lastEnd = latest(steps.map((step) => step.ended));
  const clusterEnd = cluster?.Status?.Timeline?.EndDateTime?.toISOString();
  const deadline = deadlineIn(seen);
  return {
    started: launched.launched,
    job: argument(seen.steps[0], "--job"),
    ...(deadline && { deadline }),
    steps,
    outcome: outcomeOf(seen, steps, lastEnd),
    over: overOf(seen, lastEnd ?? clusterEnd),
    ...(cluster && { cluster: () => clusterState(seen, cluster, lastEnd, deadline) }),
    areThere: cluster !== undefined && !isOver(cluster),
    ended: clusterEnd,
  };
}

function overOf({ cluster, now }: EmrRun, at: string | undefined): Machines["over"] {
  if (!cluster) return { error: "EMR knows its cluster no more, and its record has no end", at };
  return isOver(cluster) ? { error: whyEnded(cluster, now), at } : undefined;
}

/** The steps of a run among those of its cluster, to which a user may have added others. */
export function stepsOf(run: string, steps: readonly StepSummary[]): readonly StepSummary[] {
  const own = steps.filter((step) => argument(step, "--run") === run && argument(step, "--step") !== undefined);
  return own.length > 0 ? own : steps;
}

/** Name of a step in its job. */
export const stepName = (step: StepSummary): string => argument(step, "--step") ?? step.Name ?? "step";

/** Value of an argument before the command that the step runs. */
function argument(step: StepSummary | undefined, name: string): string | undefined {
  const args = step?.Config?.Args ?? [];
  const end = args.indexOf("--");
  const own = end < 0 ? args : args.slice(0, end);
  const index = own.indexOf(name);
  return index < 0 ? undefined : own[index + 1];
}

function stepStatus(step: StepSummary): StepStatus {
  const { StartDateTime: started, EndDateTime: ended } = step.Status?.Timeline ?? {};
  return {
    name: stepName(step),
    state: stepState(step),
    ...(started && { started: started.toISOString() }),
    ...(ended && started && { ended: ended.toISOString() }),
  };
}

function stepState(step: StepSummary): StepStatus["state"] {
  switch (step.Status?.State) {
    case "COMPLETED":
      return "succeeded";
    case "FAILED":
    case "INTERRUPTED":
      return "failed";
    case "CANCELLED":
      return step.Status.Timeline?.StartDateTime ? "failed" : "pending";
    case "RUNNING":
    case "CANCEL_PENDING":
      return "running";
    default:
      return "pending";
  }
}

function outcomeOf(
  { steps: summaries, cluster, now }: EmrRun,
  steps: readonly StepStatus[],
  at: string | undefined,
): Machines["outcome"] {
  const failed = steps.findIndex((step) => step.state === "failed");
  if (failed >= 0) return { state: "failed", error: stepError(summaries[failed] as StepSummary, cluster, now), at };
  return steps.length > 0 && steps.every((step) => step.state === "succeeded") ? { state: "succeeded", at } : undefined;
}

function stepError(step: StepSummary, cluster: Cluster | undefined, now: Date): string {
  const { Reason: reason, Message: message } = step.Status?.FailureDetails ?? {};
  const why = [reason, message, step.Status?.StateChangeReason?.Message].find((text) => text?.trim());
  const cutOff = step.Status?.State !== "FAILED" || isPastDeadline(step.Status.Timeline?.EndDateTime, cluster);
  if (cluster && isEnding(cluster) && cutOff) return whyEnded(cluster, now);
  return `step "${stepName(step)}" failed${why ? `: ${why.trim().replace(/\s+/g, " ")}` : ""}`;
}

function isPastDeadline(time: Date | undefined, cluster: Cluster | undefined): boolean {
  const created = cluster?.Status?.Timeline?.CreationDateTime;
  const deadline = deadlineOf(cluster);
  if (!time || !created || deadline === undefined) return false;
  return time.getTime() - created.getTime() >= deadline * 1000;
}

function deadlineIn({ launched, cluster }: EmrRun): string | undefined {
  const age = deadlineOf(cluster);
  return age === undefined ? undefined : new Date(new Date(launched.launched).getTime() + age * 1000).toISOString();
}

function clusterState(
  { idleSeconds }: EmrRun,
  cluster: Cluster,
  lastEnd: string | undefined,
  deadline: string | undefined,
): NonNullable<RunStatus["cluster"]> {
  const state = cluster.Status?.State ?? "STARTING";
  const reason = cluster.Status?.StateChangeReason?.Message?.trim().replace(/\.$/, "");
  const starting = state === ClusterState.STARTING ? "provisioning Amazon EC2 capacity" : undefined;
  const idleEnd =
    idleSeconds !== undefined && lastEnd ? new Date(Date.parse(lastEnd) + idleSeconds * 1000).toISOString() : undefined;
  const stays = state === ClusterState.WAITING ? earliest([idleEnd, deadline]) : undefined;
  const text = reason || starting;
  return { state, ...(text && { reason: text }), ...(stays && { stays }) };
}

const sorted = (times: readonly (string | undefined)[]): readonly string[] =>
  times.filter((time) => time !== undefined).sort((a, b) => Date.parse(a) - Date.parse(b));
const latest = (times: readonly (string | undefined)[]): string | undefined => sorted(times).at(-1);
const earliest = (times: readonly (string | undefined)[]): string | undefined => sorted(times)[0];
