/** What the commands ask of a platform: interfaces alone, so that whoever answers need not know the commands. */
import type { RunStatus } from "../core/run.ts";

/** Outputs of a stack. */
export type Outputs = Readonly<Record<string, unknown>>;

/** What the command line needs of one kind of cluster. A stack says which kind it has in its output `cluster`. */
export interface ClusterCommands {
  /** Address of the lake. */
  readonly lake: string;
  /** How often to ask for the status while it is watched, in milliseconds. */
  readonly pollMs: number;
  /**
   * How a run is doing; undefined while there is no such run.
   * @throws TransientError when it can't be told now and may be later.
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

/** Something of a stack that is still there. */
export interface Leftover {
  /** Such as "EC2 instance". */
  readonly kind: string;
  readonly id: string;
  readonly since?: Date;
  /** Bucket of the lake that it names. @default it names none */
  readonly lake?: string;
  /** It stays on purpose, and is no leftover. @default false */
  readonly kept?: boolean;
  /** What is removed first has the lowest. */
  readonly order: number;
  /** What must be done to all of one order before the first of them can be removed. */
  readonly prepare?: () => Promise<void>;
  /** Removes it and waits until it is gone where others need that. */
  readonly remove: () => Promise<void>;
}
