import type { Docker } from "../../../clients/docker.ts";
import type { RunStatus } from "../../../core/run.ts";
import { overdue, replaced } from "../../machines.ts";
import type { Attached, Machines, StackContext } from "../../platform.ts";
import { dockerOf } from "../stack.ts";
import { endJob } from "./end.ts";
import { lakeOf } from "./lake.ts";
import type { SwarmOutputs } from "./outputs.ts";
import { pagesOf } from "./pages.ts";
import { routeTo } from "./route.ts";
import { isLive, newestTask, waitsFor, whyEnded } from "./task.ts";

const POLL_MS = 1000;
/** Where each look is a connection of its own, or a request that is billed. */
const FAR_POLL_MS = 5000;
/** Asking Docker starts a program, and maybe a connection by ssh. */
const DOCKER_MS = 5000;
/** What ended may have said so after it was looked for, and a shared folder may show it a little later. */
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

/** The cluster of a stack whose job runs in a Swarm: Docker says how the job's container does when nobody is there to say. */
export async function attach(stack: StackContext, outputs: SwarmOutputs): Promise<Attached> {
  const { service } = outputs;
  const docker = dockerOf(stack);
  const lake = await lakeOf(stack, outputs.lake, docker);
  const look = throttle(DOCKER_MS, () => lookAt(docker, service));

  async function machines(run: string, recorded: RunStatus | undefined): Promise<Machines | undefined> {
    if (recorded && recorded.state !== "running") return undefined;
    if (run !== outputs.run) return recorded && replaced(recorded);
    const seen = await look().catch((error: Error): ServiceState => {
      if (recorded) return { since: recorded.started, cluster: { state: "unknown", reason: error.message } };
      throw error;
    });
    return machinesOf(stack.name, service, seen, recorded);
  }

  return {
    run: outputs.run,
    lake,
    pollMs: lake.isFar ? FAR_POLL_MS : POLL_MS,
    machines,
    lagMs: LAG_MS,
    evidence: async (run) =>
      run === outputs.run ? { what: `service ${service}`, text: await logsOf(docker, service) } : undefined,
    cancel: async (run, say) => {
      if (run === outputs.run) await endJob(docker, service, say); // else its service is another run's by now
    },
    pages: () => pagesOf(stack, outputs, docker),
    route: (name) => routeTo(stack, outputs, docker, name),
  };
}

function machinesOf(
  stack: string,
  service: string,
  seen: ServiceState | undefined,
  recorded: RunStatus | undefined,
): Machines | undefined {
  if (!seen)
    return (
      recorded && { started: recorded.started, over: { error: `its service ${service} was removed before it ended` } }
    );
  const { since, ended, complete, cluster } = seen;
  const waits =
    cluster ?? (recorded ? undefined : { state: "starting", reason: "the job's container has just started" });
  return {
    started: recorded?.started ?? since,
    over:
      ended === undefined
        ? recorded && overdue(recorded, GRACE_MS, "it did not end at its deadline, and says no more")
        : { error: complete && !recorded ? `${ended}; ${elsewhere(stack)}` : ended },
    cluster: ({ state }) => (state === "running" ? waits : undefined),
  };
}

const elsewhere = (stack: string): string =>
  `the run may have been for another lake: "npx --no oneoff run ${stack}" starts a new one`;

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

/** Does something at most every so often; in between, what it came to stands. What fails is tried again. */
function throttle<T>(everyMs: number, action: () => Promise<T>): () => Promise<T> {
  let last: { readonly when: number; readonly result: Promise<T> } | undefined;
  return () => {
    if (last === undefined || Date.now() - last.when >= everyMs) last = { when: Date.now(), result: action() };
    return last.result;
  };
}
