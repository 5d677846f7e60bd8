import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { quote, TransientError, UsageError } from "../core/errors.ts";

/** Where Pulumi's provider looks for Docker when nobody says where: the context in use it leaves aside. */
const DEFAULT_HOST = "unix:///var/run/docker.sock";
const TIMEOUT_MS = 30_000;

/** What to say where the program is not. */
export const GET_DOCKER =
  'install Docker Engine 20.10 or newer: https://docs.docker.com/engine/install (on Debian "apt install docker.io")';

/** Docker refused something for a reason that may mean something to the caller. */
export class DockerError extends UsageError {
  /** What Docker said, in one line. */
  readonly said: string;

  constructor(said: string) {
    super(`Docker says: ${said}`);
    this.said = said;
  }
}

/** Whether Docker said that there is no such thing. */
export const isMissing = (error: unknown): boolean =>
  error instanceof DockerError && /\bno such\b|\bnot found\b/i.test(error.said);

/** Whether Docker said that something else still uses the thing, or is just removing it. */
export const isInUse = (error: unknown): boolean =>
  error instanceof DockerError &&
  /\bin use\b|has active endpoints|removal of .* is already in progress/i.test(error.said);

/** Docker is in no Swarm that could be asked from there, which is not for want of a connection. */
export class SwarmError extends UsageError {}

/** Docker is in no Swarm at all. */
export class NoSwarmError extends SwarmError {}

/** Where a stack's Docker is, by the settings and variables that Pulumi's provider goes by. */
export interface Endpoint {
  /** Of `docker` itself: which daemon to ask. */
  readonly options: readonly string[];
  /** What says so, such as "docker:host"; undefined when nothing does. */
  readonly setting?: string;
  readonly value: string;
}

/** The docker command, for the daemon that a stack is on. */
export class Docker {
  readonly endpoint: Endpoint;
  readonly #env: NodeJS.ProcessEnv;
  #address: Promise<string> | undefined;

  /** @param config the stack's configuration, by full key. */
  constructor(config: Readonly<Record<string, string>>, env: NodeJS.ProcessEnv = process.env) {
    this.endpoint = endpointOf(config, env);
    const certPath = config["docker:certPath"];
    // The options say it all; the variables would contradict them.
    const { DOCKER_HOST: _, DOCKER_CONTEXT: __, ...rest } = env;
    this.#env = { ...rest, ...(certPath && { DOCKER_CERT_PATH: certPath, DOCKER_TLS_VERIFY: "1" }) };
  }

  /** Where its daemon listens, such as "unix:///var/run/docker.sock". */
  address(): Promise<string> {
    const { options, value } = this.endpoint;
    if (options[0] !== "--context") return Promise.resolve(value);
    this.#address ??= this.#execute(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}", value], []).then(
      ({ stdout }) => stdout.trim(),
    );
    return this.#address;
  }

  /**
   * What a command of docker prints.
   * @throws UsageError or TransientError with what can be done about it.
   */
  async text(...args: readonly string[]): Promise<string> {
    return (await this.#execute(args, this.endpoint.options)).stdout;
  }

  /** What a command that lists things says of each: by a template, because 20.10 has no `--format json`. */
  async list<T>(...args: readonly string[]): Promise<readonly T[]> {
    const text = await this.text(...args, "--format", "{{json .}}");
    return text.split("\n").flatMap((line) => (line.trim() === "" ? [] : [JSON.parse(line) as T]));
  }

  /** All that is known of things of one kind, in the order of their ids. */
  async inspect<T>(kind: string, ids: readonly string[]): Promise<readonly T[]> {
    return ids.length === 0 ? [] : JSON.parse(await this.text(kind, "inspect", ...ids));
  }

  /** What `docker version` says, also of a daemon that doesn't answer. */
  async versions(): Promise<{ readonly client: string; readonly server?: string; readonly problem?: Error }> {
    type Versions = {
      readonly Client: { readonly Version: string };
      readonly Server: { readonly Version: string } | null;
    };
    const parse = (text: string) => JSON.parse(text.trim().split("\n")[0] as string) as Versions;
    try {
      const { Client, Server } = parse(await this.text("version", "--format", "{{json .}}"));
      return { client: Client.Version, ...(Server && { server: Server.Version }) };
    } catch (error) {
      const printed = (error as { readonly printed?: string }).printed?.trim();
      if (!printed) throw error;
      return { client: parse(printed).Client.Version, problem: error as Error };
    }
  }

  async #execute(args: readonly string[], options: readonly string[]): Promise<{ readonly stdout: string }> {
    try {
      const limits = { env: this.#env, timeout: TIMEOUT_MS, maxBuffer: 1 << 26 };
      return await promisify(execFile)("docker", [...options, ...args], limits);
    } catch (error) {
      throw this.#explain(error as Failure);
    }
  }

  #explain(failure: Failure): Error {
    const error = explain(failure, this.endpoint);
    // `docker version` says what it knows of itself before it fails.
    return Object.assign(error, { printed: failure.stdout });
  }
}

interface Failure extends Error {
  readonly code?: unknown;
  readonly killed?: boolean;
  readonly stdout?: string;
  readonly stderr?: string;
}

/**
 * Which daemon a stack is on: by docker:context, DOCKER_CONTEXT, docker:host or DOCKER_HOST, whichever comes first, else
 * the one of this machine.
 * @param config the stack's configuration, by full key.
 */
export function endpointOf(
  config: Readonly<Record<string, string | undefined>>,
  env: NodeJS.ProcessEnv = process.env,
): Endpoint {
  const given = (places: readonly (readonly [string, string | undefined])[]) => places.find(([, value]) => value);
  const context = given([
    ["docker:context", config["docker:context"]],
    ["DOCKER_CONTEXT", env.DOCKER_CONTEXT],
  ]);
  // As the provider has it: a context goes before a host.
  if (context)
    return { options: ["--context", context[1] as string], setting: context[0], value: context[1] as string };
  const host = given([
    ["docker:host", config["docker:host"]],
    ["DOCKER_HOST", env.DOCKER_HOST],
  ]);
  const value = host?.[1] ?? DEFAULT_HOST;
  return { options: ["-H", value], ...(host && { setting: host[0] }), value };
}

/** Lines of stderr that are no error. */
const NOISE = /^(WARNING|DEPRECATED)\b/;

function explain(failure: Failure, endpoint: Endpoint): Error {
  const { setting, value } = endpoint;
  if (failure.code === "ENOENT") return new UsageError(`docker is not on PATH: ${GET_DOCKER}`);
  if (failure.killed)
    return new TransientError(`Docker at ${value} doesn't answer within ${TIMEOUT_MS / 1000} seconds`);
  const lines = (failure.stderr || failure.message).split("\n").map((line) => line.trim());
  const text = lines.filter((line) => line !== "" && !NOISE.test(line)).join(" ");
  const said = text.replace(/^((Failed to initialize|Error response from daemon|Status|Error): )+/, "");
  const named = setting === undefined ? `Docker's address is ${quote(value)}` : `${setting} is ${quote(value)}`;
  return (
    explainConnection(said, endpoint, named) ??
    explainSwarm(said, value) ??
    new DockerError(said.replace(/, Code: \d+$/, ""))
  );
}

function explainConnection(said: string, { options, value }: Endpoint, named: string): Error | undefined {
  if (/permission denied while trying to connect/.test(said)) {
    return new UsageError(
      `you may not use Docker at ${value}: join its group with "sudo usermod -aG docker $USER" and log in again`,
    );
  }
  if (/context .*(does not exist|not found)/.test(said)) {
    return new UsageError(`${named}, and there is no such context: "docker context ls" lists those that are`);
  }
  if (/unable to resolve docker endpoint|unable to parse docker host|^parse "/.test(said)) {
    return new UsageError(`${named}: expected an address such as "ssh://me@machine" (${said})`);
  }
  const ssh = /stderr=(.*)$/.exec(said)?.[1]?.trim().replace(/\.$/, "");
  if (ssh !== undefined && /permission denied|host key|not found/i.test(ssh)) {
    return new UsageError(
      `Docker can't be reached at ${value}: ${ssh}; "docker ${options.join(" ")} version" must work`,
    );
  }
  if (ssh !== undefined)
    return new TransientError(`Docker can't be reached at ${value}: ${ssh || "ssh doesn't say why"}`);
  if (/cannot connect to the docker daemon/i.test(said)) {
    return new TransientError(
      `Docker can't be reached at ${value}: ${value.startsWith("unix:") ? startDocker() : "is it running there?"}`,
    );
  }
  if (/error during connect|dial tcp|i\/o timeout|connection re(fused|set)/.test(said)) {
    return new TransientError(`Docker can't be reached at ${value}: ${said.split(": ").slice(-2).join(": ")}`);
  }
  if (/client version .* is too (new|old)/i.test(said)) {
    return new UsageError(
      `docker and its daemon at ${value} don't understand each other: update the older one (${said})`,
    );
  }
  return undefined;
}

const startDocker = (): string =>
  process.platform === "darwin"
    ? 'start Docker Desktop with "open -a Docker"'
    : 'start it with "sudo systemctl start docker"';

/** As moby says it: https://github.com/moby/moby/blob/v20.10.24/daemon/cluster/cluster.go#L311 */
function explainSwarm(said: string, value: string): Error | undefined {
  if (/worker nodes can't be used/i.test(said)) {
    return new SwarmError(
      `Docker at ${value} is a worker of its Swarm: name a manager with "npx pulumi config set docker:host ssh://me@manager", or promote this one there with "docker node promote NODE"`,
    );
  }
  if (/manager is being prepared|does not have a leader/i.test(said)) {
    return new TransientError(`the Swarm of Docker at ${value} has no leader just now: ${said}`);
  }
  if (/is encrypted and needs to be unlocked/i.test(said)) {
    return new SwarmError(`the Swarm of Docker at ${value} is locked: "docker swarm unlock" opens it`);
  }
  if (/not (a swarm manager|part of a swarm)/i.test(said)) {
    return new NoSwarmError(`Docker at ${value} is not in swarm mode: "docker swarm init" makes it so`);
  }
  return undefined;
}
