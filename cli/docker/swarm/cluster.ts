import { setTimeout as sleep } from "node:timers/promises";
import type { Docker } from "../../../clients/docker.ts";
import { RunRecord, RunStatus } from "../../../core/run.ts";
import type { ClusterCommands, Outputs } from "../../platform.ts";
import { lakeOf } from "../lake.ts";
import { dockerOf } from "../stack.ts";
import { swarmPages } from "./pages.ts";
import { isLive, newestTask, waitsFor, whyEnded } from "./task.ts";

const POLL_MS = 1000;
/** Where each look is a connection of its own, or a request that is billed. */
const FAR_POLL_MS = 5000;
/** Asking Docker starts a program, and maybe a connection by ssh. */
const DOCKER_MS = 5000;
const LAG_MS = 1000;
/** How long after its deadline a run may still say that it goes on. */
const GRACE_MS = 2 * 60_000;

type Cluster = NonNullable<RunStatus["cluster"]>;

/** What Docker says of the job's service. */
interface ServiceState {
  /** When the service was made or last changed. */
  readonly since: string;
  /** Why the run can't go on. */
  readonly ended?: string;
  /** Whether the job's container ended as one that has done its work. @default false */
  readonly complete?: boolean;
  /** What it waits for. */
  readonly cluster?: Cluster;
}

/** The commands of a stack whose job runs in a Swarm: its lake says how the run does, and Docker when nobody is there to say. */
export async function swarmCommands(stack: string, outputs: Outputs): Promise<ClusterCommands> {
  const service = String(outputs.service);
  const docker = dockerOf(stack);
  const lake = await lakeOf(stack, outputs, docker);
  const look = throttle(DOCKER_MS, () => lookAt(docker, service));

  async function recordedStatus(run: string): Promise<RunStatus | undefined> {
    const [status, json] = await Promise.all([
      lake.json(`_clusters/${run}/status.json`).then((json) => RunStatus.safeParse(json).data),
      lake.json(`_runs/${run}.json`),
    ]);
    const record = RunRecord.safeParse(json).data;
    // A record that has ended is the last word.
    if (record && record.state !== "running") return status?.state === record.state ? status : withoutTables(record);
    return status ?? (record && withoutTables(record));
  }

  async function status(run: string): Promise<RunStatus | undefined> {
    const before = await recordedStatus(run);
    if (before && before.state !== "running") return before;
    if (run !== String(outputs.run)) return before && orphan(before, "another run took its place before it ended");
    const seen = await look().catch((error: Error): ServiceState => {
      if (before) return { since: before.started, cluster: { state: "unknown", reason: error.message } };
      throw error;
    });
    if (!seen) return before && orphan(before, `its service ${service} was removed before it ended`);
    // What ended may have said so after it was looked for, and a shared folder may show it a little later.
    if (seen.ended !== undefined) await sleep(LAG_MS);
    const now = seen.ended === undefined ? before : await recordedStatus(run);
    if (now && now.state !== "running") return now;
    if (seen.ended !== undefined) {
      const elsewhere = `; the run may have been for another lake: "npx oneoff run ${stack}" starts a new one`;
      return orphan(now ?? pendingStatus(run, seen), `${seen.ended}${seen.complete && !now ? elsewhere : ""}`);
    }
    if (now && isOverdue(now)) return orphan(now, "it did not end at its deadline, and says no more");
    return { ...(now ?? pendingStatus(run, seen)), ...(seen.cluster && { cluster: seen.cluster }) };
  }

  return {
    lake: lake.address,
    pollMs: lake.isFar ? FAR_POLL_MS : POLL_MS,
    pages: () => swarmPages(stack, outputs, docker),
    status,
    log: (run, step, from) => lake.log(run, step, from),
    evidence: async (run) =>
      run === String(outputs.run) ? { what: `service ${service}`, text: await logsOf(docker, service) } : undefined,
    partFiles: (run, table, scratch) => lake.partFiles(run, table, scratch),
  };
}

async function lookAt(docker: Docker, service: string): Promise<ServiceState | undefined> {
  type Service = { readonly UpdatedAt: string };
  const task = await newestTask(docker, service);
  if (task === undefined) return undefined;
  const [found] = await docker.inspect<Service>("service", [service]);
  const since = new Date(found?.UpdatedAt ?? Date.now()).toISOString();
  if (task === "none") return { since, cluster: { state: "starting", reason: "Docker has no task for it yet" } };
  const ended = await whyEnded(docker, service, task);
  if (ended !== undefined) return { since, ended, complete: task.state === "complete" };
  const cluster = isLive(task) ? waitsFor(task) : undefined;
  return { since, ...(cluster && { cluster }) };
}

/** What was printed by the job's container itself, before the first step or around them. */
const logsOf = (docker: Docker, service: string): Promise<string> =>
  docker.text("service", "logs", "--raw", "--tail", "50", service).catch(() => "");

/** A run that has not written anything yet. */
const pendingStatus = (run: string, { since, cluster }: ServiceState): RunStatus => ({
  run,
  job: "the job",
  state: "running",
  started: since,
  steps: [],
  cluster: cluster ?? { state: "starting", reason: "the job's container has just started" },
});

const withoutTables = ({ tables: _, ...record }: RunRecord): RunStatus => record;

const orphan = (status: RunStatus, error: string): RunStatus => {
  const { cluster: _, ...rest } = status;
  const steps = rest.steps.map((step) => (step.state === "running" ? { ...step, state: "failed" as const } : step));
  return { ...rest, state: "failed", error, ended: new Date().toISOString(), steps };
};

const isOverdue = ({ deadline }: RunStatus): boolean =>
  deadline !== undefined && Date.now() > Date.parse(deadline) + GRACE_MS;

/** Does something at most every so often; in between, what it came to stands. What fails is tried again. */
function throttle<T>(everyMs: number, action: () => Promise<T>): () => Promise<T> {
  let last: { readonly when: number; readonly result: Promise<T> } | undefined;
  return () => {
    if (last === undefined || Date.now() - last.when >= everyMs) last = { when: Date.now(), result: action() };
    return last.result;
  };
}
