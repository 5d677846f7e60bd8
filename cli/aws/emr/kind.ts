import { clusterKind } from "../../platform.ts";
import { aws } from "../platform.ts";
import { outputs } from "./outputs.ts";

const sdk = () => import("./index.ts");

/** Steps on a cluster of Amazon EMR. */
export const emr = clusterKind({
  name: "emr",
  platform: aws,
  outputs,
  pages: ["spark", "yarn", "jupyter"],
  part: async () => (await sdk()).part,
  attach: async (stack, outputs) => (await sdk()).attach(stack, outputs),
});
