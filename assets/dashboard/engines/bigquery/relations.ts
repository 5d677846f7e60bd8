import { BIGQUERY_TYPE, RUN_COLUMN } from "../../../../core/bigquery-table.ts";
import { fill, placeholders } from "../../../../core/placeholders.ts";
import { type Column, type ColumnType, type Table, typeInSql } from "../../../../core/table.ts";

/** A panel's SQL as BigQuery takes it. */
export interface Filled {
  readonly text: string;
  /** How many tables or sets of files it reads: each is billed at least something. */
  readonly tables: number;
  /** It reads the dataset's tables, and no files. */
  readonly isDataset: boolean;
  /** What the names in the text stand for that are no tables of the dataset. */
  readonly definitions: Readonly<Record<string, ExternalTable>>;
}

/** Parquet files as a table, for one query (https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#externaldataconfiguration). */
export interface ExternalTable {
  readonly sourceFormat: "PARQUET";
  readonly sourceUris: readonly string[];
  readonly hivePartitioningOptions: { readonly mode: "CUSTOM"; readonly sourceUriPrefix: string };
}

/** What the types of columns are called in SQL. */
const SQL_TYPE: Readonly<Record<ColumnType, string>> = {
  string: "STRING",
  integer: "INT64",
  double: "FLOAT64",
  decimal: "NUMERIC",
  boolean: "BOOL",
  timestamp: "TIMESTAMP",
  date: "DATE",
};

/** Types that BigQuery reads out of the names of folders; others are cast from text. */
const FOLDER_TYPES: readonly ColumnType[] = ["string", "integer", "timestamp", "date"];

/** What Spark calls the folder of rows whose partition column is null. */
const NO_VALUE = "'__HIVE_DEFAULT_PARTITION__'";

type Tables = ReadonlyMap<string, Table>;

/** Over a run that was loaded into the dataset. The same text every time: BigQuery knows a query again by its text. */
export const overDataset = (sql: string, tables: Tables, run: string, dataset: string): Filled => ({
  text: fill(sql, (name) => {
    const columns = tableOf(tables, name).columns.map((column) => `\`${column.name}\``);
    return `(SELECT ${columns.join(", ")} FROM \`${dataset}.${name}\` WHERE ${RUN_COLUMN} = '${run}')`;
  }),
  tables: new Set(placeholders(sql)).size,
  isDataset: true,
  definitions: {},
});

/**
 * Over the files that a run has in the lake by now.
 *
 * @param isEmpty names tables that have none: BigQuery refuses to read where nothing is.
 */
export function overFiles(
  sql: string,
  tables: Tables,
  run: string,
  lake: string,
  isEmpty: ReadonlySet<string>,
): Filled {
  const read = [...new Set(placeholders(sql))].filter((name) => !isEmpty.has(name));
  return {
    text: fill(sql, (name) => {
      const table = tableOf(tables, name);
      if (isEmpty.has(name)) return `(SELECT ${cast(table, () => "NULL")} LIMIT 0)`;
      const column = ({ name: column, type }: Column) =>
        table.partitions?.includes(column) && folderType(type) === "string"
          ? `NULLIF(\`${column}\`, ${NO_VALUE})`
          : `\`${column}\``;
      return `(SELECT ${cast(table, column)} FROM \`${alias(name)}\`)`;
    }),
    tables: read.length,
    isDataset: false,
    definitions: Object.fromEntries(read.map((name) => [alias(name), external(tableOf(tables, name), run, lake)])),
  };
}

/** Not the table's own name, which a panel may give to a part of its WITH. */
const alias = (table: string) => `files_of_${table}`;

function external({ name, columns, partitions = [] }: Table, run: string, lake: string): ExternalTable {
  const folders = [{ name: RUN_COLUMN, type: "string" } as const, ...partitions.map((partition) => typeIn(partition))];
  const levels = folders.map((folder) => `{${folder.name}:${BIGQUERY_TYPE[folderType(folder.type)]}}`);
  return {
    sourceFormat: "PARQUET",
    // A star stands for folders too.
    sourceUris: [`${lake}/${name}/${RUN_COLUMN}=${run}/*.parquet`],
    hivePartitioningOptions: { mode: "CUSTOM", sourceUriPrefix: [`${lake}/${name}`, ...levels].join("/") },
  };

  function typeIn(partition: string): Column {
    return columns.find((column) => column.name === partition) as Column;
  }
}

const folderType = (type: ColumnType): ColumnType => (FOLDER_TYPES.includes(type) ? type : "string");

/** The declared names and types, whatever the files have. */
const cast = ({ columns }: Table, value: (column: Column) => string) =>
  columns.map((column) => `CAST(${value(column)} AS ${typeInSql(SQL_TYPE, column)}) AS \`${column.name}\``).join(", ");

const tableOf = (tables: Tables, name: string) => tables.get(name) as Table;
