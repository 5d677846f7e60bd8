import { z } from "zod";
import { outputs as ofCluster } from "../swarm/outputs.ts";

/** What commands read of a stack's outputs: those of a cluster, whose pages it has some of, and its broker. */
export const outputs = ofCluster.extend({ kafka: z.string() });
export type SwarmPipelineOutputs = z.infer<typeof outputs>;
