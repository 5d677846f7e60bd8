import { clusterKind } from "../platform.ts";
import { outputs } from "./outputs.ts";
import { thisMachine } from "./platform.ts";

/** Spark on this machine. */
export const local = clusterKind({
  name: "local",
  platform: thisMachine,
  outputs,
  pages: [],
  attach: async (stack, outputs) => (await import("./cluster.ts")).attach(stack, outputs),
});
