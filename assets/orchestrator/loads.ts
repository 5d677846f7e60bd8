/** Brings the tables of a run that has succeeded into BigQuery, each by a load job, which costs nothing. */
import { BIGQUERY_TYPE, RUN_COLUMN } from "../../components/lake/bigquery-tables.ts";
import { Prefix } from "../../components/lake/prefixes.ts";
import { type Context, patiently, until } from "./context.ts";
import { withCure } from "./errors.ts";
import type { LaunchTable } from "./launch.ts";
import { log } from "./log.ts";
import { idOf, slug } from "./steps.ts";

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

/** Loads what is not loaded yet. A run is loaded once: the ids of its jobs follow from it. @throws Error when that fails. */
export async function load(context: Context): Promise<void> {
  const { launch, lake, status } = context;
  const key = `${Prefix.loads}/${launch.run}.json`;
  if (launch.tables.length === 0 || (await lake.read(key))) return;
  status.machines({ state: "LOADING", reason: "loading the tables into BigQuery" });
  const tables = Object.fromEntries(
    await Promise.all(launch.tables.map(async (table) => [table.name, await loadTable(context, table)] as const)),
  );
  const loads: Loads = { run: launch.run, tables, loaded: new Date().toISOString() };
  await lake.replace(key, loads, undefined);
  const rows = Object.values(tables).reduce((sum, table) => sum + table.rows, 0);
  log("INFO", `${rows} rows of ${launch.tables.length} tables are in BigQuery`);
}

async function loadTable(context: Context, table: LaunchTable): Promise<Loaded> {
  const { launch, lake } = context;
  const folder = `${table.name}/run=${launch.run}/`;
  if (!(await patiently(context, () => lake.has(folder, ".parquet")))) return { rows: 0 };
  let why = "";
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    // The table and the run are there for people to read.
    const name = `oneoff_${slug(launch.run, 40)}_${table.name}`.slice(0, 200);
    const job = `${name}_${idOf(context, `load/${table.name}`, 16)}_${attempt}`;
    const { status, statistics } = await loadOnce(context, table, job);
    if (!status.errorResult) return { job, rows: Number(statistics?.load?.outputRows ?? 0) };
    why = status.errorResult.message ?? "BigQuery does not say why";
    log("WARNING", `table ${table.name} could not be loaded, attempt ${attempt} of ${ATTEMPTS}: ${why}`);
  }
  throw new Error(`table ${table.name} could not be loaded: ${withCure(why, launch.project)}`);
}

/** The job when it has ended. It is begun if it was not before. */
async function loadOnce(context: Context, table: LaunchTable, jobId: string): Promise<Job> {
  const { api, launch, ending } = context;
  const jobs = `bigquery/v2/projects/${launch.project}/jobs`;
  const look = () =>
    api.ifThere<Job>("bigquery", `${jobs}/${jobId}`, { query: { location: launch.region }, signal: ending });
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
function requestOf({ launch }: Context, { name, partitions }: LaunchTable, jobId: string) {
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
        createDisposition: "CREATE_NEVER",
        writeDisposition: "WRITE_APPEND",
      },
    },
  };
}
