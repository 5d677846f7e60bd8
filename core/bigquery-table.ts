import { mebibytesFrom } from "./checks.ts";
import { arg, invalid, quote, refusal, UsageError } from "./errors.ts";
import type { Job } from "./job.ts";
import type { Size } from "./size.ts";
import type { Column, ColumnType, Table } from "./table.ts";

/** What the types of columns are called in BigQuery's schemas. */
export const BIGQUERY_TYPE: Readonly<Record<ColumnType, string>> = {
  string: "STRING",
  integer: "INTEGER",
  double: "FLOAT",
  decimal: "NUMERIC",
  boolean: "BOOLEAN",
  timestamp: "TIMESTAMP",
  date: "DATE",
};

/** The column that says which run a row is of: the folder's name in the lake. */
export const RUN_COLUMN = "run";

/** BigQuery clusters by no more (https://cloud.google.com/bigquery/docs/clustered-tables#limitations). */
const MOST_CLUSTERINGS = 4;
/** What can't be the type of a partition (https://cloud.google.com/bigquery/docs/hive-partitioned-queries#custom). */
const NO_FOLDERS: readonly ColumnType[] = ["double", "boolean"];
const MOST_COLUMNS = 10_000;
const LONGEST_NAME = 300;

/** A table of BigQuery, as text. */
export interface BigQueryTable {
  /** JSON, as BigQuery takes it. */
  readonly schema: string;
  /** A query over one run reads that run's rows only. */
  readonly clusterings: readonly string[];
}

/**
 * How BigQuery holds a table of a job: rows of all runs, told apart by column `run`.
 *
 * @throws UsageError for what BigQuery refuses (https://cloud.google.com/bigquery/docs/schemas#column_names).
 */
export function bigQueryTable(table: Table): BigQueryTable {
  const where = `table ${quote(table.name)}`;
  checkColumns(where, table.columns);
  const field = ({ name, type, precision, scale, unit }: Column) => ({
    name,
    type: BIGQUERY_TYPE[type],
    ...(type === "decimal" && { precision: String(precision), scale: String(scale) }),
    mode: "NULLABLE",
    ...(unit && { description: unit }),
  });
  const partitions = table.partitions ?? [];
  const folder = table.columns.find(({ name, type }) => partitions.includes(name) && NO_FOLDERS.includes(type));
  if (folder) {
    throw new UsageError(
      `${where}, partition ${quote(folder.name)} is of type ${quote(folder.type)}: BigQuery reads text, integers, dates and timestamps from the names of folders`,
    );
  }
  const run = { name: RUN_COLUMN, type: "STRING", mode: "NULLABLE", description: "Id of the run" };
  return {
    schema: JSON.stringify([run, ...table.columns.map(field)]),
    clusterings: [RUN_COLUMN, ...partitions].slice(0, MOST_CLUSTERINGS),
  };
}

function checkColumns(where: string, columns: readonly Column[]): void {
  if (columns.length + 1 > MOST_COLUMNS) {
    throw new UsageError(
      `${where} has ${columns.length} columns: BigQuery takes ${MOST_COLUMNS - 1} beside ${RUN_COLUMN}`,
    );
  }
  for (const { name } of columns) {
    if (name.length > LONGEST_NAME) {
      throw new UsageError(
        `${where} has a column ${quote(`${name.slice(0, 20)}...`)} of ${name.length} characters: BigQuery takes ${LONGEST_NAME}; give it a shorter name`,
      );
    }
  }
}

/** @throws UsageError for an id that BigQuery refuses. */
export function checkDatasetId(id: string): string {
  if (/^[A-Za-z0-9_]{1,1024}$/.test(id)) return id;
  throw invalid("dataset", id, 'expected letters, digits and underscores (no dashes), such as "power_2026"');
}

/** @throws UsageError for a name that is no table's of BigQuery, or that a table of the job has. */
export function checkTableId(setting: string, id: string, job: Job): string {
  if (!/^[A-Za-z][A-Za-z0-9_]{0,1023}$/.test(id)) {
    throw invalid(setting, id, "expected letters, digits and underscores, a letter first");
  }
  if (job.tables.some((table) => table.name === id)) {
    throw refusal`${arg(setting)} is ${quote(id)}, which is a table of job ${quote(job.name)}: choose another name`;
  }
  return id;
}

/** Mebibytes that a query may read. @throws UsageError when they are fewer than any query is billed for. */
export const scanMebibytes = (argument: string, size: Size): number =>
  mebibytesFrom(10, argument, size, 'BigQuery bills every query for "10 MB" at least');
