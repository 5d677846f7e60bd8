import { clusterKind } from "../../platform.ts";
import { thisMachine } from "../platform.ts";
import { outputs } from "./outputs.ts";

/** Kafka, what sends records to it, and Spark as processes of this machine. */
export const localPipeline = clusterKind({
  name: "local-pipeline",
  platform: thisMachine,
  outputs,
  pages: [],
  attach: async (stack, outputs) => (await import("./cluster.ts")).attach(stack, outputs),
});
