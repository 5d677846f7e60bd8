/** Waits until the services of a Swarm run, and says which don't and why. What the docker provider waits with can't tell why. */
import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { Docker } from "../docker/docker.ts";
import { isSame, type ResourceKind } from "./resource.ts";

const POLL_MS = 1000;
/** A task that no node has room for is given up early: no waiting brings memory. */
const NO_ROOM_SECONDS = 30;
const LOG_LINES = 5;

interface Services {
  /** Where Docker is, "ssh://user@machine"; where the docker provider looks when not given. */
  readonly host?: string;
  readonly timeoutSeconds: number;
  readonly services: readonly {
    readonly id: string;
    readonly name: string;
    readonly replicas: number;
    /** Changes with what the service runs. */
    readonly spec: string;
  }[];
}

export const services: ResourceKind = {
  check: () => [],
  diff: (state: Services, inputs: Services) => ({ changes: !isSame(state.services, inputs.services) }),
  async create(urn, inputs: Services) {
    await converge(inputs);
    return { id: urn.split("::").at(-1) as string, outs: inputs };
  },
  read: async (state: Services) => state,
  async update(_state, inputs: Services) {
    await converge(inputs);
    return inputs;
  },
  delete: async () => {},
  inputsOf: (state: Services) => state,
};

/** @throws Error that names each service which doesn't run, and why. */
async function converge({ host, services, timeoutSeconds }: Services): Promise<void> {
  const docker = new Docker(host === undefined ? {} : { "docker:host": host });
  const started = Date.now();
  let said = "";
  for (;;) {
    const states = await Promise.all(services.map((service) => stateOf(docker, service)));
    const waiting = states.filter((state) => state.missing > 0);
    if (waiting.length === 0) return;
    const seconds = (Date.now() - started) / 1000;
    const hopeless = waiting.every(({ reason }) => reason.startsWith("no suitable node"));
    if (seconds > timeoutSeconds || (hopeless && seconds > NO_ROOM_SECONDS)) throw await failure(docker, waiting);
    const now = waiting.map(({ name, reason }) => `${name} (${reason})`).join(", ");
    if (now !== said) pulumi.log.info(`waiting for ${now}`, undefined, undefined, true);
    said = now;
    await sleep(POLL_MS);
  }
}

interface State {
  readonly id: string;
  readonly name: string;
  /** Tasks that ought to run and don't. */
  readonly missing: number;
  /** What the first of them is at, or why it isn't. */
  readonly reason: string;
  readonly text: string;
}

/** A line of `docker service ps`, the newest task of each slot first. */
interface Task {
  readonly CurrentState: string;
  readonly DesiredState: string;
  readonly Error: string;
}

async function stateOf(docker: Docker, { id, name, replicas }: Services["services"][number]): Promise<State> {
  const [tasks, updating] = await Promise.all([
    docker.list<Task>("service", "ps", "--no-trunc", id),
    docker.text("service", "inspect", "--format", "{{if .UpdateStatus}}{{.UpdateStatus.State}}{{end}}", id),
  ]);
  const wanted = tasks.filter(({ DesiredState }) => /running|ready/i.test(DesiredState));
  const idle = wanted.filter(({ CurrentState }) => !CurrentState.startsWith("Running"));
  const missing = Math.max(replicas - (wanted.length - idle.length), updating.trim() === "updating" ? 1 : 0);
  const first = idle[0];
  const reason = (first?.Error || first?.CurrentState.split(" ")[0]?.toLowerCase() || "updating").replaceAll('"', "");
  return {
    id,
    name,
    missing,
    reason,
    text: `${name}: ${replicas - missing} of ${replicas} run (${why(reason, tasks)})`,
  };
}

/** Why a task that is about to start again isn't running: what the one before it ended with. */
function why(reason: string, tasks: readonly Task[]): string {
  const before = tasks.find((task) => task.Error && !/running|ready/i.test(task.DesiredState));
  return before && /^(new|ready|pending|starting|preparing)/.test(reason)
    ? `${reason}; before that: ${before.Error}`
    : reason;
}

async function failure(docker: Docker, waiting: readonly State[]): Promise<Error> {
  const told = await Promise.all(
    waiting.map(async ({ id, text }) => {
      const log = await docker.text("service", "logs", "--raw", "--tail", String(LOG_LINES), id).catch(() => "");
      return [text, ...log.trim().split("\n").filter(Boolean).slice(-LOG_LINES)].join("\n    ");
    }),
  );
  return new Error(
    `not all services run:\n  ${told.join("\n  ")}\nMend it and run "pulumi up" again, which goes on from here; "npx oneoff doctor" looks at memory, nodes and images.`,
  );
}
