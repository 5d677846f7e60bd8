import type { Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import type { LakeStore } from "../../../clients/lake/store.ts";
import { checkRunId, type RunStatus } from "../../../core/run.ts";
import { overdue, replaced } from "../../machines.ts";
import type { Attached, Machines, StackContext } from "../../platform.ts";
import { explainErrors, Google } from "../client.ts";
import { openLake } from "../lake.ts";
import { cancelOnDataproc, launchOf } from "./cancel.ts";
import { type Cluster, clusterNow, isThere, staysUntil } from "./describe.ts";
import { type ExecutionState, logCommand, newestExecution, printedBy } from "./execution.ts";
import type { DataprocOutputs } from "./outputs.ts";
import { pagesOf, routeTo } from "./pages.ts";
import { type DataprocStack, dataprocStack } from "./stack.ts";

const POLL_MS = 5000;
/** How long after its deadline a run may still say that it goes on. */
const GRACE_MS = 5 * 60_000;

/** The cluster of a stack whose job runs on Dataproc: Cloud Run says how its orchestrator does when nobody is there to say. */
export function attach(context: StackContext, outputs: DataprocOutputs): Attached {
  const stack = dataprocStack(context, outputs);
  const google = new Google(stack.project);
  const lake = openLake(context, stack.lake);
  const owner = `${context.files.project}/${context.files.stack}`;
  return {
    run: stack.run,
    lake,
    pollMs: POLL_MS,
    bill: stack.bill,
    machines: (run, recorded) => explainErrors(machinesOf(google, lake, stack, run, recorded)),
    cancel: (run, say) =>
      explainErrors(cancelOnDataproc({ google, lake, stack, owner, pollMs: POLL_MS }, checkRunId(run), say)),
    statusIsLast: true, // tables are loaded into BigQuery after the last step
    progressInLogs: true,
    evidence: (run) => (run === stack.run ? explainErrors(evidence(google, stack)) : Promise.resolve(undefined)),
    isKept: ({ state, cluster }) =>
      stack.mode === "cluster" && state !== "running" && cluster !== undefined && ALIVE.has(cluster.state),
    stays: stack.dataset && `what was loaded into BigQuery dataset ${stack.dataset}`,
    pages: () => explainErrors(pagesOf(google, stack)),
    route: (name) => explainErrors(routeTo(google, stack, name)),
  };
}

/** States of a cluster that somebody may use. */
const ALIVE: ReadonlySet<string> = new Set(["CREATING", "RUNNING", "UPDATING", "STARTING"]);

async function machinesOf(
  google: Google,
  lake: LakeStore,
  stack: DataprocStack,
  run: string,
  recorded: RunStatus | undefined,
): Promise<Machines | undefined> {
  // What another run has now is not this one's.
  if (run !== stack.run) return recorded && replaced(recorded);
  const cluster = await clusterNow(google, stack);
  const machines = await orchestratorOf(google, lake, stack, recorded, cluster);
  if (!machines || stack.cluster === undefined) return machines;
  const said = (status: RunStatus) => machines.cluster?.(status) ?? status.cluster;
  return {
    ...machines,
    areThere: isThere(cluster),
    cluster: (status) => clusterState(cluster, said(status), status),
  };
}

async function orchestratorOf(
  google: Google,
  lake: LakeStore,
  stack: DataprocStack,
  recorded: RunStatus | undefined,
  cluster: Cluster | undefined,
): Promise<Machines | undefined> {
  if (recorded && recorded.state !== "running") return { started: recorded.started };
  const launch = recorded ? undefined : await launchOf(lake, stack.run);
  if (!recorded && !launch) return undefined;
  const execution = await newestExecution(google, stack);
  const machines = recorded ? { started: recorded.started } : pending(launch as Launch, execution);
  if (!recorded && !execution && cluster?.status?.state === "ERROR") {
    // Nobody will say so: Pulumi stopped there, before it started the orchestrator.
    const { detail, stateStartTime: at } = cluster.status;
    return { ...machines, over: { error: `its cluster failed: ${detail?.trim() || "Dataproc doesn't say why"}`, at } };
  }
  if (isOver(execution, machines))
    return { ...machines, over: { error: whyOver(stack, execution, recorded !== undefined), at: execution.ended } };
  return { ...machines, over: recorded && overdue(recorded, GRACE_MS, silent(stack)) };
}

/** A run whose orchestrator has not written anything yet. */
function pending(launch: Launch, execution: ExecutionState | undefined): Machines {
  const started = execution?.since ?? new Date().toISOString();
  const cluster = {
    state: "STARTING",
    reason: execution?.what ?? "Cloud Run has not begun with the orchestrator yet",
  };
  return {
    started,
    job: launch.job,
    ...(execution && { deadline: new Date(Date.parse(started) + launch.deadlineSeconds * 1000).toISOString() }),
    steps: launch.steps.map(({ name }) => ({ name, state: "pending" })),
    cluster: ({ state }) => (state === "running" ? cluster : undefined),
  };
}

/** Whether the orchestrator ended: one that ended before the run began was that of a run before. */
const isOver = (execution: ExecutionState | undefined, { started }: Machines): execution is ExecutionState =>
  execution?.ended !== undefined && Date.parse(execution.ended) >= Date.parse(started);

function whyOver(stack: DataprocStack, { failure }: ExecutionState, hasBegun: boolean): string {
  if (failure === undefined) return silent(stack);
  const what = hasBegun ? "its orchestrator failed" : "its orchestrator could not start";
  return `${what}: ${failure}; ${printed(stack)}`;
}

const silent = (stack: DataprocStack): string => `its orchestrator ended without saying so; ${printed(stack)}`;

const printed = (stack: DataprocStack): string => `what it printed: ${logCommand(stack)}`;

/** @param said what the orchestrator says. */
function clusterState(
  cluster: Cluster | undefined,
  said: RunStatus["cluster"],
  status: RunStatus,
): NonNullable<RunStatus["cluster"]> {
  const isOver = status.state !== "running";
  if (!cluster) {
    // Before it is there the orchestrator says what is done about it.
    return isOver ? { state: "DELETED", reason: "it ended by itself" } : (said ?? { state: "STARTING" });
  }
  const state = cluster.status?.state ?? "UNKNOWN";
  const reason = cluster.status?.detail?.trim() || (isOver ? undefined : reasonOf(state, said));
  const stays = isOver && state === "RUNNING" ? staysUntil(cluster, status.ended) : undefined;
  return { state, ...(reason && { reason }), ...(stays && { stays }) };
}

/** Dataproc makes the machines while Cloud Run starts the orchestrator: which is being waited for must be seen. */
function reasonOf(state: string, said: RunStatus["cluster"]): string | undefined {
  if (state !== "CREATING" || said?.state !== "STARTING") return said?.reason;
  return ["Dataproc makes the machines", said.reason].filter(Boolean).join("; ");
}

/** What the orchestrator printed, where no step can tell what went wrong. */
async function evidence(google: Google, stack: DataprocStack) {
  const execution = await newestExecution(google, stack);
  return execution && { what: `Cloud Run job ${stack.orchestrator}`, text: await printedBy(google, stack, execution) };
}
