import { clusterKind } from "../../platform.ts";
import { docker } from "../platform.ts";
import { outputs } from "./outputs.ts";

/** Kafka, what sends records to it, Spark and the page as services of Docker Swarm. */
export const swarmPipeline = clusterKind({
  name: "swarm-pipeline",
  platform: docker,
  outputs,
  pages: ["spark", "history"],
  attach: async (stack, outputs) => (await import("./cluster.ts")).attach(stack, outputs),
});
