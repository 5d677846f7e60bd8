import { clusterKind } from "../../platform.ts";
import { docker } from "../platform.ts";
import { outputs } from "./outputs.ts";

/** A driver of ours and Spark's own cluster, as services of Docker Swarm. */
export const swarm = clusterKind({
  name: "swarm",
  platform: docker,
  outputs,
  pages: ["spark", "history", "hdfs", "notebook", "mongo"],
  attach: async (stack, outputs) => (await import("./cluster.ts")).attach(stack, outputs),
});
