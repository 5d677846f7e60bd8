/** Brings the tables of a run that has succeeded into BigQuery, each by a load job, which costs nothing. */
import { createHash } from "node:crypto";
import { BIGQUERY_TYPE, RUN_COLUMN } from "../../core/bigquery-table.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { type Context, patiently, RunError, until, type Waiting } from "./context.ts";
import { withCure } from "./errors.ts";
import type { LaunchTable } from "./launch.ts";
import { log } from "./log.ts";
import { slug } from "./steps.ts";

/** What a run is loaded with. */
export type Loading = Waiting & Pick<Context, "api" | "lake" | "launch" | "started"> & Partial<Pick<Context, "status">>;

/** `_loads/<run>.json`: all tables of a run are in BigQuery. */
export interface Loads {
  readonly run: string;
  readonly tables: Readonly<Record<string, Loaded>>;
  /** ISO 8601 in UTC. */
  readonly loaded: string;
}

export interface Loaded {
  /** Id of the load job. @default the table has no files */
  readonly job?: string;
  readonly rows: number;
}

/** https://cloud.google.com/bigquery/docs/reference/rest/v2/Job */
interface Job {
  readonly status: { readonly state: string; readonly errorResult?: { readonly message?: string } };
  readonly statistics?: { readonly load?: { readonly outputRows?: string } };
}

/** The id of a job is used up when it failed. */
const ATTEMPTS = 3;

/** What Spark calls the folder of rows whose partition column is null. */
const NO_VALUE = "__HIVE_DEFAULT_PARTITION__";

/**
 * Loads what is not loaded yet. A run is loaded once: the ids of its jobs follow from it, whatever its launch says
 * meanwhile. @throws Error when that fails.
 */
export async function load(loading: Loading): Promise<void> {
  const { launch, lake, status } = loading;
  const key = `${Prefix.loads}/${launch.run}.json`;
  if (launch.tables.length === 0 || (await patiently(loading, () => lake.read(key)))) return;
  status?.machines({ state: "LOADING", reason: "loading the tables into BigQuery" });
  const found = await Promise.all(
    launch.tables.map(async (table) => ({ table, hasFiles: await hasFiles(loading, table) })),
  );
  const loaded = found.map(async ({ table, hasFiles }) => [
    table.name,
    hasFiles ? await loadTable(loading, table) : { rows: 0 },
  ]);
  const tables: Loads["tables"] = Object.fromEntries(await Promise.all(loaded));
  const loads: Loads = { run: launch.run, tables, loaded: new Date().toISOString() };
  await patiently(loading, () => lake.replace(key, loads, undefined));
  const rows = Object.values(tables).reduce((sum, table) => sum + table.rows, 0);
  log("INFO", `${rows} rows of ${launch.tables.length} tables are in BigQuery`);
}

/** @throws RunError when BigQuery would read from them what is not in them. */
async function hasFiles(loading: Loading, { name, partitions }: LaunchTable): Promise<boolean> {
  const { bucket, run } = loading.launch;
  const keys = await patiently(loading, () => loading.lake.keys(`${name}/${RUN_COLUMN}=${run}/`, ".parquet"));
  const folders = partitions.map((partition) => `${partition.name}=${NO_VALUE}`);
  const nameless = keys.find((key) => key.split("/").some((folder) => folders.includes(folder)));
  if (nameless === undefined) return keys.length > 0;
  throw new RunError(
    `table ${name} has rows without a value of a partition column, which BigQuery would load as the text "${NO_VALUE}" (gs://${bucket}/${nameless}): the run's files are queried instead; give each row a value to have them loaded`,
  );
}

async function loadTable(context: Loading, table: LaunchTable): Promise<Loaded> {
  const { launch } = context;
  let why = "";
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    // The table and the run are there for people to read.
    const name = `oneoff_${slug(launch.run, 40)}_${table.name}`.slice(0, 200);
    const job = `${name}_${idOf(context, table)}_${attempt}`;
    const { status, statistics } = await loadOnce(context, table, job);
    if (!status.errorResult) return { job, rows: Number(statistics?.load?.outputRows ?? 0) };
    why = status.errorResult.message ?? "BigQuery does not say why";
    log("WARNING", `table ${table.name} could not be loaded, attempt ${attempt} of ${ATTEMPTS}: ${why}`);
  }
  throw new Error(`table ${table.name} could not be loaded: ${withCure(why, launch.project)}`);
}

/** Another one for each dataset and for each beginning of the run, which may have been in a lake that was taken away. */
function idOf({ launch, started }: Loading, table: LaunchTable): string {
  const { bucket, dataset, run } = launch;
  const text = JSON.stringify([bucket, dataset, run, started, table.name]);
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

/** The job when it has ended. It is begun if it was not before. */
async function loadOnce(context: Loading, table: LaunchTable, jobId: string): Promise<Job> {
  const { api, launch, ending } = context;
  const jobs = `bigquery/v2/projects/${launch.project}/jobs`;
  const look = () =>
    api.orUndefined<Job>("bigquery", `${jobs}/${jobId}`, { query: { location: launch.region }, signal: ending });
  if (!(await patiently(context, look))) {
    await patiently(context, async () => {
      const body = requestOf(context, table, jobId);
      try {
        await api.request("bigquery", jobs, { method: "POST", body, signal: ending });
      } catch (error) {
        // It was begun before, and the answer was lost.
        if ((error as { code?: number }).code !== 409) throw error;
      }
    });
  }
  return until(context, async () => {
    const job = await look();
    return job?.status.state === "DONE" ? job : undefined;
  });
}

/** https://cloud.google.com/bigquery/docs/hive-partitioned-loads-gcs */
function requestOf({ launch }: Loading, { name, partitions }: LaunchTable, jobId: string) {
  const { project, region, bucket, run, dataset, labels } = launch;
  const keys = partitions.map((key) => `{${key.name}:${BIGQUERY_TYPE[key.type]}}`);
  return {
    jobReference: { projectId: project, jobId, location: region },
    configuration: {
      labels,
      load: {
        // The star stands for folders too.
        sourceUris: [`gs://${bucket}/${name}/run=${run}/*.parquet`],
        sourceFormat: "PARQUET",
        hivePartitioningOptions: {
          mode: "CUSTOM",
          sourceUriPrefix: [`gs://${bucket}/${name}/{${RUN_COLUMN}:STRING}`, ...keys].join("/"),
        },
        destinationTable: { projectId: project, datasetId: dataset, tableId: name },
        // A table may have expired since the stack was made.
        createDisposition: "CREATE_IF_NEEDED",
        writeDisposition: "WRITE_APPEND",
      },
    },
  };
}
