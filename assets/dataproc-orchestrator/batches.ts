/** Mode `batch`: each step is a serverless batch, with machines of its own. */
import { requestOf, type Site } from "./context.ts";
import type { LaunchStep } from "./launch.ts";
import { type Asking, idOf, type StepState, slug } from "./steps.ts";

/** https://cloud.google.com/dataproc-serverless/docs/reference/rest/v1/projects.locations.batches#Batch */
interface Batch {
  readonly state: string;
  readonly stateMessage?: string;
  readonly stateTime?: string;
  readonly stateHistory?: readonly { readonly state: string; readonly stateStartTime?: string }[];
  /** Name of the operation that runs it. */
  readonly operation?: string;
}

/** Google's least, in seconds. */
const LEAST_TTL = 600;

const STATES: Readonly<Record<string, StepState["state"]>> = {
  STATE_UNSPECIFIED: "pending",
  PENDING: "pending",
  SUCCEEDED: "succeeded",
  FAILED: "failed",
  CANCELLED: "failed",
};

/** How a step's batch is asked for. */
export function batches(site: Site): Asking {
  const { api, launch, deadline } = site;
  const path = `v1/projects/${launch.project}/locations/${launch.region}/batches`;
  // 63 characters at most, and a letter first.
  const batchId = ({ name }: LaunchStep) =>
    `b-${[slug(launch.job, 20), slug(name, 28)].filter(Boolean).join("-")}-${idOf(site, name, 8)}`;
  const find = (step: LaunchStep, signal?: AbortSignal) =>
    api.orUndefined<Batch>("dataproc", `${path}/${batchId(step)}`, signal ? { signal } : {});
  /** By the step, where it is known: a batch may not be looked at yet when it has to be cancelled. */
  const operations = new Map<string, string>();
  return {
    machines: (step, state) => ({ state: state === "pending" ? "PROVISIONING" : "RUNNING", reason: batchId(step) }),
    ready: async () => undefined,
    async look(step, signal) {
      const batch = await find(step, signal);
      return batch && batchState(batch);
    },
    async submit(step) {
      const { name } = await api.request<{ readonly name?: string }>("dataproc", path, {
        method: "POST",
        query: { batchId: batchId(step), requestId: idOf(site, step.name, 32) },
        body: withTtl({ labels: launch.labels, ...requestOf(site, step) }, ttl(step, deadline)),
      });
      if (name) operations.set(step.name, name);
    },
    async cancel(step, signal) {
      const operation = operations.get(step.name) ?? (await find(step, signal))?.operation;
      const asked = { method: "POST", body: {}, ...(signal && { signal }) } as const;
      if (operation) await api.request("dataproc", `v1/${operation}:cancel`, asked);
    },
  };
}

/** Without one a batch would last 4 hours. */
const ttl = (step: LaunchStep, deadline: Date): number =>
  Math.max(LEAST_TTL, Math.ceil(Math.min(step.timeLimitSeconds, (deadline.getTime() - Date.now()) / 1000)));

interface BatchRequest {
  readonly labels: Readonly<Record<string, string>>;
  readonly environmentConfig?: { readonly executionConfig?: Readonly<Record<string, unknown>> };
}

function withTtl(request: BatchRequest, seconds: number) {
  const { environmentConfig = {} } = request;
  const executionConfig = { ...environmentConfig.executionConfig, ttl: `${seconds}s` };
  return { ...request, environmentConfig: { ...environmentConfig, executionConfig } };
}

function batchState({ state: word, stateMessage, stateTime, stateHistory = [] }: Batch): StepState {
  const state = STATES[word] ?? "running";
  const running = [...stateHistory, { state: word, stateStartTime: stateTime }].find((one) => one.state === "RUNNING");
  const why = stateMessage || (word === "CANCELLED" ? "it was cancelled" : undefined);
  const isOver = state === "succeeded" || state === "failed";
  return { state, started: running?.stateStartTime, ...(isOver && { ended: stateTime }), why };
}
