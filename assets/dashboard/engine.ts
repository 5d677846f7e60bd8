import type { ByteRange, Piece } from "../../clients/lake/piece.ts";
import type { End } from "../../core/ends.ts";
import type { RunRecord } from "../../core/run.ts";
import type { ColumnType } from "../../core/table.ts";

/**
 * A value as JSON carries it: integers and doubles are numbers, timestamps ISO 8601 in UTC, dates `YYYY-MM-DD`. Doubles that
 * JSON has no numbers for are "NaN", "Infinity" and "-Infinity", as JavaScript's `Number` takes them back.
 */
export type Value = number | string | boolean | null;

export interface ResultColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** One per row, in the order of the query. */
  readonly values: readonly Value[];
}

/** Column by column, because most panels have few columns and many rows: names stand once. */
export interface QueryResult {
  readonly columns: readonly ResultColumn[];
  readonly rows: number;
  readonly statistics: QueryStatistics;
}

export interface QueryStatistics {
  /** From the query's start to its last row. */
  readonly milliseconds: number;
  /** What the query is billed by. @default unknown */
  readonly bytesScanned?: number;
  /** What the service said that the query would scan without earlier results. @default it said nothing */
  readonly bytesExpected?: number;
}

/** What stands in a table for one run, without reading a row of it. */
export interface TableVersion {
  /** Changes whenever rows are added, and only then. */
  readonly version: string;
  /** When the newest rows were written, ISO 8601 in UTC. @default there are no rows, or the engine can't tell */
  readonly updated?: string;
}

export type TableVersions = Readonly<Record<string, TableVersion>>;

export interface CallOptions {
  readonly signal?: AbortSignal;
}

/** Reads a lake: which runs there are, what has changed, and the rows of a panel. */
export interface QueryEngine {
  /** How often it is sensible to ask for changes: a folder is free to list, a bucket is billed by request. */
  readonly pollMilliseconds: number;
  /** Runs of the job, newest first: a lake may be shared by several jobs. */
  runs(options?: CallOptions): Promise<readonly RunRecord[]>;
  /** One of them, as it was seen last if it was: for what stays the same in a record while its run goes on. */
  run(run: string): Promise<RunRecord | undefined>;
  /** Every table of the job has an entry, also one that has no rows yet. */
  versions(run: string, options?: CallOptions): Promise<TableVersions>;
  /**
   * Rows of a panel's SQL over one run. A table without files is empty, with the columns that the job declares.
   *
   * @throws QueryError when the query is refused or fails.
   */
  query(sql: string, run: string, options?: CallOptions): Promise<QueryResult>;
  /** Bytes of a step's log, as they lie in the lake; undefined when there is none. */
  log(run: string, step: string, range: ByteRange): Promise<Piece | undefined>;
  /** What ends by itself that people may be at work with. @default nothing */
  ends?(): Promise<readonly End[]>;
  close(): Promise<void>;
}

/** The query is at fault, not the server: `message` is a clause that people can read, `cause` is all that the engine said. */
export class QueryError extends Error {
  override readonly name = "QueryError";
}
