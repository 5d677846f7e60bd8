import { type Docker, isMissing } from "../../../clients/docker.ts";

/** A task of a service: one try to run its container. */
export interface Task {
  readonly id: string;
  /** What it is at, in Docker's words: "pending", "running", "failed". */
  readonly state: string;
  /** What it should be at. */
  readonly wanted: string;
  /** Why it isn't. */
  readonly error?: string;
  /** Where it runs, or ran. */
  readonly node?: string;
}

/** As `docker service ps` says it. */
interface Row {
  readonly ID: string;
  readonly CurrentState: string;
  readonly DesiredState: string;
  readonly Error: string;
  readonly Node: string;
}

/** The newest task of a service of one task; undefined where the service is not there. "none" when it never had one. */
export async function newestTask(docker: Docker, service: string): Promise<Task | "none" | undefined> {
  try {
    // They come with the newest first.
    const [row] = await docker.list<Row>("service", "ps", "--no-trunc", service);
    return row ? taskOf(row) : "none";
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function taskOf({ ID: id, CurrentState, DesiredState, Error: text, Node: node }: Row): Task {
  const error = text.replace(/^"([\s\S]*)"$/, "$1").trim();
  return {
    id,
    state: (CurrentState.split(" ")[0] ?? "").toLowerCase(),
    wanted: DesiredState.toLowerCase(),
    ...(error && { error }),
    ...(node && { node }),
  };
}

const LIVE = ["new", "pending", "allocated", "assigned", "accepted", "preparing", "ready", "starting", "running"];

/** Whether a task may still do something. */
export const isLive = ({ state }: Task): boolean => LIVE.includes(state);

/** Why a task ended, in one line with what to do about it; undefined when it has not. */
export async function whyEnded(docker: Docker, service: string, task: Task): Promise<string | undefined> {
  if (isLive(task)) return task.wanted === "running" ? undefined : whyCutOff(docker, task);
  const where = task.node ? ` on node ${task.node}` : "";
  const logs = `"docker service logs ${service}" shows what it printed`;
  switch (task.state) {
    case "complete":
      return `the job's container ended without saying how its run did; ${logs}`;
    case "failed":
      return whyFailed(docker, task, where, logs);
    case "rejected":
      return `Docker could not start the job's container${where}: ${task.error ?? "it doesn't say why"}${cureOf(task.error)}`;
    case "orphaned":
      return lost(task.node);
    default:
      return `Docker ended the job's container${where} (${task.state}): by another "pulumi up", or by hand`;
  }
}

async function whyFailed(docker: Docker, task: Task, where: string, logs: string): Promise<string> {
  const code = /non-zero exit \((\d+)\)/.exec(task.error ?? "")?.[1];
  if (code === "137") {
    const memory = "give the driver more (oneoff:driverMemory)";
    return (await wasOutOfMemory(docker, task))
      ? `the job's container${where} took more memory than it may and was killed: ${memory}`
      : `the job's container${where} was killed (exit code 137), by hand or for want of memory: if it was memory, ${memory}`;
  }
  return `the job's container${where} ended too early (${task.error ?? "Docker doesn't say why"}); ${logs}`;
}

function cureOf(error = ""): string {
  if (/no such image|pull access denied|manifest unknown/i.test(error)) {
    return "; with more nodes than one the images must be in a registry (oneoff:registry)";
  }
  if (/bind source path does not exist/.test(error)) return "; make the folder on that node, and give the run a new id";
  return "";
}

/** A container that is to end and still runs: it is being ended, unless its node is gone. */
async function whyCutOff(docker: Docker, { node }: Task): Promise<string | undefined> {
  type Node = { readonly Hostname: string; readonly Status: string };
  const found = (await docker.list<Node>("node", "ls")).find(({ Hostname }) => Hostname === node);
  return found?.Status === "Ready" ? undefined : lost(node);
}

const lost = (node: string | undefined): string =>
  `node ${node ?? "of the job"} was lost while the job ran there: "docker node ls" shows it`;

/** Only known of containers on the very node that is asked, as long as they are there. */
async function wasOutOfMemory(docker: Docker, { id }: Task): Promise<boolean> {
  try {
    const container = await docker.text("inspect", "--format", "{{.Status.ContainerStatus.ContainerID}}", id);
    return (await docker.text("inspect", "--format", "{{.State.OOMKilled}}", container.trim())).trim() === "true";
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** What a live task waits for, as the status of a run has it; undefined when it runs. */
export function waitsFor({
  state,
  error,
  node,
}: Task): { readonly state: string; readonly reason?: string } | undefined {
  if (state === "running") return undefined;
  if (error) return { state: "waiting", reason: `${error}${/insufficient/.test(error) ? ENOUGH : ""}` };
  return { state: "starting", reason: `the job's container is ${state}${node ? ` on node ${node}` : ""}` };
}

const ENOUGH =
  ': other services hold the memory or cores, or the nodes have too little ("npx --no oneoff doctor" tells)';
