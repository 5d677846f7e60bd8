import { quote, UsageError } from "../core/errors.ts";

/** What a table can be written as. */
export const TableFormat = { csv: "csv", parquet: "parquet" } as const;
export type TableFormat = (typeof TableFormat)[keyof typeof TableFormat];

/** Pages of a cluster on EMR, by the names that `--ui` takes. */
export const EmrPage = { spark: "spark", yarn: "yarn", jupyter: "jupyter" } as const;
export type EmrPage = (typeof EmrPage)[keyof typeof EmrPage];

/** Pages of a cluster on Docker Swarm; each is called as the stack's output that has its address. */
export const SwarmPage = {
  spark: "spark",
  history: "history",
  hdfs: "hdfs",
  notebook: "notebook",
  mongo: "mongo",
} as const;
export type SwarmPage = (typeof SwarmPage)[keyof typeof SwarmPage];

/** Pages of a cluster on Dataproc, by the names that `--ui` takes. */
export const DataprocPage = { spark: "spark", yarn: "yarn", hdfs: "hdfs", jupyter: "jupyter" } as const;
export type DataprocPage = (typeof DataprocPage)[keyof typeof DataprocPage];

/** Pages that a cluster has itself: which of them depends on its kind. */
export const ClusterPage = { ...EmrPage, ...SwarmPage, ...DataprocPage } as const;
export type ClusterPage = (typeof ClusterPage)[keyof typeof ClusterPage];

/** @throws UsageError when clusters of this kind have no such page. */
export function pageOf<P extends ClusterPage>(pages: Readonly<Record<P, P>>, ui: ClusterPage, stack: string): P {
  const names = Object.keys(pages) as P[];
  const page = names.find((name) => name === ui);
  if (page !== undefined) return page;
  const there = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  throw new UsageError(`--ui is ${quote(ui)}, and stack ${stack} has no such page: it has ${there}`);
}

export interface OpenOptions {
  /** A page of the cluster. @default the dashboard */
  readonly ui?: ClusterPage;
  /** Port on this machine. @default the page's own, or the next that is free */
  readonly port?: number;
}
