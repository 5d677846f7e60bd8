/** What a run has under way at Google's, for who did not ask for it: all of it is named after the launch. */
import { batches } from "./batches.ts";
import type { Site } from "./context.ts";
import { clusterJobs } from "./jobs.ts";
import { DataprocMode } from "./launch.ts";
import type { Asking } from "./steps.ts";
import { type Operation, unlessOver, workflowOf } from "./workflow.ts";

export interface UnderWay {
  /** What has not ended, in words: none where all has. */
  readonly left: readonly string[];
  /** Name of the cluster that is the run's own, whether it is still there or not. @default it has none */
  readonly cluster?: string | undefined;
  /** Asks all of it to end, without waiting for that; what has ended meanwhile is no error. */
  cancel(): Promise<void>;
}

/**
 * Looks once.
 * @param known mode `workflow`: name of the operation, where that was kept.
 * @throws GoogleError
 */
export async function underWay(site: Site, known?: string): Promise<UnderWay> {
  switch (site.launch.mode) {
    case DataprocMode.batch:
      return stepsUnderWay(site, batches(site), "the batch of");
    case DataprocMode.cluster:
      return { ...(await stepsUnderWay(site, clusterJobs(site), "the job of")), cluster: site.launch.cluster };
    case DataprocMode.workflow:
      return workflowUnderWay(site, known);
  }
}

async function stepsUnderWay(site: Site, asking: Asking, what: string): Promise<UnderWay> {
  const seen = await Promise.all(site.launch.steps.map(async (step) => ({ step, state: await asking.look(step) })));
  const left = seen.filter(({ state }) => state?.state === "pending" || state?.state === "running");
  return {
    left: left.map(({ step }) => `${what} step ${step.name}`),
    async cancel() {
      await Promise.all(left.map(({ step }) => asking.cancel(step).catch(unlessOver)));
    },
  };
}

async function workflowUnderWay(site: Site, known: string | undefined): Promise<UnderWay> {
  const { api, launch } = site;
  const named = known === undefined ? undefined : await api.orUndefined<Operation>("dataproc", `v1/${known}`);
  const isOwn = named?.metadata?.template?.split("/").at(-1) === launch.template;
  const workflow = isOwn ? named : await workflowOf(site);
  const isLeft = workflow !== undefined && !workflow.done;
  return {
    left: isLeft ? [`the workflow ${launch.template}`] : [],
    cluster: workflow?.metadata?.clusterName,
    async cancel() {
      if (!isLeft) return;
      const asked = { method: "POST", body: {} } as const;
      await api.request("dataproc", `v1/${workflow.name}:cancel`, asked).catch(unlessOver);
    },
  };
}
