import { readdirSync } from "node:fs";
import { lakeLayout } from "../../../core/lake-layout.ts";
import { isAlive, registered } from "../../../provider/process.ts";
import { environmentOf } from "../../../provider/service-process.ts";
import type { FleetNode, FleetStatus } from "../../fleet.ts";
import { answerWarnings, type FleetAnswer, partIn } from "../../fleet-answer.ts";
import { upAgain } from "../cluster.ts";

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
export function statusOf(stack: string, lake: string, answer: FleetAnswer): FleetStatus {
  const { hdfs, spark } = answer;
  const nodes = nodesIn(lake);
  const down = nodes.filter(({ isAlive }) => !isAlive).map(({ name }) => name);
  const warnings = [
    ...(down.length === 1 ? [`${down[0]} is down: ${upAgain(stack)}`] : []),
    ...(down.length > 1 ? [`${down.join(", ")} are down: ${upAgain(stack).replace(/ it /, " them ")}`] : []),
    ...answerWarnings(answer),
  ];
  return {
    nodes: nodes.map((node) => nodeOf(node, answer)),
    // All datanodes share this machine's disk.
    hdfs: hdfs ? { used: hdfs.used, all: Math.max(0, ...hdfs.nodes.map(({ capacity }) => capacity)) } : undefined,
    applications: spark?.applications ?? [],
    warnings,
  };
}

function nodeOf({ name, role, isAlive, listens }: Node, answer: FleetAnswer): FleetNode {
  if (!isAlive) return { name, role, state: "down" };
  return { name, role, state: "ready", ...partIn(answer, (address) => listens.includes(address)) };
}
