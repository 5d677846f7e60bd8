import { clusterKind } from "../../platform.ts";
import { gcp } from "../platform.ts";
import { outputs } from "./outputs.ts";

const sdk = () => import("./index.ts");

/** Steps on Dataproc: in a workflow, on a cluster that stays a while, or in serverless batches. */
export const dataproc = clusterKind({
  name: "dataproc",
  platform: gcp,
  outputs,
  pages: ["spark", "yarn", "hdfs", "jupyter"],
  mayBeGone: ({ mode }) => mode === "cluster", // it stays a while, and ends by itself one day
  part: async () => (await sdk()).part,
  attach: async (stack, outputs) => (await sdk()).attach(stack, outputs),
});
