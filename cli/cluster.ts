import { UsageError } from "../components/core/errors.ts";
import type { RunStatus } from "../components/job/run.ts";

/** What the command line needs of one kind of cluster. A stack says which kind it has in its output `cluster`. */
export interface ClusterCommands {
  /** How a run is doing; undefined while there is no such run. */
  status(run: string): Promise<RunStatus | undefined>;
  /** What a step has printed, from a position on. */
  log(run: string, step: string, from: number): Promise<{ readonly text: string; readonly next: number }>;
  /** Writes a run's table to a file, or to standard output when `out` is undefined. */
  get(run: string, table: string, format: TableFormat, out: string | undefined): Promise<void>;
}

export const TableFormat = { csv: "csv", parquet: "parquet" } as const;
export type TableFormat = (typeof TableFormat)[keyof typeof TableFormat];

type Outputs = Readonly<Record<string, unknown>>;

const kinds: Readonly<Record<string, (outputs: Outputs) => Promise<ClusterCommands>>> = {
  local: async (outputs) => (await import("./local.ts")).localCommands(String(outputs.lake)),
};

/** @throws UsageError when the stack has no cluster of a known kind. */
export async function clusterOf(stack: string, outputs: Outputs): Promise<ClusterCommands> {
  const kind = kinds[String(outputs.cluster)];
  if (!kind) throw new UsageError(`stack ${stack} has no cluster: its output "cluster" is ${String(outputs.cluster)}`);
  return kind(outputs);
}
