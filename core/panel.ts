/** A Vega-Lite specification (https://vega.github.io/vega-lite/docs/spec.html) without `data`: the page puts in the panel's rows. */
export type VegaLiteSpec = Readonly<Record<string, unknown>>;

/** One chart of the dashboard: a query over the tables of one run, and how its rows are drawn. */
export interface Panel {
  /** The panel's name in addresses: lower-case words joined by dashes, unique in the job. */
  readonly name: string;
  /** Heading above the chart. */
  readonly title: string;
  /** One sentence of what it shows; it stands below the title and is what a screen reader reads for the chart. */
  readonly shows: string;
  /**
   * One SELECT. `{points}` stands for the chosen run's rows of the job's table `points`, `{{` and `}}` for `{` and `}`. It keeps to the subset of SQL
   * that runs unchanged on Athena (Trino), BigQuery and DuckDB; docs/jobs.md states it and a test enforces it.
   */
  readonly sql: string;
  /** How the rows are drawn. */
  readonly chart: VegaLiteSpec;
  /**
   * Lets the viewer choose one value of a column of the result; the chart then draws only the rows that have it.
   * @default every row is drawn
   */
  readonly choice?: Choice;
  /**
   * What a run that goes on sends to the page as it happens, added to the rows of the sql, which has the same columns.
   * @default the panel shows what is in the lake
   */
  readonly live?: Live;
}

/** Rows that a step sends. The page shows them beside those that are in the lake, from which it heals when it missed some. */
export interface Live {
  /** What the step calls them. Panels may share a feed. */
  readonly feed: string;
  /** Columns that tell rows apart: a row takes the place of one that is equal in them. */
  readonly key: readonly string[];
  /** Column of the feed that says when it happened, an ISO 8601 time in UTC: the page says how long after that it is drawn. */
  readonly time: string;
  /** Values of columns of the feed in rows that are the panel's. @default all are */
  readonly where?: Readonly<Record<string, string | number>>;
  /** So many are shown at most, the last of sql and feed. */
  readonly rows: number;
}

export interface Choice {
  /** Column of the panel's result. */
  readonly column: string;
  /** What the viewer chooses, as the label of the control. */
  readonly label: string;
  /** Boolean column of the result that is true in the rows to show at first. @default the first value */
  readonly preferred?: string;
}
