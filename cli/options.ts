/** What a table can be written as. */
export const TableFormat = { csv: "csv", parquet: "parquet" } as const;
export type TableFormat = (typeof TableFormat)[keyof typeof TableFormat];

/** Pages that a cluster has itself, by the names that `--ui` takes. */
export const ClusterPage = { spark: "spark", yarn: "yarn", jupyter: "jupyter" } as const;
export type ClusterPage = (typeof ClusterPage)[keyof typeof ClusterPage];

export interface OpenOptions {
  /** A page of the cluster. @default the dashboard */
  readonly ui?: ClusterPage;
  /** Port on this machine. @default the page's own, or the next that is free */
  readonly port?: number;
}
