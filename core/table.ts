import { quote, UsageError } from "./errors.ts";

/** Types a column may have; each exists alike in Parquet, Athena, BigQuery and DuckDB. */
export const ColumnType = {
  /** UTF-8 text. */
  string: "string",
  /** 64-bit signed integer. */
  integer: "integer",
  /** 64-bit floating point number. */
  double: "double",
  /** Exact decimal number, with so many digits as the column's `precision` and `scale` say. */
  decimal: "decimal",
  boolean: "boolean",
  /** Instant in UTC, in microseconds. */
  timestamp: "timestamp",
  /** Calendar day. */
  date: "date",
} as const;
export type ColumnType = (typeof ColumnType)[keyof typeof ColumnType];

export interface Column {
  /** Lower-case letters, digits and underscores, a letter first: what every query engine takes unquoted. */
  readonly name: string;
  /** What the values are; see {@link ColumnType}. */
  readonly type: ColumnType;
  /**
   * Of a `decimal`, which needs it: how many digits it has in all, 1 to 38, and at most {@link MOST_WHOLE_DIGITS} of them
   * before the point.
   */
  readonly precision?: number;
  /** Of a `decimal`, which needs it: how many of them stand behind the point, 0 to {@link MOST_SCALE}. */
  readonly scale?: number;
  /** Unit of the values, such as "s" or "kWh". @default none */
  readonly unit?: string;
  /**
   * The values are measured anew by each run (a duration, say), so they are left out of the table's digest.
   * @default false
   */
  readonly measured?: boolean;
}

/**
 * What a job leaves in the lake: Parquet files under `<lake>/<name>/run=<runId>/`, or below that in one folder per value
 * of each partition column. Files are written once and never changed.
 */
export interface Table {
  /** Lower-case letters, digits and underscores, a letter first. Unique in the job; `run` and `lake` are taken. */
  readonly name: string;
  /** One sentence of what a row is. */
  readonly about: string;
  readonly columns: readonly Column[];
  /** Names of columns that are folders below `run=<runId>` (`month=2012-01`), in order. @default none */
  readonly partitions?: readonly string[];
  /**
   * Which values a partition column can have. Athena finds the folders by it; other engines look for themselves.
   * @default none: needed for each of `partitions` where the lake is on S3
   */
  readonly partitionValues?: Readonly<Record<string, PartitionValues>>;
  /**
   * The run may leave it without rows, or without any file. Otherwise a run whose step leaves no rows of it fails.
   * @default false
   */
  readonly mayBeEmpty?: boolean;
}

/** Values of a partition column: those listed, or every one of a range, both ends included. */
export type PartitionValues = ListedValues | IntegerRange | DateRange;

export interface ListedValues {
  readonly values: readonly string[];
}

export interface IntegerRange {
  readonly from: number;
  readonly to: number;
  /** Folders are padded with zeros to so many digits. @default no padding */
  readonly digits?: number;
}

export interface DateRange {
  /** As they stand in the folders' names: "2012-01" or "2012-01-31". */
  readonly from: string;
  readonly to: string;
}

/** What BigQuery's NUMERIC holds (https://cloud.google.com/bigquery/docs/reference/standard-sql/data-types#decimal_types); the others hold more. */
export const MOST_SCALE = 9;
export const MOST_WHOLE_DIGITS = 29;

/**
 * A column's type as a query engine writes it: its word for the type, with the digits of a decimal.
 *
 * @param words what the engine calls the types.
 */
export const typeInSql = (words: Readonly<Record<ColumnType, string>>, { type, precision, scale }: Column): string =>
  type === ColumnType.decimal ? `${words[type]}(${precision},${scale})` : words[type];

/** @throws UsageError when a decimal's digits are missing or too many, or another type has some. */
export function checkDigits(where: string, { name, type, precision, scale }: Column): void {
  const here = `${where}: column ${quote(name)}`;
  if (type !== ColumnType.decimal) {
    if (precision === undefined && scale === undefined) return;
    throw new UsageError(`${here} is of type ${quote(type)}, which has no precision and scale: leave them out`);
  }
  if (precision === undefined || scale === undefined) {
    throw new UsageError(`${here} is a decimal: give its precision and scale, such as { precision: 18, scale: 2 }`);
  }
  const isCount = (digits: number, least: number) => Number.isInteger(digits) && digits >= least;
  if (!isCount(precision, 1) || !isCount(scale, 0) || scale > precision) {
    throw new UsageError(
      `${here} has precision ${precision} and scale ${scale}: give digits in all, and those of them behind the point`,
    );
  }
  if (scale > MOST_SCALE || precision - scale > MOST_WHOLE_DIGITS) {
    throw new UsageError(
      `${here} has precision ${precision} and scale ${scale}: BigQuery holds ${MOST_WHOLE_DIGITS} digits before the point and ${MOST_SCALE} behind it exactly; declare fewer, or a double`,
    );
  }
}
