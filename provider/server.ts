/** The dashboard's server: a process on this machine that lives until it is deleted, started again when it has died. */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { lakeLayout, nameProblem } from "../core/lake-layout.ts";
import { readJson, writeJson } from "./json.ts";
import { checkLake } from "./lake.ts";
import { makeOwnFolder } from "./own.ts";
import { isTaken } from "./port.ts";
import { isAlive, registered, startDetached, stop } from "./process.ts";
import { isSame, type ResourceKind } from "./resource.ts";

const ANSWER_MS = 1000;
const OWN_ANSWER_MS = 20_000;

interface Server {
  readonly name: string;
  readonly lake: string;
  readonly port: number;
  readonly job: { readonly name: string };
  /** Secret, and so in no state: it is in the server's folder, in a file that the user alone may read. */
  readonly feedToken?: string;
}

interface Running extends Omit<Server, "feedToken"> {
  readonly url: string;
}

export const server: ResourceKind = {
  async check(_urn, { lake, name, port }: Server) {
    const problem = name === undefined ? undefined : nameProblem(name); // undefined: it will be known at `up`
    if (problem) return [{ property: "name", reason: `name is ${JSON.stringify(name)}: ${problem}` }];
    // One of ours that runs may be slow to answer, where the machine has much to do.
    const patience = lake && name && isAlive(registered(home({ lake, name }))) ? OWN_ANSWER_MS : ANSWER_MS;
    if (!(await isTaken(port)) || (await tokenAt(port, patience)) === tokenOf(lake, name)) return [];
    const reason = `port is ${port}: another program listens on it; end that, or choose another with: pulumi config set oneoff:port ${port + 1}`;
    return [{ property: "port", reason }];
  },
  diff(state: Running, inputs: Server) {
    const moved = state.lake !== inputs.lake || state.name !== inputs.name;
    const { url: _, ...old } = state;
    const { feedToken, ...rest } = inputs;
    const runs = isAlive(registered(home(inputs))) && feedToken === keptToken(inputs);
    return {
      changes: moved || !isSame(old, rest) || !runs,
      replaces: moved ? ["lake"] : [],
      deleteBeforeReplace: true,
    };
  },
  async create(urn, inputs: Server) {
    return { id: home(inputs), outs: await start(inputs, urn) };
  },
  read: async (state: Running) =>
    nameProblem(state.name) === undefined && isAlive(registered(home(state))) ? state : undefined,
  update: async (_state, inputs: Server, urn) => start(inputs, urn),
  async delete(state: Running) {
    if (nameProblem(state.name)) return; // of before there was a check: what is elsewhere may be anybody's
    await stop(registered(home(state)));
    rmSync(home(state), { recursive: true, force: true });
  },
  inputsOf: ({ url: _, ...inputs }: Running) => inputs,
};

type Place = Pick<Server, "lake" | "name">;

const home = ({ lake, name }: Place): string => lakeLayout(lake).dashboard(name);
const configFile = (place: Place): string => join(home(place), "config.json");
const keptToken = (place: Place) => (readJson(configFile(place)) as Pick<Server, "feedToken"> | undefined)?.feedToken;

/** By what a dashboard is known when its port is asked: that one on the same lake is ours already. */
const tokenOf = (lake: string, name: string): string =>
  createHash("sha256").update(`${lake}\n${name}`).digest("hex").slice(0, 16);

/** "local" of "urn:pulumi:local::oneoff::...". */
const stackOf = (urn: string | undefined) => urn?.split("::")[0]?.slice("urn:pulumi:".length);

/** Starts the server, in place of the one that runs, and waits until it answers. */
async function start(inputs: Server, urn: string | undefined): Promise<Running> {
  const { feedToken, ...state } = inputs;
  const { lake, name, port, job } = state;
  checkLake(lake);
  makeOwnFolder(lake, home(inputs)); // before anything there is taken for ours
  await stop(registered(home(inputs)));
  const engine = { kind: "duckdb", lake };
  const config = { job, port, stack: stackOf(urn), token: tokenOf(lake, name), engine, feedToken };
  writeJson(configFile(inputs), config);
  const id = await startDetached(
    new URL("./dashboard", import.meta.url),
    home(inputs),
    join(home(inputs), "server.log"),
  );
  while ((await tokenAt(port)) !== config.token) {
    if (!isAlive(id)) throw new Error(`the dashboard ended at once; see ${join(home(inputs), "server.log")}`);
    await sleep(50);
  }
  return { ...state, url: `http://127.0.0.1:${port}` };
}

/** The token of the dashboard that listens on a port, undefined where there is none. */
async function tokenAt(port: number, patience = ANSWER_MS): Promise<string | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/api/identity`, { signal: AbortSignal.timeout(patience) });
    return ((await response.json()) as { token?: string }).token;
  } catch {
    return undefined;
  }
}
