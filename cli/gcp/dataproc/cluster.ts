import type { Launch } from "../../../assets/dataproc-orchestrator/launch.ts";
import { Prefix } from "../../../core/lake-layout.ts";
import { checkRunId, RunRecord, RunStatus } from "../../../core/run.ts";
import { costSoFar, hoursBetween } from "../../cost-so-far.ts";
import { partFiles } from "../../far-files.ts";
import type { ClusterCommands, Outputs } from "../../platform.ts";
import { logKey, ProgressReader, textOf } from "../../step-log.ts";
import { Bucket } from "../bucket.ts";
import { explainErrors, Google } from "../client.ts";
import { type Cluster, clusterNow, isThere, staysUntil } from "./describe.ts";
import { type ExecutionState, logCommand, newestExecution, printedBy } from "./execution.ts";
import { dataprocPages } from "./pages.ts";
import { type DataprocStack, placeOf } from "./stack.ts";

const POLL_MS = 5000;
/** How long after its deadline a run may still say that it goes on. */
const GRACE_MS = 5 * 60_000;

type Step = RunStatus["steps"][number];

/** The commands of a stack whose job runs on Dataproc: its lake says how the run does, and Cloud Run when nobody is there to say. */
export function dataprocCommands(stack: string, outputs: Outputs): ClusterCommands {
  const place = placeOf(stack, outputs);
  const google = new Google(place.project);
  const bucket = new Bucket(place.lake, place.project);
  const readers = new Map<string, ProgressReader>();
  const log = async (run: string, step: string, from: number) =>
    textOf((await bucket.bytes(logKey(run, step), from)) ?? new Uint8Array(), from);

  async function progressOf(run: string, steps: readonly Step[]): Promise<readonly Step[]> {
    const reader = readers.get(run) ?? new ProgressReader((step, from) => log(run, step, from));
    readers.set(run, reader);
    const found = await reader.of(steps.filter(({ state }) => state === "running").map(({ name }) => name));
    return steps.map((step) => {
      const progress = found.get(step.name);
      return progress ? { ...step, progress } : step;
    });
  }

  async function status(run: string): Promise<RunStatus | undefined> {
    const now = new Date();
    // What another run has now is not this one's.
    const cluster = run === place.run ? await clusterNow(google, place) : undefined;
    const found = await outcome(google, bucket, place, run, cluster, now);
    if (!found) return undefined;
    const steps = await progressOf(run, found.steps);
    const has = run === place.run && place.cluster !== undefined;
    const state = has ? clusterState(cluster, found) : found.cluster;
    const until = found.state === "running" || isThere(cluster) ? now : (found.ended ?? now);
    const { cluster: _, ...rest } = found;
    return {
      ...rest,
      steps: [...steps],
      ...(state && { cluster: state }),
      ...(place.bill && { cost: costSoFar(place.bill, hoursBetween(found.started, until)) }),
    };
  }

  return {
    lake: place.lake,
    pollMs: POLL_MS,
    status: async (run) => explainErrors(status(checkRunId(run))),
    log: (run, step, from) => explainErrors(log(run, step, from)),
    evidence: (run) => (run === place.run ? explainErrors(evidence(google, place)) : Promise.resolve(undefined)),
    isKept: ({ state, cluster }) =>
      place.mode === "cluster" && state !== "running" && cluster !== undefined && ALIVE.has(cluster.state),
    pages: () => explainErrors(dataprocPages(google, place, outputs)),
    partFiles: (run, table, scratch) => explainErrors(partFiles(bucket, checkRunId(run), table, scratch)),
  };
}

/** States of a cluster that somebody may use. */
const ALIVE: ReadonlySet<string> = new Set(["CREATING", "RUNNING", "UPDATING", "STARTING"]);

/** What the orchestrator was told of a run; of several launches any will do for what they have in common. */
async function launchOf(bucket: Bucket, run: string): Promise<Launch | undefined> {
  const [key] = (await bucket.keys(`${Prefix.clusters}/${run}/`)).filter((key) =>
    /\/launch-[0-9a-f]+\.json$/.test(key),
  );
  return key === undefined ? undefined : ((await bucket.json(key)) as Launch | undefined);
}

/** How a run does, without what is read anew each time: its progress, its cost, its cluster. */
async function outcome(
  google: Google,
  bucket: Bucket,
  place: DataprocStack,
  run: string,
  cluster: Cluster | undefined,
  now: Date,
): Promise<RunStatus | undefined> {
  const before = await recordedStatus(bucket, run);
  if (before && before.state !== "running") return before;
  const launch = before ? undefined : await launchOf(bucket, run);
  if (!before && !launch) return undefined;
  if (run !== place.run) {
    const error = "another run took its place before it ended";
    return before ? failedStatus(before, error, before.deadline ?? now) : undefined;
  }
  const execution = await newestExecution(google, place);
  const status = before ?? pendingStatus(run, launch as Launch, execution, now);
  if (!before && !execution && cluster?.status?.state === "ERROR") {
    // Nobody will say so: Pulumi stopped there, before it started the orchestrator.
    const { detail, stateStartTime } = cluster.status;
    return failedStatus(
      status,
      `its cluster failed: ${detail?.trim() || "Dataproc doesn't say why"}`,
      stateStartTime ?? now,
    );
  }
  if (isOver(execution, status)) {
    // It may have said so after it was asked for.
    const last = await recordedStatus(bucket, run);
    if (last && last.state !== "running") return last;
    return failedStatus(last ?? status, whyOver(place, execution, before !== undefined), execution.ended ?? now);
  }
  if (status.deadline !== undefined && now.getTime() > Date.parse(status.deadline) + GRACE_MS) {
    return failedStatus(status, `its orchestrator ended without saying so; ${printed(place)}`, status.deadline);
  }
  return status;
}

/** What the lake says of a run. */
async function recordedStatus(bucket: Bucket, run: string): Promise<RunStatus | undefined> {
  const [status, record] = await Promise.all([
    bucket.json(`${Prefix.clusters}/${run}/status.json`).then((json) => RunStatus.safeParse(json).data),
    bucket.json(`${Prefix.runs}/${run}.json`).then((json) => RunRecord.safeParse(json).data),
  ]);
  if (status) return status;
  if (!record) return undefined;
  const { tables: _, ...rest } = record;
  return rest;
}

/** A run whose orchestrator has not written anything yet. */
function pendingStatus(run: string, launch: Launch, execution: ExecutionState | undefined, now: Date): RunStatus {
  const started = execution?.since ?? now.toISOString();
  return {
    run,
    job: launch.job,
    state: "running",
    started,
    ...(execution && { deadline: new Date(Date.parse(started) + launch.deadlineSeconds * 1000).toISOString() }),
    steps: launch.steps.map(({ name }) => ({ name, state: "pending" })),
    cluster: { state: "STARTING", reason: execution?.what ?? "Cloud Run has not begun with the orchestrator yet" },
  };
}

/** Whether the orchestrator ended: one that ended before the run began was that of a run before. */
const isOver = (execution: ExecutionState | undefined, { started }: RunStatus): execution is ExecutionState =>
  execution?.ended !== undefined && Date.parse(execution.ended) >= Date.parse(started);

function whyOver(place: DataprocStack, { failure }: ExecutionState, hasBegun: boolean): string {
  if (failure === undefined) return `its orchestrator ended without saying so; ${printed(place)}`;
  const what = hasBegun ? "its orchestrator failed" : "its orchestrator could not start";
  return `${what}: ${failure}; ${printed(place)}`;
}

const printed = (place: DataprocStack): string => `what it printed: ${logCommand(place)}`;

function failedStatus(status: RunStatus, error: string, ended: string | Date): RunStatus {
  const { cluster: _, ...rest } = status;
  const steps = rest.steps.map((step) => (step.state === "running" ? { ...step, state: "failed" as const } : step));
  return { ...rest, state: "failed", error, ended: new Date(ended).toISOString(), steps };
}

function clusterState(cluster: Cluster | undefined, status: RunStatus): NonNullable<RunStatus["cluster"]> {
  const isOver = status.state !== "running";
  if (!cluster) {
    // Before it is there the orchestrator says what is done about it.
    return isOver ? { state: "DELETED", reason: "it ended by itself" } : (status.cluster ?? { state: "STARTING" });
  }
  const state = cluster.status?.state ?? "UNKNOWN";
  const reason = cluster.status?.detail?.trim() || (isOver ? undefined : reasonOf(state, status.cluster));
  const stays = isOver && state === "RUNNING" ? staysUntil(cluster, status.ended) : undefined;
  return { state, ...(reason && { reason }), ...(stays && { stays }) };
}

/** Dataproc makes the machines while Cloud Run starts the orchestrator: which is being waited for must be seen. */
function reasonOf(state: string, said: RunStatus["cluster"]): string | undefined {
  if (state !== "CREATING" || said?.state !== "STARTING") return said?.reason;
  return ["Dataproc makes the machines", said.reason].filter(Boolean).join("; ");
}

/** What the orchestrator printed, where no step can tell what went wrong. */
async function evidence(google: Google, place: DataprocStack) {
  const execution = await newestExecution(google, place);
  return execution && { what: `Cloud Run job ${place.orchestrator}`, text: await printedBy(google, place, execution) };
}
