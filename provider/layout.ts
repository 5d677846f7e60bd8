import { join } from "node:path";

/** Where things lie in the folder of a local lake, beside the tables. Whatever begins with "_" is no table. */
export const layout = (lake: string) => ({
  /** Says that the folder is a lake, so that nothing else is ever taken for one and deleted. */
  marker: join(lake, "_lake.json"),
  table: (table: string, run: string) => join(lake, table, `run=${run}`),
  records: join(lake, "_runs"),
  /** The run's record; see RunRecord. */
  record: (run: string) => join(lake, "_runs", `${run}.json`),
  logs: join(lake, "_logs"),
  log: (run: string, step: string) => join(lake, "_logs", run, `${step}.log`),
  clusters: join(lake, "_clusters"),
  /** The local cluster of a run: its specification, its process, its status, and scratch space while it lives. */
  cluster: (run: string) => join(lake, "_clusters", run),
  dashboards: join(lake, "_dashboards"),
  dashboard: (name: string) => join(lake, "_dashboards", name),
  /** What was written in JupyterLab, beside copies of assets/notebooks. */
  notebooks: join(lake, "_notebooks"),
  /** Spark's files of events, for the history server. */
  events: join(lake, "_spark-events"),
  /** What the steps of a run keep for each other, one folder per run, gone when it ends. */
  scratch: join(lake, "_scratch"),
});
