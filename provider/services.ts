/** Waits until the services of a Swarm run, and says which don't and why. What the docker provider waits with can't tell why. */
import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { Docker } from "../clients/docker.ts";
import { TransientError } from "../core/errors.ts";
import { cancelled } from "./cancel.ts";
import { isSame, type ResourceKind } from "./resource.ts";

const POLL_MS = 2000;
/** What no waiting mends is given up early. */
const HOPELESS = /no suitable node|no such image|bind source path does not exist|(mangle|input drop) rule/i;
const HOPELESS_SECONDS = 30;
const LOG_LINES = 5;

interface Service {
  readonly id: string;
  readonly name: string;
  readonly replicas: number;
  /** Changes with what the service runs. */
  readonly spec: string;
}

interface Services {
  /** Where Docker is, as the provider is told: "docker:host", "docker:context" and so on. */
  readonly endpoint: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly services: readonly Service[];
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
async function converge({ endpoint, services, timeoutSeconds }: Services): Promise<void> {
  const docker = new Docker(endpoint);
  let [waited, hopeless, said] = [0, 0, ""];
  for (let last = Date.now(); ; await sleep(POLL_MS)) {
    if (cancelled.aborted) throw new Error('the wait was ended; "pulumi up" goes on from here');
    const waiting = await look(docker, services);
    if (waiting?.length === 0) return;
    const seconds = (Date.now() - last) / 1000;
    last = Date.now();
    // Where an image is still on its way, it takes as long as it takes.
    if (!waiting?.some(({ reason }) => reason === "preparing")) waited += seconds;
    hopeless = waiting?.every((state) => state.isHopeless) ? hopeless + seconds : 0;
    if (waiting && (waited > timeoutSeconds || hopeless > HOPELESS_SECONDS)) throw await failure(docker, waiting);
    if (!waiting && waited > timeoutSeconds) throw new Error(`Docker did not answer for ${timeoutSeconds} seconds`);
    const now = waiting?.map(({ name, reason }) => `${name} (${reason})`).join(", ") ?? "an answer of Docker";
    if (now !== said) pulumi.log.info(`waiting for ${now}`, undefined, undefined, true);
    said = now;
  }
}

/** The services that don't run; undefined when Docker can't be asked just now. */
async function look(docker: Docker, services: readonly Service[]): Promise<readonly State[] | undefined> {
  try {
    const ids = services.map(({ id }) => id);
    // All at once: by ssh each command is a connection, and many are refused.
    const tasks = await docker.list<Task>("service", "ps", "--no-trunc", ...ids);
    const found = await docker.inspect<Inspected>("service", ids);
    const states = services.map((service) =>
      stateOf(
        service,
        tasks.filter(({ Name }) => Name.replace(/^[\s\\_]+/, "").startsWith(`${service.name}.`)),
        found.find(({ ID }) => ID === service.id)?.UpdateStatus?.State === "updating",
      ),
    );
    return states.filter(({ missing }) => missing > 0);
  } catch (error) {
    if ((error as Error).name === TransientError.name) return undefined;
    throw error;
  }
}

interface Inspected {
  readonly ID: string;
  readonly UpdateStatus?: { readonly State?: string };
}

/** A line of `docker service ps`, the newest task of each slot first; a name has marks before it for those that are older. */
interface Task {
  readonly Name: string;
  readonly CurrentState: string;
  readonly DesiredState: string;
  readonly Error: string;
}

interface State {
  readonly id: string;
  readonly name: string;
  /** Tasks that ought to run and don't. */
  readonly missing: number;
  /** What the first of them is at, or why it isn't. */
  readonly reason: string;
  readonly isHopeless: boolean;
  readonly text: string;
}

function stateOf({ id, name, replicas }: Service, tasks: readonly Task[], isUpdating: boolean): State {
  const isWanted = ({ DesiredState }: Task) => /running|ready/i.test(DesiredState);
  const wanted = tasks.filter(isWanted);
  const idle = wanted.filter(({ CurrentState }) => !CurrentState.startsWith("Running"));
  const missing = Math.max(replicas - (wanted.length - idle.length), isUpdating ? 1 : 0);
  const first = idle[0];
  const reason = (first?.Error || first?.CurrentState.split(" ")[0]?.toLowerCase() || "updating").replaceAll('"', "");
  const ended = tasks.filter((task) => task.Error && !isWanted(task));
  const before = first && !first.Error && ended[0] ? `; before that: ${ended[0].Error}` : "";
  // A task that was refused is tried again and again: three times the same says enough.
  const isHopeless = HOPELESS.test(reason) || ended.filter((task) => HOPELESS.test(task.Error)).length >= 3;
  const text = `${name}: ${replicas - missing} of ${replicas} run (${reason}${before})`;
  return { id, name, missing, reason, isHopeless, text };
}

async function failure(docker: Docker, waiting: readonly State[]): Promise<Error> {
  const told = await Promise.all(
    waiting.map(async ({ id, text }) => {
      const log = await docker.text("service", "logs", "--raw", "--tail", String(LOG_LINES), id).catch(() => "");
      return [text, ...log.trim().split("\n").filter(Boolean).slice(-LOG_LINES)].join("\n    ");
    }),
  );
  const kernel = /(mangle|input drop) rule/i.test(told.join("\n"))
    ? "\nThis kernel can't encrypt the network: pulumi config set oneoff:encrypted false (or encrypted: false)."
    : "";
  return new Error(
    `not all services run:\n  ${told.join("\n  ")}${kernel}\nMend it and run "pulumi up" again, which goes on from here; "npx --no oneoff doctor" looks at memory, nodes and images.`,
  );
}
