import { type Cluster, ClusterState } from "@aws-sdk/client-emr";
import { formatDuration, secondsIfAny } from "../../../core/duration.ts";
import { Tag } from "../../../core/tags.ts";

/** Whether a cluster is no more, or on its way to be. */
export const isEnding = (cluster: Cluster): boolean => isEndingState(cluster.Status?.State);

/** As {@link isEnding}, of what EMR calls its state. */
export const isEndingState = (state: string | undefined): boolean =>
  state === ClusterState.TERMINATING ||
  state === ClusterState.TERMINATED ||
  state === ClusterState.TERMINATED_WITH_ERRORS;

export const isOver = (cluster: Cluster): boolean =>
  cluster.Status?.State === ClusterState.TERMINATED || cluster.Status?.State === ClusterState.TERMINATED_WITH_ERRORS;

/** Deadline of a cluster in seconds, by its tag. */
export const deadlineOf = (cluster: Cluster | undefined): number | undefined =>
  secondsIfAny(cluster?.Tags?.find(({ Key }) => Key === Tag.deadline)?.Value);

const CAPACITY = /capacity|insufficient|not supported in|no instance|unfulfillable|spot/i;
const QUOTA = /limit|quota|exceed/i;

/** Why a cluster ended before its steps had, in one line with what to do about it. */
export function whyEnded(cluster: Cluster, now = new Date()): string {
  const { Code: code = "", Message: message = "" } = cluster.Status?.StateChangeReason ?? {};
  const said = message.trim().replace(/\s+/g, " ").replace(/\.$/, "");
  switch (code) {
    case "USER_REQUEST":
      return whoEnded(cluster, said, now);
    case "BOOTSTRAP_FAILURE":
      return `the nodes could not be set up: ${said || "a bootstrap action failed"}`;
    case "VALIDATION_ERROR":
    case "INSTANCE_FLEET_TIMEOUT":
    case "INSTANCE_FAILURE":
    case "INTERNAL_ERROR":
      return `EMR could not have its machines (${code}): ${said || "it says no more"}${cure(code, said)}`;
    case "STEP_FAILURE":
      return `a step failed and ended the cluster: ${said || "EMR says no more"}`;
    default:
      return `its cluster ended before its steps had: ${said || code || "EMR doesn't say why"}`;
  }
}

function whoEnded(cluster: Cluster, said: string, now: Date): string {
  const { CreationDateTime: created, EndDateTime: ended } = cluster.Status?.Timeline ?? {};
  const deadline = deadlineOf(cluster);
  const age = created ? ((ended ?? now).getTime() - created.getTime()) / 1000 : 0;
  if (deadline !== undefined && age >= deadline) {
    return `its cluster was ended at its deadline of ${formatDuration(deadline)} by the reaper: allow more time (oneoff:deadline), or more or larger machines`;
  }
  if (/auto-?\s?terminat|idle/i.test(said)) return `its cluster was ended by its idle limit: ${said}`;
  return `its cluster was ended by someone, such as "pulumi destroy", ${formatDuration(age)} after its start`;
}

function cure(code: string, said: string): string {
  if (QUOTA.test(said) && !/capacity/i.test(said)) {
    return '; ask for a higher quota ("npx --no oneoff doctor" tells which), or take fewer or smaller machines';
  }
  if (code === "INSTANCE_FLEET_TIMEOUT" || CAPACITY.test(said)) {
    return "; try other worker types, let spot fall back to on-demand, or take subnets in other zones";
  }
  return "";
}
