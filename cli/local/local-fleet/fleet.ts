import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { TransientError, UsageError } from "../../../core/errors.ts";
import { lakeLayout } from "../../../core/lake-layout.ts";
import { isAlive, registered } from "../../../provider/process.ts";
import { environmentOf } from "../../../provider/service-process.ts";
import { number } from "../../described.ts";
import type { Fleet, FleetNode, FleetStatus } from "../../fleet.ts";
import type { StackContext } from "../../platform.ts";
import { upAgain } from "../cluster.ts";
import type { FleetOutputs } from "./outputs.ts";

const SCRIPTS = fileURLToPath(new URL("../../../assets/fleet", import.meta.url));

/** A fleet whose nodes are processes: what is done with it the scripts of all fleets do, which run here. */
export function fleetOf(stack: StackContext, outputs: FleetOutputs): Fleet {
  const { lake } = outputs;
  const namenode = ["--namenode", new URL(outputs.hdfs).host];
  const master = ["--master", new URL(outputs.spark).host];
  return {
    async status() {
      const answer = await script(lake, "fleet_status.py", [...namenode, ...master]);
      return statusOf(stack.name, lake, Answer.parse(JSON.parse(answer)));
    },
    async push(source, target, { overwrite, say }) {
      const words = [...namenode, ...(overwrite ? ["--overwrite"] : []), source, target];
      return Pushed.parse(JSON.parse(await script(lake, "push.py", words, say)));
    },
    async reset(say) {
      const token = join(lakeLayout(lake).service("notebook"), "root/run/secrets/notebook-token");
      const server = outputs.jupyter === undefined ? undefined : new URL("/", outputs.jupyter).href;
      const notebook = server === undefined ? [] : ["--notebook", server, "--token-file", token];
      const answer = await script(lake, "reset.py", [...namenode, ...master, ...notebook], say);
      const { deleted, kernels } = Reset.parse(JSON.parse(answer));
      return `Gone: ${number(deleted)} files and folders of HDFS, ${number(kernels)} ${kernels === 1 ? "kernel" : "kernels"}.`;
    },
  };
}

/**
 * Runs one of the fleet's scripts, and returns the last line of its answer.
 * @throws UsageError with the last that it said, when it fails.
 */
async function script(lake: string, name: string, words: readonly string[], say?: (line: string) => void) {
  const env = environmentOf({ lake, name: "master" });
  if (env?.ONEOFF_PYTHON === undefined) throw new UsageError(`${lake} has no fleet: "npx --no oneoff up" makes one`);
  const child = spawn(env.ONEOFF_PYTHON, [join(SCRIPTS, name), ...words], { stdio: ["ignore", "pipe", "pipe"] });
  let [answer, last] = ["", ""];
  createInterface({ input: child.stdout }).on("line", (line) => {
    answer = line;
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (last !== "") say?.(last);
    last = line;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) {
    if (last !== "") say?.(last);
    return answer;
  }
  const problem = last.replace(/^\w+: /, ""); // its own name goes before
  throw new (code === 2 ? UsageError : TransientError)(problem || `${name} ended with ${code}`);
}

const Pushed = z.object({ files: z.number(), skipped: z.number(), bytes: z.number(), seconds: z.number() });
const Reset = z.object({ kernels: z.number(), deleted: z.number() });

/** What fleet_status.py prints. A part that doesn't answer is null, and why is the problem. */
const Answer = z.object({
  hdfs: z
    .object({
      used: z.number(),
      capacity: z.number(),
      missing: z.number(),
      underReplicated: z.number(),
      nodes: z.array(z.object({ address: z.string(), state: z.string(), used: z.number(), capacity: z.number() })),
    })
    .nullable(),
  spark: z
    .object({
      nodes: z.array(
        z.object({
          page: z.string(),
          state: z.string(),
          cores: z.number(),
          coresUsed: z.number(),
          memoryMebibytes: z.number(),
          memoryUsedMebibytes: z.number(),
          gpus: z.array(z.string()),
          gpusUsed: z.array(z.string()),
        }),
      ),
      applications: z.array(z.object({ name: z.string(), user: z.string(), cores: z.number(), since: z.string() })),
    })
    .nullable(),
  problem: z.string().optional(),
});
type Answer = z.output<typeof Answer>;

/** A process, by its folder. */
interface Node {
  readonly name: string;
  readonly role: string;
  readonly isAlive: boolean;
  /** "127.0.0.1:8768": those it listens on. */
  readonly listens: readonly string[];
}

function nodesIn(lake: string): readonly Node[] {
  const { services, service } = lakeLayout(lake);
  return readdirSync(services)
    .sort((a, b) => a.localeCompare(b, "en", { numeric: true }))
    .map((name) => {
      const env = environmentOf({ lake, name }) ?? {};
      const role = name.replace(/-\d+$/, "");
      const own = Object.entries(env).filter(([key]) => key.startsWith(`ONEOFF_${role.toUpperCase()}_`));
      const listens = own.map(([, port]) => `${env.ONEOFF_ADDRESS}:${port}`);
      return { name, role, isAlive: isAlive(registered(service(name))), listens };
    });
}

function statusOf(stack: string, lake: string, answer: Answer): FleetStatus {
  const { hdfs, spark, problem } = answer;
  const nodes = nodesIn(lake);
  const down = nodes.filter(({ isAlive }) => !isAlive).map(({ name }) => name);
  const warnings = [
    ...(down.length === 0 ? [] : [`${down.join(", ")} ${down.length === 1 ? "is" : "are"} down: ${upAgain(stack)}`]),
    ...(problem === undefined ? [] : [problem]),
    ...(hdfs?.missing ? [`${hdfs.missing} blocks of HDFS are missing: a datanode that had them must come back`] : []),
    ...(hdfs?.underReplicated
      ? [
          `${hdfs.underReplicated} blocks of HDFS have fewer copies than they should, and are copied while there is room`,
        ]
      : []),
  ];
  return {
    nodes: nodes.map((node) => nodeOf(node, answer)),
    hdfs: hdfs ? { used: hdfs.used, all: hdfs.capacity } : undefined,
    applications: spark?.applications ?? [],
    warnings,
  };
}

function nodeOf({ name, role, isAlive, listens }: Node, { hdfs, spark }: Answer): FleetNode {
  const node = { name, role, state: isAlive ? "ready" : "down" };
  if (!isAlive) return node;
  const datanode = hdfs?.nodes.find(({ address }) => listens.includes(address));
  if (datanode) return { ...node, state: datanode.state, hdfs: { used: datanode.used, all: datanode.capacity } };
  const worker = spark?.nodes.find(({ page, state }) => state === "alive" && listens.includes(page));
  if (!worker) return node;
  return {
    ...node,
    state: worker.coresUsed > 0 ? "busy" : "ready",
    cores: { used: worker.coresUsed, all: worker.cores },
    memoryMebibytes: { used: worker.memoryUsedMebibytes, all: worker.memoryMebibytes },
    ...(worker.gpus.length > 0 && { gpus: { used: worker.gpusUsed.length, all: worker.gpus.length } }),
  };
}
