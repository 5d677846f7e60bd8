import { quote, UsageError } from "../../core/errors.ts";
import { checkPartitionValues } from "../../core/partition-values.ts";
import {
  type Column,
  type ColumnType,
  type DateRange,
  type IntegerRange,
  type PartitionValues,
  type Table,
  typeInSql,
} from "../../core/table.ts";

/** What the types of columns are called in Athena's catalog. */
export const GLUE_TYPE: Readonly<Record<ColumnType, string>> = {
  string: "string",
  integer: "bigint",
  double: "double",
  decimal: "decimal",
  boolean: "boolean",
  timestamp: "timestamp",
  date: "date",
};

/** A table of the catalog, as text: what it is told of columns, folders and files. */
export interface CatalogEntry {
  readonly columns: readonly { readonly name: string; readonly type: string; readonly comment?: string }[];
  readonly partitionKeys: readonly { readonly name: string; readonly type: string }[];
  /** `${location}` stands for the folder of the table. */
  readonly parameters: (location: string) => Readonly<Record<string, string>>;
}

/**
 * How Athena sees a table of a job: Parquet files in folders that it works out (partition projection) instead of keeping
 * a list of them, so that a run's rows can be queried as soon as they are written. A query must say which run it wants.
 *
 * @throws UsageError when a partition's values are missing, or are no values.
 */
export function catalogEntry(table: Table): CatalogEntry {
  const partitions = table.partitions ?? [];
  const columnOf = (name: string) => table.columns.find((column) => column.name === name) as Column;
  const projections = partitions.map((name) => {
    const where = `table ${quote(table.name)}, partition ${quote(name)}`;
    const values = table.partitionValues?.[name];
    if (!values) {
      throw new UsageError(
        `${where} has no partitionValues: Athena finds folders by them; give { values: [...] } or { from, to }`,
      );
    }
    checkPartitionValues(where, columnOf(name), values);
    return Object.entries(projection(values)).map(([key, value]) => [`projection.${name}.${key}`, value]);
  });
  return {
    columns: table.columns
      .filter(({ name }) => !partitions.includes(name))
      .map((column) => ({
        name: column.name,
        type: typeInSql(GLUE_TYPE, column),
        ...(column.unit && { comment: column.unit }),
      })),
    partitionKeys: [
      { name: "run", type: "string" },
      ...partitions.map((name) => ({ name, type: typeInSql(GLUE_TYPE, columnOf(name)) })),
    ],
    parameters: (location) => ({
      EXTERNAL: "TRUE",
      classification: "parquet",
      "projection.enabled": "true",
      "projection.run.type": "injected",
      ...Object.fromEntries(projections.flat()),
      "storage.location.template": `${[location, ...["run", ...partitions].map((name) => `${name}=\${${name}}`)].join("/")}/`,
    }),
  };
}

/** Properties below `projection.<column>.` (https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html). */
function projection(values: PartitionValues): Readonly<Record<string, string>> {
  if ("values" in values) return { type: "enum", values: values.values.join(",") };
  const range = `${values.from},${values.to}`;
  if (isIntegers(values)) {
    return { type: "integer", range, ...(values.digits !== undefined && { digits: String(values.digits) }) };
  }
  const isMonths = values.from.length === "2012-01".length;
  return {
    type: "date",
    range,
    format: isMonths ? "yyyy-MM" : "yyyy-MM-dd",
    interval: "1",
    "interval.unit": isMonths ? "MONTHS" : "DAYS",
  };
}

const isIntegers = (range: IntegerRange | DateRange): range is IntegerRange => typeof range.from === "number";
