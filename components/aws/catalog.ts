import { quote, UsageError } from "../../core/errors.ts";
import {
  type Column,
  type ColumnType,
  type DateRange,
  type IntegerRange,
  type ListedValues,
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
    const { type } = columnOf(name);
    if ("values" in values ? type === "date" || type === "timestamp" : !fits(values).includes(type)) {
      throw new UsageError(`${where} is of type ${quote(type)}, which its partitionValues are not`);
    }
    return Object.entries(projection(where, values)).map(([key, value]) => [`projection.${name}.${key}`, value]);
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

/** The types of column that a range is for: no type has months, so they are text. */
const fits = ({ from }: IntegerRange | DateRange): readonly ColumnType[] => {
  if (typeof from === "number") return ["integer"];
  return from.length > "2012-01".length ? ["date", "string"] : ["string"];
};

/** Properties below `projection.<column>.` (https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html). */
function projection(where: string, values: PartitionValues): Readonly<Record<string, string>> {
  if ("values" in values) return listed(where, values);
  return typeof values.from === "number" ? integers(where, values as IntegerRange) : dates(where, values as DateRange);
}

function listed(where: string, { values }: ListedValues): Readonly<Record<string, string>> {
  if (values.length === 0) throw new UsageError(`${where}: values is empty: give at least one`);
  const illegal = values.find((value) => value === "" || value.includes(","));
  if (illegal !== undefined) {
    throw new UsageError(`${where}: value ${quote(illegal)} can't be listed: it is empty or has a comma`);
  }
  return { type: "enum", values: values.join(",") };
}

function integers(where: string, { from, to, digits }: IntegerRange): Readonly<Record<string, string>> {
  if (!Number.isInteger(from) || !Number.isInteger(to) || from > to) {
    throw new UsageError(`${where}: from ${quote(from)} to ${quote(to)} is no range of whole numbers`);
  }
  return { type: "integer", range: `${from},${to}`, ...(digits !== undefined && { digits: String(digits) }) };
}

function dates(where: string, { from, to }: DateRange): Readonly<Record<string, string>> {
  const form = [/^\d{4}-\d{2}$/, /^\d{4}-\d{2}-\d{2}$/].findIndex((form) => form.test(from) && form.test(to));
  const real = (date: string) => !Number.isNaN(Date.parse(form === 0 ? `${date}-01` : date));
  if (form < 0 || !real(from) || !real(to) || from > to) {
    throw new UsageError(
      `${where}: from ${quote(from)} to ${quote(to)} is no range of months ("2012-01") or days ("2012-01-31")`,
    );
  }
  return {
    type: "date",
    range: `${from},${to}`,
    format: form === 0 ? "yyyy-MM" : "yyyy-MM-dd",
    interval: "1",
    "interval.unit": form === 0 ? "MONTHS" : "DAYS",
  };
}
