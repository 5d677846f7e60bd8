/**
 * Which datanodes belong to an HDFS of this machine. The engine deletes what a program asks for no more after everything
 * else: by then their blocks are elsewhere, or this has failed and they stay. A destroy waits for nothing.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as pulumi from "@pulumi/pulumi";
import { cancelled } from "./cancel.ts";
import { isSame, type ResourceKind } from "./resource.ts";
import { below, environmentOf } from "./service-process.ts";

const SCRIPT = fileURLToPath(new URL("../assets/fleet/hdfs_nodes.py", import.meta.url));
/** It says how far it is, and can be broken off. */
const PATIENCE_SECONDS = 86_400;
/** As assets/images/hdfs/conf has it. */
const MEMBERS = "/data/members.json";

/** See components/local/fleet/data-nodes.ts. */
interface DataNodes {
  readonly lake: string;
  readonly namenode: string;
  readonly http: string;
  readonly entrypoint: string;
  readonly addresses: readonly string[];
  readonly replication: number;
  readonly python: string;
}

export const dataNodes: ResourceKind = {
  check: () => [],
  diff: (state: DataNodes, inputs: DataNodes) => ({ changes: !isSame(state, inputs) }),
  async create(_urn, inputs: DataNodes) {
    await apply(inputs);
    return { id: join(inputs.lake, inputs.namenode), outs: inputs };
  },
  read: async (state: DataNodes) => state,
  async update(_state, inputs: DataNodes) {
    await apply(inputs);
    return inputs;
  },
  delete: async () => {},
  inputsOf: (state: DataNodes) => state,
};

/** @throws Error with what the script said last, when a node can't be done without. */
async function apply({ lake, namenode, http, entrypoint, addresses, replication, python }: DataNodes): Promise<void> {
  const place = { lake, name: namenode };
  const env = environmentOf(place);
  if (!env) throw new Error(`${namenode} was never started: "pulumi up" starts it`);
  const told = ["--namenode", http, "--members", below(place, MEMBERS), "--replication", String(replication)];
  const patience = ["--patience", String(PATIENCE_SECONDS)];
  const command = ["--wanted", ...addresses, "--", entrypoint, "refresh-nodes"];
  const child = spawn(python, [SCRIPT, ...told, ...patience, ...command], { env, stdio: ["ignore", "ignore", "pipe"] });
  const stop = () => void child.kill("SIGTERM");
  cancelled.addEventListener("abort", stop);
  let last = "";
  createInterface({ input: child.stderr }).on("line", (line) => {
    last = line;
    pulumi.log.info(line, undefined, undefined, true);
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  cancelled.removeEventListener("abort", stop);
  if (cancelled.aborted) throw new Error('the wait was ended; "pulumi up" goes on from here');
  if (code !== 0) throw new Error(last || `hdfs_nodes.py ended with ${code}`);
}
