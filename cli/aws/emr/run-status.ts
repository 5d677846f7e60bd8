import { type Cluster, ClusterState, type StepSummary } from "@aws-sdk/client-emr";
import type { Launched } from "../../../assets/emr-launcher/event.ts";
import type { BillLine } from "../../../core/bill.ts";
import type { RunRecord, RunStatus } from "../../../core/run.ts";
import { costSoFar, hoursBetween } from "../../cost-so-far.ts";
import type { Progress } from "../../step-log.ts";
import { deadlineOf, isEnding, isOver, whyEnded } from "./ending.ts";

type StepStatus = RunStatus["steps"][number];

/** What is known of a run on EMR. */
export interface RunFacts {
  readonly launched: Launched;
  /** @default the steps have not begun */
  readonly record?: RunRecord | undefined;
  /** @default EMR, which forgets a cluster after two months, knows it no more */
  readonly cluster?: Cluster | undefined;
  /** In the order they run. */
  readonly steps: readonly StepSummary[];
  /** By the name of the step. */
  readonly progress: ReadonlyMap<string, Progress>;
  /** What the stack costs. @default not known */
  readonly bill?: readonly BillLine[] | undefined;
  /** The cluster ends when it was idle for so long. @default it has no idle limit */
  readonly idleSeconds?: number | undefined;
  readonly now: Date;
}

/** How a run is doing. Its outcome is that of its steps: a cluster may stay after them. */
export function runStatus(seen: RunFacts): RunStatus {
  const { launched, record, cluster, now } = seen;
  const steps = seen.steps.map((step) => stepStatus(step, seen.progress));
  const { state, error } = outcome(seen, steps);
  const deadline = deadlineIn(seen);
  const lastEnd = latest(steps.map((step) => step.ended));
  const clusterEnd = cluster?.Status?.Timeline?.EndDateTime?.toISOString();
  const ended = state === "running" ? undefined : (record?.ended ?? lastEnd ?? clusterEnd ?? now.toISOString());
  const until = clusterEnd ?? (cluster && isOver(cluster) ? ended : undefined);
  return {
    run: launched.run,
    job: record?.job ?? argument(seen.steps[0], "--job") ?? "the job",
    state,
    started: launched.launched,
    ...(deadline && { deadline }),
    ...(ended && { ended }),
    ...(error && { error }),
    steps: steps.length > 0 ? steps : (record?.steps ?? []),
    ...(cluster && { cluster: clusterState(seen, cluster, lastEnd, deadline) }),
    ...(seen.bill && { cost: costSoFar(seen.bill, hoursBetween(launched.launched, until ?? now)) }),
  };
}

/** A run whose cluster nobody knows: what its record says, and what follows from that. */
export function recordStatus(record: RunRecord, now: Date): RunStatus {
  const { tables: _, ...status } = record;
  if (record.state !== "running" || !record.deadline || now < new Date(record.deadline)) return status;
  return { ...status, state: "failed", ended: record.deadline, error: "its cluster ended without saying so" };
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

function stepStatus(step: StepSummary, progress: ReadonlyMap<string, Progress>): StepStatus {
  const name = stepName(step);
  const { StartDateTime: started, EndDateTime: ended } = step.Status?.Timeline ?? {};
  const found = progress.get(name);
  return {
    name,
    state: stepState(step),
    ...(started && { started: started.toISOString() }),
    ...(ended && started && { ended: ended.toISOString() }),
    ...(found && { progress: found }),
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

function outcome(seen: RunFacts, steps: readonly StepStatus[]): Pick<RunStatus, "state" | "error"> {
  const { record, cluster } = seen;
  const failed = steps.findIndex((step) => step.state === "failed");
  if (failed >= 0) {
    return { state: "failed", error: record?.error ?? stepError(seen.steps[failed] as StepSummary, cluster, seen.now) };
  }
  if (record?.state === "failed") return { state: "failed", error: record.error ?? "its record doesn't say why" };
  const done = steps.length > 0 && steps.every((step) => step.state === "succeeded");
  if (done || (record?.state === "succeeded" && (!cluster || isEnding(cluster)))) return { state: "succeeded" };
  if (!cluster) return { state: "failed", error: "EMR knows its cluster no more, and its record has no end" };
  if (isOver(cluster)) return { state: "failed", error: whyEnded(cluster, seen.now) };
  return { state: "running" };
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

function deadlineIn({ launched, record, cluster }: RunFacts): string | undefined {
  const age = deadlineOf(cluster);
  if (age === undefined) return record?.deadline;
  return new Date(new Date(launched.launched).getTime() + age * 1000).toISOString();
}

function clusterState(
  { idleSeconds }: RunFacts,
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
