import { UsageError } from "../core/errors.ts";
import type { RunStatus } from "../core/run.ts";
import { aws, google } from "./cloud.ts";

/** What the command line needs of one kind of cluster. A stack says which kind it has in its output `cluster`. */
export interface ClusterCommands {
  /** Address of the lake. */
  readonly lake: string;
  /** How often to ask for the status while it is watched, in milliseconds. */
  readonly pollMs: number;
  /**
   * How a run is doing; undefined while there is no such run.
   * @throws PassingError when it can't be told now and may be later.
   */
  status(run: string): Promise<RunStatus | undefined>;
  /** What a step has printed, from a position on. */
  log(run: string, step: string, from: number): Promise<{ readonly text: string; readonly next: number }>;
  /** What was printed where no step ran, once a run has failed. @default nothing */
  evidence?(run: string): Promise<{ readonly what: string; readonly text: string } | undefined>;
  /** Whether the machines of a run that is over are kept for whoever wants to go on working there. @default no */
  isKept?(status: RunStatus): boolean;
  /** Where else to look at it while it is there: addresses of pages, or the commands that lead to them. @default nowhere */
  pages?(): Promise<readonly { readonly what: string; readonly address: string }[]>;
  /** Paths of the part files of a run's table, below their `run=<run>` folder; fetched to `scratch` if they are far. */
  partFiles(run: string, table: string, scratch: string): Promise<readonly string[]>;
}

export type Outputs = Readonly<Record<string, unknown>>;

const kinds: Readonly<Record<string, (stack: string, outputs: Outputs) => Promise<ClusterCommands>>> = {
  local: async (_stack, outputs) => (await import("./local.ts")).localCommands(String(outputs.lake)),
  emr: async (stack, outputs) => (await aws()).emrCommands(stack, outputs),
  dataproc: async (stack, outputs) => (await google()).dataprocCommands(stack, outputs),
  swarm: async (stack, outputs) => (await import("./docker/swarm.ts")).swarmCommands(stack, outputs),
};

/** @throws UsageError when the stack has no cluster of a known kind. */
export async function clusterOf(stack: string, outputs: Outputs): Promise<ClusterCommands> {
  const kind = kinds[String(outputs.cluster)];
  if (!kind) throw new UsageError(`stack ${stack} has no cluster: its output "cluster" is ${String(outputs.cluster)}`);
  return kind(stack, outputs);
}
