import { readdirSync } from "node:fs";
import { z } from "zod";
import { lakeLayout } from "../../../core/lake-layout.ts";
import { isAlive, registered } from "../../../provider/process.ts";
import { environmentOf } from "../../../provider/service-process.ts";
import type { FleetNode, FleetStatus } from "../../fleet.ts";
import { upAgain } from "../cluster.ts";

/** What fleet_status.py prints. A part that doesn't answer is null, and why is the problem. */
export const Answer = z.object({
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
export type Answer = z.output<typeof Answer>;

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

/** How a fleet does: what its processes are, and what HDFS and Spark say of them. */
export function statusOf(stack: string, lake: string, answer: Answer): FleetStatus {
  const { hdfs, spark, problem } = answer;
  const nodes = nodesIn(lake);
  const down = nodes.filter(({ isAlive }) => !isAlive).map(({ name }) => name);
  const warnings = [
    ...(down.length === 1 ? [`${down[0]} is down: ${upAgain(stack)}`] : []),
    ...(down.length > 1 ? [`${down.join(", ")} are down: ${upAgain(stack).replace(/ it /, " them ")}`] : []),
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
    // All datanodes share this machine's disk.
    hdfs: hdfs ? { used: hdfs.used, all: Math.max(0, ...hdfs.nodes.map(({ capacity }) => capacity)) } : undefined,
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
