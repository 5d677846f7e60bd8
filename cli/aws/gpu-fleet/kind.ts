import { clusterKind } from "../../platform.ts";
import { aws } from "../platform.ts";
import { outputs } from "./outputs.ts";

const sdk = () => import("./index.ts");

/** Machines on EC2 that a team shares. */
export const gpuFleet = clusterKind({
  name: "gpu-fleet",
  platform: aws,
  outputs,
  pages: ["spark", "yarn", "history", "hdfs", "jupyter", "app"],
  part: async () => (await sdk()).part,
  attach: async (stack, outputs) => (await sdk()).attach(stack, outputs),
  fleet: async (stack, outputs) => (await sdk()).fleetOf(stack, outputs),
});
