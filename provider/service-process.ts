/** A service as a process on this machine: it lives until it is deleted, and is started again when it has changed or died. */
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lakeLayout } from "../core/lake-layout.ts";
import type { ServiceFile } from "../core/service.ts";
import { cancelled } from "./cancel.ts";
import { readJson, writeJson } from "./json.ts";
import { checkLake } from "./lake.ts";
import { tail } from "./log.ts";
import { makeOwnFolder, writeOwn } from "./own.ts";
import { isTaken } from "./port.ts";
import { isAlive, ownEnvironment, type ProcessId, registered, startDetached, stop } from "./process.ts";
import { isSame, type ResourceKind } from "./resource.ts";

/** Limits of what is waited for: until its ports are free, until it can be used, and for one answer to that. */
const FREE_SECONDS = 5;
const READY_SECONDS = 120;
const HEALTH_SECONDS = 10;

/** See components/local/process.ts. */
interface Process {
  readonly name: string;
  readonly lake: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly files: readonly ServiceFile[];
  readonly disks: readonly string[];
  readonly ports: readonly number[];
  readonly memoryMebibytes: number;
  readonly preflight?: readonly string[];
  readonly health?: readonly string[];
}

/** By what its folder is found. */
export type Place = Pick<Process, "name" | "lake">;

/** What the engine keeps of it. The rest, in which are secrets, is in its folder: files that the user alone may read. */
type Kept = Pick<Process, "name" | "lake" | "ports">;

export const serviceProcess: ResourceKind = {
  async check(_urn, { name, lake, ports = [], ...rest }: Process) {
    if (!/^[a-z][a-z0-9-]*$/.test(name)) {
      const reason = `name is ${JSON.stringify(name)}: expected lower-case letters, digits and dashes, after a letter`;
      return [{ property: "name", reason }];
    }
    const own = isAlive(registered(home({ lake, name }))) ? (specOf({ lake, name })?.ports ?? []) : [];
    const reason = await portProblem(
      name,
      ports.filter((port) => !own.includes(port)),
    );
    if (reason) return [{ property: "ports", reason }];
    const unfit = await preflightProblem({ name, lake, ...rest });
    return unfit ? [{ property: "preflight", reason: unfit }] : [];
  },
  diff(state: Kept, inputs: Process) {
    const moved = state.lake !== inputs.lake || state.name !== inputs.name;
    return {
      changes: moved || !isSame(specOf(inputs), inputs) || !isAlive(registered(home(inputs))),
      replaces: moved ? ["name"] : [],
      deleteBeforeReplace: true,
    };
  },
  async create(_urn, inputs: Process) {
    const isNew = !existsSync(home(inputs)); // else it has disks of before
    try {
      await start(inputs);
    } catch (error) {
      if (isNew) remove(inputs);
      throw error;
    }
    return { id: home(inputs), outs: kept(inputs) };
  },
  read: async (state: Kept) => (isAlive(registered(home(state))) ? state : undefined),
  async update(_state, inputs: Process) {
    await start(inputs);
    return kept(inputs);
  },
  async delete(state: Kept) {
    await stop(registered(home(state)));
    remove(state);
  },
  inputsOf: kept,
};

const home = ({ lake, name }: Place): string => lakeLayout(lake).service(name);
/** What stands for the / of a container. */
const rootOf = (place: Place): string => join(home(place), "root");
const logOf = (place: Place): string => join(home(place), "service.log");
const specFile = (place: Place): string => join(home(place), "spec.json");
/** What it was started with, undefined while it never was. */
const specOf = (place: Place) => readJson(specFile(place)) as Process | undefined;

function kept({ name, lake, ports }: Kept): Kept {
  return { name, lake, ports };
}

const remove = (place: Place): void => rmSync(home(place), { recursive: true, force: true, maxRetries: 5 });

/** Starts it, in place of the one that runs, and waits until it can be used. Its disks stay as they are. */
async function start(inputs: Process): Promise<void> {
  checkLake(inputs.lake);
  makeOwnFolder(inputs.lake, home(inputs)); // before anything there is taken for ours
  await stop(registered(home(inputs)));
  await portsFree(inputs);
  for (const { path } of specOf(inputs)?.files ?? []) rmSync(below(inputs, path), { force: true });
  for (const path of ["/tmp", ...inputs.disks]) makeOwnFolder(inputs.lake, below(inputs, path));
  for (const file of inputs.files) write(inputs, file);
  rmSync(logOf(inputs), { force: true });
  writeJson(specFile(inputs), inputs);
  const supervisor = new URL("./supervisor", import.meta.url);
  const command = { arguments: inputs.command, env: environment(inputs) };
  try {
    // One that ends before it is seen is told of like one that ends a moment later.
    const started = startDetached(supervisor, home(inputs), logOf(inputs), command);
    await ready(inputs, await started.catch(() => undefined));
  } catch (error) {
    await stop(registered(home(inputs)));
    throw error;
  }
}

/** Where a path of the service's is on this machine. */
export const below = (place: Place, path: string): string => join(rootOf(place), resolve("/", path));

function write(place: Place, { path, content, isBase64 }: ServiceFile): void {
  const file = below(place, path);
  makeOwnFolder(place.lake, dirname(file));
  writeOwn(file, Buffer.from(content, isBase64 ? "base64" : "utf8"));
}

/** What a service's program has in its environment; undefined while it was never started. */
export function environmentOf(place: Place): NodeJS.ProcessEnv | undefined {
  const spec = specOf(place);
  return spec && environment(spec);
}

const environment = (inputs: Omit<Process, "ports">): NodeJS.ProcessEnv => ({
  ...ownEnvironment(),
  ...inputs.env,
  TMPDIR: below(inputs, "/tmp"),
  ONEOFF_ROOT: rootOf(inputs),
});

/** @throws Error with the last lines of its log when it ends or can't be used in time. */
async function ready(inputs: Process, id: ProcessId | undefined): Promise<void> {
  const failure = (what: string) => {
    const said = tail(readFileSync(logOf(inputs), "utf8")) || "(nothing)";
    return new Error(`${inputs.name} ${what}; the last lines of its log:\n${said}`);
  };
  for (const end = Date.now() + READY_SECONDS * 1000; ; await sleep(200)) {
    if (!isAlive(id)) throw failure("ended before it could be used");
    if (await isHealthy(inputs)) return;
    if (cancelled.aborted) throw new Error('the wait was ended; "pulumi up" starts it again');
    if (Date.now() > end) throw failure(`could not be used after ${READY_SECONDS} seconds`);
  }
}

function isHealthy(inputs: Process): Promise<boolean> {
  const [command, ...rest] = inputs.health ?? ["true"];
  const options = { cwd: home(inputs), env: environment(inputs), timeout: HEALTH_SECONDS * 1000 };
  return new Promise((resolve, reject) => {
    const child = spawn(command as string, rest, { ...options, stdio: "ignore" });
    child.once("error", reject);
    child.once("exit", (code) => resolve(code === 0));
  });
}

/** Why it could not be started here; looked for while what it is to replace still runs. */
async function preflightProblem(inputs: Omit<Process, "ports">): Promise<string | undefined> {
  const [command, ...words] = inputs.preflight ?? [];
  if (command === undefined) return undefined;
  const options = { env: environment(inputs), timeout: HEALTH_SECONDS * 1000 };
  return new Promise((resolve) => {
    execFile(command, words, options, (error, _, said) => {
      if (!error) return resolve(undefined);
      const silence = `${command} did not answer within ${HEALTH_SECONDS} seconds`;
      resolve(`${inputs.name} can't be started: ${error.killed ? silence : tail(said, 1) || error.message}`);
    });
  });
}

/** What died with its supervisor may be dying still. @throws Error when a port stays taken. */
async function portsFree(inputs: Process): Promise<void> {
  const patience = specOf(inputs) ? FREE_SECONDS : 0;
  for (const end = Date.now() + patience * 1000; ; await sleep(100)) {
    const problem = await portProblem(inputs.name, inputs.ports);
    if (!problem) return;
    if (Date.now() > end) throw new Error(problem);
  }
}

async function portProblem(name: string, ports: readonly number[]): Promise<string | undefined> {
  for (const port of ports) {
    if (!(await isTaken(port))) continue;
    return `port ${port} of ${name}: another program listens on it; end that, or give the services another first port, as by oneoff:port`;
  }
  return undefined;
}
