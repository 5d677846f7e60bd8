import { type ColumnType, type Table, typeInSql } from "../../../../core/table.ts";

/** What the types of columns are called in DuckDB. */
export const SQL_TYPE: Readonly<Record<ColumnType, string>> = {
  string: "VARCHAR",
  integer: "BIGINT",
  double: "DOUBLE",
  decimal: "DECIMAL",
  boolean: "BOOLEAN",
  timestamp: "TIMESTAMP",
  date: "DATE",
};

/** Rows of one run of a table, with the declared names and types whatever the files have. */
export function relation(table: Table, files: readonly string[]): string {
  const cast = (value: (name: string) => string) =>
    table.columns
      .map((column) => `CAST(${value(`"${column.name}"`)} AS ${typeInSql(SQL_TYPE, column)}) AS "${column.name}"`)
      .join(", ");
  if (files.length === 0) return `(SELECT ${cast(() => "NULL")} WHERE false)`;
  const partitions = new Set(table.partitions?.map((name) => `"${name}"`));
  // What Spark calls the folder of rows whose partition column is null.
  const column = (name: string) => (partitions.has(name) ? `nullif(${name}, '__HIVE_DEFAULT_PARTITION__')` : name);
  const from = `read_parquet([${files.map(literal).join(", ")}], hive_partitioning = true, hive_types_autocast = false)`;
  return `(SELECT ${cast(column)} FROM ${from})`;
}

/** Text as it stands in SQL. */
export const literal = (text: string) => `'${text.replaceAll("'", "''")}'`;
