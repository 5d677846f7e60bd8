import { join } from "node:path";
import { quote, UsageError } from "./errors.ts";

/** Folder among the logs of runs that has those of clusters, as the service that rents them keeps them: EMR does. */
export const CLUSTER_LOGS = "emr";

/**
 * What lies in a lake beside its tables. Names that begin with "_" are no table's, and query engines leave them out.
 */
export const Prefix = {
  /** `_runs/<run>.json`: what became of a run. Written by assets/steps/run_record.py, but for what `oneoff runs rm` leaves (docs/adr/0015). */
  runs: "_runs",
  /** `_cancels/<run>.json`: that the run is to be cancelled. Made once by `oneoff cancel`, and never changed; see CancelRequest. */
  cancels: "_cancels",
  /** `_launches/<run>.json`: the cluster that was rented for a run. Written by assets/emr-launcher or assets/dataproc-orchestrator. */
  launches: "_launches",
  /** `_clusters/<run>/`: `origin.json`, what made a run; `status.json`, how it is doing, where its cluster is not asked for that. */
  clusters: "_clusters",
  /** `_loads/<run>.json`: the tables of a run that are in BigQuery. Written by assets/dataproc-orchestrator alone. */
  loads: "_loads",
  /** `_code/<digest>/`: scripts, archives and what the nodes run. */
  code: "_code",
  /** `_wheels/<digest>/`: a requirements.txt and, once a cluster was launched, its wheels. */
  wheels: "_wheels",
  /**
   * `_software/<sha256>/<file name>`: what machines without a way to the internet install; `_software/manifests/<sha256>.json`: which
   * of it. Written by assets/fleet-stager, but for files of our own.
   */
  software: "_software",
  /** `_logs/<run>/<step>.log` while a step runs and after, and below `_logs/emr/` what the service keeps. */
  logs: "_logs",
  /** `_scratch/<run>/`: what the steps of a run keep for each other, gone when it ends. */
  scratch: "_scratch",
  /** Results of queries. */
  results: "_results",
  /** `_certificates/<digest>.zip`: what a cluster encrypts its own traffic with. */
  certificates: "_certificates",
  /** `_fleets/<fleet>/`: what a fleet, its owner and the reaper tell each other; see fleet-lake.ts. */
  fleets: "_fleets",
  /** What users of a fleet keep there, beside the results that they may read. */
  shared: "_shared",
  /** `_dashboard/<name>/<digest>/`: releases of a dashboard, and in `_dashboard/<name>/current` the digest to run. */
  dashboard: "_dashboard",
} as const;

/** Where a run's machines find that it is to be cancelled. */
export const cancelKey = (run: string): string => `${Prefix.cancels}/${run}.json`;

/** Where a run's machines find what made it, which they record with it. */
export const originKey = (run: string): string => `${Prefix.clusters}/${run}/origin.json`;

/** Where a file lies that machines without a way to the internet install. @param digest its SHA-256, hexadecimal. */
export const softwareKey = (digest: string, file: string): string => `${Prefix.software}/${digest}/${file}`;

/** Where the list of what such machines install lies. @param digest its SHA-256, hexadecimal. */
export const manifestKey = (digest: string): string => `${Prefix.software}/manifests/${digest}.json`;

/**
 * Where a step's log lies while it runs and after.
 * @throws UsageError for a name that would lead elsewhere.
 */
export const logKey = (run: string, step: string): string =>
  `${Prefix.logs}/${checkName(run, "run")}/${checkName(step, "step")}.log`;

/** Why a name can't be that of a file or folder in a lake; undefined when it can. */
export const nameProblem = (name: unknown): string | undefined =>
  typeof name === "string" && /^(?!\.{1,2}$)[^/\\\0]{1,200}$/.test(name)
    ? undefined
    : 'expected a name that a folder can have: without "/" and "\\", and neither "." nor ".."';

/** @throws UsageError for a name that would lead out of its folder. */
export function checkName(name: string, what = "name"): string {
  const problem = nameProblem(name);
  if (problem) throw new UsageError(`${what} is ${quote(name)}: ${problem}`);
  return name;
}

/**
 * Where things lie in the folder of a local lake, beside the tables. Whatever begins with "_" is no table. Each throws a
 * UsageError for a name that would lead elsewhere.
 */
export const lakeLayout = (lake: string) => ({
  /** Says that the folder is a lake, so that nothing else is ever taken for one and deleted. */
  marker: join(lake, "_lake.json"),
  table: (table: string, run: string) => join(lake, checkName(table), `run=${checkName(run)}`),
  records: join(lake, Prefix.runs),
  /** The run's record; see RunRecord. */
  record: (run: string) => join(lake, Prefix.runs, `${checkName(run)}.json`),
  cancels: join(lake, Prefix.cancels),
  /** That the run is to be cancelled; see CancelRequest. */
  cancel: (run: string) => join(lake, Prefix.cancels, `${checkName(run)}.json`),
  logs: join(lake, Prefix.logs),
  log: (run: string, step: string) => join(lake, Prefix.logs, checkName(run), `${checkName(step)}.log`),
  clusters: join(lake, Prefix.clusters),
  /** The local cluster of a run: its specification, its process, its status, and scratch space while it lives. */
  cluster: (run: string) => join(lake, Prefix.clusters, checkName(run)),
  services: join(lake, "_services"),
  /** A service that is a process: what it was started with, its files and disks, and its log. */
  service: (name: string) => join(lake, "_services", checkName(name)),
  dashboards: join(lake, "_dashboards"),
  dashboard: (name: string) => join(lake, "_dashboards", checkName(name)),
  /** What was written in JupyterLab, beside copies of assets/notebooks. */
  notebooks: join(lake, "_notebooks"),
  /** Spark's files of events, for the history server. */
  events: join(lake, "_spark-events"),
  /** What the steps of a run keep for each other, one folder per run, gone when it ends. */
  scratch: join(lake, Prefix.scratch),
});
