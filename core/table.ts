/** Types a column may have; each exists alike in Parquet, Athena, BigQuery and DuckDB. */
export const ColumnType = {
  /** UTF-8 text. */
  string: "string",
  /** 64-bit signed integer. */
  integer: "integer",
  /** 64-bit floating point number. */
  double: "double",
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

/** Columns that a table's digest covers: all but those that each run measures anew. */
export const digestColumns = ({ columns }: Pick<Table, "columns">): readonly string[] =>
  columns.filter(({ measured }) => !measured).map(({ name }) => name);
