import { clusterKind } from "../../platform.ts";
import { thisMachine } from "../platform.ts";
import { outputs } from "./outputs.ts";

/** A fleet as processes of this machine. */
export const localFleet = clusterKind({
  name: "local-fleet",
  platform: thisMachine,
  outputs,
  pages: ["spark", "yarn", "history", "hdfs", "jupyter", "app"],
  attach: async (stack, outputs) => (await import("./cluster.ts")).attach(stack, outputs),
  fleet: async (stack, outputs) => (await import("./fleet.ts")).fleetOf(stack, outputs),
});
