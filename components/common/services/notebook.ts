import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Service, ServiceFile } from "../../../core/service.ts";
import { executorHeap, type SparkWorkers } from "./spark.ts";

const NOTEBOOKS = join(import.meta.dirname, "../../../assets/notebooks");
const MEMORY_MEBIBYTES = 1024;

export interface NotebookPlan {
  readonly workers: SparkWorkers;
  /** What `eventsEnv` returns. */
  readonly events: Readonly<Record<string, string>>;
  /** Whether there is HDFS. */
  readonly hdfs: boolean;
  /** Absolute path of a lake that is a folder. */
  readonly folder?: string | undefined;
  /** Properties of Spark that its applications have on top of its own. @default none */
  readonly conf?: Readonly<Record<string, string>> | undefined;
  /** Those of assets/notebooks that it has, where the lake is a folder. */
  readonly notebooks: readonly string[];
}

/**
 * JupyterLab with PySpark, and with notebooks that read a lake that is a folder.
 *
 * @param image one that is made as assets/images/spark is.
 * @param secrets what it asks for and what it gets at the others with.
 */
export function notebookService<Text>(
  { workers, events, hdfs, folder, conf, notebooks }: NotebookPlan,
  image: Text,
  secrets: readonly ServiceFile<Text>[],
): Service<Text | string> {
  return {
    name: "notebook",
    image,
    command: ["notebook"],
    memoryMebibytes: MEMORY_MEBIBYTES,
    env: {
      ...events,
      // What Spark would ask for else is more than a small worker has.
      SPARK_EXECUTOR_CORES: String(workers.cores),
      SPARK_EXECUTOR_MEMORY: `${executorHeap(workers)}m`,
      ...(hdfs && { ONEOFF_HDFS: "hdfs://namenode:8020" }),
      // Beside the results, so that what is written there outlives the service.
      ...(folder !== undefined && { ONEOFF_LAKE: folder, ONEOFF_NOTEBOOKS: `${folder}/_notebooks` }),
    },
    files: [...secrets, ...(conf ? [confFile(conf)] : []), ...(folder === undefined ? [] : notebookFiles(notebooks))],
    listens: { http: 8888 },
    pages: [{ name: "notebook", listen: "http", path: "/lab" }],
    mounts: folder === undefined ? [] : [{ path: folder, readOnly: false }],
    health: ["/opt/oneoff/healthy", "notebook"],
  };
}

/** The image copies them to where they can be changed. */
const notebookFiles = (names: readonly string[]): readonly ServiceFile[] =>
  names.map((name) => ({
    name,
    path: `/opt/oneoff/notebooks/${name}.ipynb`,
    content: readFileSync(join(NOTEBOOKS, `${name}.ipynb`), "utf8"),
  }));

const confFile = (conf: Readonly<Record<string, string>>): ServiceFile => ({
  name: "spark-conf",
  path: "/etc/oneoff/spark.conf",
  content: Object.entries(conf)
    .map(([name, value]) => `${name} ${value}\n`)
    .join(""),
});
