/**
 * Which datanodes belong to an HDFS of this machine. The engine deletes what a program asks for no more after everything
 * else: by then their blocks are elsewhere, or this has failed and they stay. A destroy waits for nothing.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { cancelled } from "./cancel.ts";
import { readJson } from "./json.ts";
import { isSame, type ResourceKind } from "./resource.ts";
import { below, environmentOf, type Place } from "./service-process.ts";

const SCRIPT = fileURLToPath(new URL("../assets/fleet/hdfs_nodes.py", import.meta.url));
/** It says how far it is, and can be broken off. */
const PATIENCE_SECONDS = 86_400;
/** As assets/images/hdfs/conf has it. */
const MEMBERS = "/data/members.json";

/** Between two tries of what the namenode refuses in its safe mode, and how long it is tried. */
const TRY_MS = 2000;
const SAFE_SECONDS = 180;

/** See components/local/fleet/data-nodes.ts. */
interface DataNodes {
  readonly lake: string;
  readonly namenode: string;
  readonly http: string;
  readonly entrypoint: string;
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  readonly replication: number;
  readonly python: string;
}

export const dataNodes: ResourceKind = {
  check: () => [],
  // An update that was broken off has changed what the namenode goes by, and not the state.
  diff: (state: DataNodes, inputs: DataNodes) => ({ changes: !isSame(state, inputs) || !isInForce(inputs) }),
  async create(_urn, inputs: DataNodes) {
    await decommissionOthers(inputs);
    return { id: join(inputs.lake, inputs.namenode), outs: inputs };
  },
  read: async (state: DataNodes) => state,
  async update(state: DataNodes, inputs: DataNodes) {
    // First, or those that stay might be fewer than the copies.
    if (state.replication !== inputs.replication) await setReplication(inputs);
    await decommissionOthers(inputs, state.nodes);
    return inputs;
  },
  delete: async () => {},
  inputsOf: (state: DataNodes) => state,
};

const placeOf = ({ lake, namenode }: DataNodes): Place => ({ lake, name: namenode });
const membersOf = (inputs: DataNodes): string => below(placeOf(inputs), MEMBERS);

const Members = z.array(z.object({ hostName: z.string(), port: z.number(), adminState: z.string() }));

/** Whether the namenode goes by what is wanted. */
function isInForce(inputs: DataNodes): boolean {
  const members = Members.safeParse(readJson(membersOf(inputs))).data ?? [];
  const inService = members.filter(({ adminState }) => adminState === "NORMAL");
  const found = inService.map(({ hostName, port }) => `${hostName}:${port}`);
  return isSame(found.sort(), inputs.nodes.map(({ address }) => address).sort());
}

/** @throws Error with what the script said last, when a node can't be done without. */
async function decommissionOthers(inputs: DataNodes, before: DataNodes["nodes"] = []): Promise<void> {
  const { http, entrypoint, nodes, replication, python } = inputs;
  const names = new Map([...before, ...nodes].map(({ name, address }) => [address, name]));
  const told = ["--namenode", http, "--members", membersOf(inputs), "--replication", String(replication)];
  const wanted = ["--wanted", ...nodes.map(({ address }) => address), "--patience", String(PATIENCE_SECONDS)];
  const { code, last } = await run(
    inputs,
    [python, SCRIPT, ...told, ...wanted, "--", entrypoint, "refresh-nodes"],
    (line) => pulumi.log.info(named(line, names), undefined, undefined, true),
  );
  if (code !== 0) throw new Error(named(last, names) || `hdfs_nodes.py ended with ${code}`);
}

const named = (line: string, names: ReadonlyMap<string, string>): string =>
  [...names].reduce((text, [address, name]) => text.replaceAll(address, name), line);

/** Gives what is there as many copies; waits while the namenode has just started. */
async function setReplication(inputs: DataNodes): Promise<void> {
  const words = [inputs.entrypoint, "dfs", "-setrep", "-R", String(inputs.replication), "/"];
  for (const end = Date.now() + SAFE_SECONDS * 1000; ; await sleep(TRY_MS)) {
    const { code, last } = await run(inputs, words);
    if (code === 0) return;
    if (Date.now() > end) throw new Error(`HDFS keeps no other number of copies than before: ${last}`);
  }
}

interface Ended {
  readonly code: number | null;
  /** The last line that was printed. */
  readonly last: string;
}

/** Runs a program as the namenode's user and with its environment. */
async function run(inputs: DataNodes, words: readonly string[], say?: (line: string) => void): Promise<Ended> {
  const env = environmentOf(placeOf(inputs));
  if (!env) throw new Error(`${inputs.namenode} was never started: "pulumi up" starts it`);
  const child = spawn(words[0] as string, words.slice(1), { env, stdio: ["ignore", "ignore", "pipe"] });
  const stop = () => void child.kill("SIGTERM");
  cancelled.addEventListener("abort", stop);
  let last = "";
  createInterface({ input: child.stderr }).on("line", (line) => {
    last = line;
    say?.(line);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  cancelled.removeEventListener("abort", stop);
  if (cancelled.aborted) throw new Error('the wait was ended; "pulumi up" goes on from here');
  return { code, last };
}
