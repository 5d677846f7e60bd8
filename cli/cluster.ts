import { UsageError } from "../core/errors.ts";
import { aws, google } from "./cloud.ts";
import type { ClusterCommands, Outputs } from "./platform.ts";

const kinds: Readonly<Record<string, (stack: string, outputs: Outputs) => Promise<ClusterCommands>>> = {
  local: async (_stack, outputs) => (await import("./local/cluster.ts")).localCommands(String(outputs.lake)),
  emr: async (stack, outputs) => (await aws()).emrCommands(stack, outputs),
  dataproc: async (stack, outputs) => (await google()).dataprocCommands(stack, outputs),
  swarm: async (stack, outputs) => (await import("./docker/swarm/cluster.ts")).swarmCommands(stack, outputs),
};

/** @throws UsageError when the stack has no cluster of a known kind. */
export async function clusterOf(stack: string, outputs: Outputs): Promise<ClusterCommands> {
  const kind = kinds[String(outputs.cluster)];
  if (!kind) throw new UsageError(`stack ${stack} has no cluster: its output "cluster" is ${String(outputs.cluster)}`);
  return kind(stack, outputs);
}
