import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import type { SwarmPlan } from "../args.ts";
import type { SwarmServiceFile } from "../files.ts";
import { executorHeap } from "../run.ts";
import type { SwarmService } from "../service.ts";
import { lakeMounts, sparkEnv } from "./spark.ts";

const NOTEBOOKS = join(import.meta.dirname, "../../../assets/notebooks");
const MEMORY_MEBIBYTES = 1024;

/**
 * JupyterLab with PySpark, and with notebooks that read a lake that is a folder.
 *
 * @param secrets what it asks for and what it gets at the others with.
 */
export function notebookService(
  plan: SwarmPlan,
  image: pulumi.Input<string>,
  secrets: readonly SwarmServiceFile[],
): SwarmService {
  const { folder, user } = plan;
  return {
    name: "notebook",
    image,
    user,
    command: ["notebook"],
    memoryMebibytes: MEMORY_MEBIBYTES,
    env: {
      ...sparkEnv(plan),
      // What Spark would ask for else is more than a small worker has.
      SPARK_EXECUTOR_CORES: String(plan.workers.cores),
      SPARK_EXECUTOR_MEMORY: `${executorHeap(plan)}m`,
      ...(plan.hdfs && { ONEOFF_HDFS: "hdfs://namenode:8020" }),
      // Beside the results, so that what is written there outlives the container.
      ...(folder && { ONEOFF_LAKE: folder, ONEOFF_NOTEBOOKS: `${folder}/_notebooks` }),
    },
    files: [...secrets, ...(folder === undefined ? [] : notebooks())],
    listens: { http: 8888 },
    pages: [{ name: "notebook", listen: "http", path: "/lab" }],
    mounts: lakeMounts(plan),
    health: ["/opt/oneoff/healthy", "notebook"],
  };
}

/** Those of assets/notebooks that are for a Swarm; the image copies them to where they can be changed. */
const notebooks = (): readonly SwarmServiceFile[] =>
  ["analysis", "startup"].map((name) => ({
    name,
    path: `/opt/oneoff/notebooks/${name}.ipynb`,
    content: readFileSync(join(NOTEBOOKS, `${name}.ipynb`), "utf8"),
  }));
