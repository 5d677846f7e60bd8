/** Mode `cluster`: each step is a job of a cluster that somebody else makes and takes away. */
import { type Context, RunError, requestOf, type Site, until } from "./context.ts";
import { withCure } from "./errors.ts";
import type { LaunchStep } from "./launch.ts";
import { type Asking, idOf, type StepState } from "./steps.ts";

/** https://cloud.google.com/dataproc/docs/reference/rest/v1/projects.regions.jobs#Job */
export interface Job {
  readonly status: JobStatus;
  readonly statusHistory?: readonly JobStatus[];
}

interface JobStatus {
  readonly state: string;
  readonly details?: string;
  readonly stateStartTime?: string;
}

interface ClusterAnswer {
  readonly status: { readonly state: string; readonly detail?: string };
  readonly config?: {
    readonly lifecycleConfig?: { readonly idleDeleteTtl?: string; readonly autoDeleteTime?: string };
  };
}

/** What a cluster does after the run is not worth waiting longer for. */
const STAYS_MS = 5000;
const USABLE = ["RUNNING", "UPDATING", "ERROR_DUE_TO_UPDATE"];
const COMING = ["CREATING", "STARTING", "REPAIRING", "UNKNOWN"];
const STATES: Readonly<Record<string, StepState["state"]>> = {
  PENDING: "pending",
  SETUP_DONE: "pending",
  DONE: "succeeded",
  ERROR: "failed",
  CANCELLED: "failed",
  ATTEMPT_FAILURE: "failed",
};

/** How a step's job is asked for. */
export function clusterJobs(site: Site): Asking {
  const { api, launch } = site;
  const region = `v1/projects/${launch.project}/regions/${launch.region}`;
  const cluster = launch.cluster ?? "";
  // 100 characters at most; what is cut off is in the digest.
  const jobId = ({ name }: LaunchStep) =>
    `${cluster}-${name.replace(/[^\w-]/g, "-").slice(0, 30)}-${idOf(site, name, 8)}`;
  return {
    machines: () => ({ state: "RUNNING", reason: cluster }),
    ready: (context) => untilRunning(context, `${region}/clusters/${cluster}`, cluster),
    async look(step, signal) {
      const job = await api.orUndefined<Job>("dataproc", `${region}/jobs/${jobId(step)}`, signal ? { signal } : {});
      return job && jobState(job);
    },
    submit: (step) =>
      api.request("dataproc", `${region}/jobs:submit`, {
        method: "POST",
        body: {
          requestId: idOf(site, step.name, 32),
          job: {
            labels: launch.labels,
            ...requestOf(site, step),
            reference: { projectId: launch.project, jobId: jobId(step) },
            placement: { clusterName: cluster },
          },
        },
      }),
    async cancel(step, signal) {
      const path = `${region}/jobs/${jobId(step)}:cancel`;
      await api.request("dataproc", path, { method: "POST", body: {}, ...(signal && { signal }) });
    },
  };
}

/** A job's times are Google's own, so that they are the same whoever looks. */
export function jobState({ status, statusHistory = [] }: Job): StepState {
  const state = STATES[status.state] ?? "running";
  const running = [...statusHistory, status].find((one) => one.state === "RUNNING");
  const why = status.state === "CANCELLED" ? "it was cancelled" : status.details;
  const isOver = state === "succeeded" || state === "failed";
  return { state, started: running?.stateStartTime, ...(isOver && { ended: status.stateStartTime }), why };
}

async function untilRunning(context: Context, path: string, name: string): Promise<void> {
  const begun = Date.now();
  let known = false;
  await until(context, async () => {
    const cluster = await context.api.orUndefined<ClusterAnswer>("dataproc", path, { signal: context.ending });
    if (!cluster) {
      if (known) throw new RunError(`cluster ${name} was deleted before the run's steps had ended`);
      if (Date.now() - begun <= context.timing.absenceMs) return undefined;
      throw new RunError(
        `there is no cluster ${name}: it could not be made, or it has ended: start the run anew with a new run id`,
      );
    }
    known = true;
    const { state, detail = "" } = cluster.status;
    if (USABLE.includes(state)) return true;
    if (COMING.includes(state)) {
      context.status.machines({ state: "PROVISIONING", reason: name });
      return undefined;
    }
    const why = withCure(detail || "Google does not say why", context.launch.project);
    throw new RunError(`cluster ${name} is in state ${state}: ${why}`);
  });
}

/** When a cluster that stays after its last step ends by itself; undefined when that is not known. */
export async function endsAt({ api, launch }: Context): Promise<string | undefined> {
  const path = `v1/projects/${launch.project}/regions/${launch.region}/clusters/${launch.cluster}`;
  const { config } =
    (await api.orUndefined<ClusterAnswer>("dataproc", path, { signal: AbortSignal.timeout(STAYS_MS) })) ?? {};
  const { idleDeleteTtl, autoDeleteTime } = config?.lifecycleConfig ?? {};
  const ends = [
    ...(idleDeleteTtl ? [Date.now() + Number.parseFloat(idleDeleteTtl) * 1000] : []),
    ...(autoDeleteTime ? [Date.parse(autoDeleteTime)] : []),
  ];
  return ends.length > 0 ? new Date(Math.min(...ends)).toISOString() : undefined;
}
