/** Mode `workflow`: a template makes a cluster, runs the steps on it and takes it away. */
import { GoogleError } from "../../clients/google.ts";
import { remember } from "./claim.ts";
import { type Context, failOnceGone, isoSeconds, patiently, pause, RunError, type Site, until } from "./context.ts";
import { refuse, withCure } from "./errors.ts";
import { templateStep } from "./launch.ts";
import { log } from "./log.ts";
import { idOf, isOverdue, type Machines, overdue, stepError } from "./steps.ts";

/** https://cloud.google.com/dataproc/docs/reference/rest/v1/WorkflowMetadata */
interface Workflow {
  readonly template?: string;
  readonly clusterName?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly createCluster?: ClusterOperation;
  readonly deleteCluster?: ClusterOperation;
  readonly graph?: { readonly nodes?: readonly Node[] };
}

interface ClusterOperation {
  readonly operationId?: string;
  readonly done?: boolean;
  readonly error?: string;
}

interface Node {
  readonly stepId: string;
  readonly state?: string;
  readonly error?: string;
}

export interface Operation {
  readonly name: string;
  readonly done?: boolean;
  readonly error?: { readonly message?: string };
  readonly metadata?: Workflow;
}

const STATES = { RUNNING: "running", COMPLETED: "succeeded", FAILED: "failed" } as const;

/** @param known the operation, if one was begun by somebody who went on with this run before. */
export function workflowMachines(context: Context, resumed: boolean, known: string | undefined): Machines {
  let operation = known;
  const { api, launch } = context;
  const cancel = (signal?: AbortSignal) =>
    api.request("dataproc", `v1/${operation}:cancel`, { method: "POST", body: {}, ...(signal && { signal }) });
  return {
    async run() {
      try {
        const find = () => patiently(context, () => findOperation(context));
        operation ??= (resumed ? await find() : undefined) ?? (await instantiate(context));
        if (operation !== known) await remember(context.lake, launch.run, operation).catch(unknown);
        const path = `v1/${operation}`;
        const there = failOnceGone<Operation>(context, `the workflow ${operation}`);
        await until(context, async () => {
          const found = there(await api.orUndefined<Operation>("dataproc", path, { signal: context.ending }));
          return (found && (await isDone(context, found, cancel))) || undefined;
        });
      } catch (error) {
        context.ending.throwIfAborted();
        refuse(`the workflow ${launch.template}`, error, launch.project);
      }
    },
    async cancel(signal) {
      operation ??= await findOperation(context, signal);
      if (operation) await cancel(signal).catch(unlessOver);
    },
  };
}

/**
 * Begins the workflow. Google holds a request id for as long as the workflow that it began is under way, and whoever
 * comes later finds that by its deadline.
 */
async function instantiate(context: Context): Promise<string> {
  const { api, launch, deadline } = context;
  const body = { requestId: idOf(context, "workflow", 32), parameters: { DEADLINE: isoSeconds(deadline) } };
  log("INFO", `starting the workflow ${launch.template}`);
  const started = await patiently(context, async () => {
    try {
      return await api.request<Operation>("dataproc", `v1/${templateOf(context)}:instantiate`, {
        method: "POST",
        body,
      });
    } catch (error) {
      // The first request may have been met all the same.
      if (isUnanswered(error)) await pause(context);
      const isThere = (error as GoogleError).code === 409;
      const name = isUnanswered(error) || isThere ? await findOperation(context) : undefined;
      if (name !== undefined) return { name };
      // It is there, and in no list yet: asked again.
      throw isThere ? new GoogleError((error as GoogleError).message, 503, "UNAVAILABLE", error) : error;
    }
  });
  return started.name;
}

/** It is found by its deadline as well. */
const unknown = ({ message }: Error) =>
  log("WARNING", `the name of the workflow's operation can't be kept: ${message}`);

/** What has ended can't be cancelled, and need not be. */
export function unlessOver(error: unknown): void {
  if (![400, 404, 409].includes((error as GoogleError).code)) throw error;
}

const isUnanswered = (error: unknown): boolean =>
  error instanceof GoogleError && (error.code === 0 || error.code >= 500);

const templateOf = ({ launch }: Context): string =>
  `projects/${launch.project}/regions/${launch.region}/workflowTemplates/${launch.template}`;

async function findOperation(context: Context, signal?: AbortSignal): Promise<string | undefined> {
  return (await workflowOf(context, signal))?.name;
}

/** The workflow of this run: that of its template with its deadline, which no other run has to the second. */
export async function workflowOf(
  { api, launch, deadline }: Site,
  signal?: AbortSignal,
): Promise<Operation | undefined> {
  const path = `v1/projects/${launch.project}/regions/${launch.region}/operations`;
  const operations = await api.list<Operation>("dataproc", path, "operations", signal ? { signal } : {});
  return operations.find(
    ({ metadata = {} }) =>
      metadata.template?.split("/").at(-1) === launch.template &&
      metadata.parameters?.DEADLINE === isoSeconds(deadline),
  );
}

/** Tells how far a workflow is, and whether all steps have succeeded. @throws RunError when they won't. */
async function isDone(context: Context, { done, error, metadata = {} }: Operation, cancel: () => Promise<unknown>) {
  const { launch, status } = context;
  const nodes = new Map((metadata.graph?.nodes ?? []).map((node) => [node.stepId, node]));
  for (const step of launch.steps) {
    const state = STATES[nodes.get(templateStep(step))?.state as keyof typeof STATES];
    if (state && state !== stateIn(context, step.name)) status.step(step.name, state);
  }
  status.machines(machinesOf(metadata));
  const failed = launch.steps.find(({ name }) => stateIn(context, name) === "failed");
  if (failed) throw await stepError(context, failed, nodes.get(templateStep(failed))?.error ?? error?.message);
  // Its cluster may still be ending then, which needs nobody.
  if (launch.steps.every(({ name }) => stateIn(context, name) === "succeeded")) return true;
  if (metadata.createCluster?.error) throw new RunError(clusterError(context, metadata.createCluster.error));
  if (done)
    throw new RunError(
      `the workflow ended before its steps: ${withCure(error?.message ?? "Google does not say why", launch.project)}`,
    );
  const late = launch.steps.find((step) => {
    const { state, started } = status.now.steps.find(({ name }) => name === step.name) ?? {};
    return state === "running" && isOverdue(context, step, started);
  });
  if (!late) return false;
  await cancel().catch(({ message }) => log("WARNING", `the workflow could not be cancelled: ${message}`));
  throw new RunError(overdue(late));
}

const stateIn = ({ status }: Context, name: string) => status.now.steps.find((step) => step.name === name)?.state;

const clusterError = ({ launch }: Context, error: string): string =>
  `the cluster could not be made: ${withCure(error, launch.project)}`;

function machinesOf({ clusterName, createCluster, deleteCluster }: Workflow) {
  const state = deleteCluster?.operationId ? "TERMINATING" : createCluster?.done ? "RUNNING" : "PROVISIONING";
  return { state, ...(clusterName && { reason: clusterName }) };
}
