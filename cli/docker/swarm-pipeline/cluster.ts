import type { Attached, StackContext } from "../../platform.ts";
import { attach as attachCluster } from "../swarm/cluster.ts";
import type { SwarmPipelineOutputs } from "./outputs.ts";

/** The pipeline of a stack whose broker is reached within its overlay network alone. */
export async function attach(stack: StackContext, outputs: SwarmPipelineOutputs): Promise<Attached> {
  return { ...(await attachCluster(stack, outputs)), stream: { page: outputs.dashboard } };
}
