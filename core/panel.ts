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
}

export interface Choice {
  /** Column of the panel's result. */
  readonly column: string;
  /** What the viewer chooses, as the label of the control. */
  readonly label: string;
  /** Boolean column of the result that is true in the rows to show at first. @default the first value */
  readonly preferred?: string;
}
