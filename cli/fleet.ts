/** What `oneoff fleet` asks of a fleet: machines, or processes, that a team shares for a while. */

/** How much of something is in use. */
export interface Share {
  readonly used: number;
  readonly all: number;
}

/** A node of a fleet. */
export interface FleetNode {
  readonly name: string;
  /** What it is for: "namenode", "datanode", "master", "worker", "history", "notebook". */
  readonly role: string;
  /** In a word or two: "ready", "busy", "decommissioning", "down". */
  readonly state: string;
  /** That work may take, where any. */
  readonly cores?: Share | undefined;
  readonly memoryMebibytes?: Share | undefined;
  readonly gpus?: Share | undefined;
  /** Bytes of HDFS. */
  readonly hdfs?: Share | undefined;
}

/** What works on a fleet just now. */
export interface FleetApplication {
  readonly name: string;
  readonly user: string;
  readonly cores: number;
  /** ISO 8601. */
  readonly since: string;
}

export interface FleetStatus {
  readonly nodes: readonly FleetNode[];
  /** Bytes that HDFS has. @default it doesn't answer */
  readonly hdfs?: Share | undefined;
  readonly applications: readonly FleetApplication[];
  /** What somebody ought to look at, a sentence each. */
  readonly warnings: readonly string[];
}

/** What became of files that were to be put into HDFS. */
export interface Pushed {
  readonly files: number;
  /** Those that were there already, and the same. */
  readonly skipped: number;
  readonly bytes: number;
  readonly seconds: number;
}

export interface PushOptions {
  /** Whether files that are there and others are replaced. */
  readonly overwrite: boolean;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
}

/** Each throws a UsageError for what can't be, and a TransientError for what doesn't answer just now. */
export interface Fleet {
  status(): Promise<FleetStatus>;
  /**
   * Unpacks a gzipped tar into a folder of HDFS. Nothing is there before all of the archive was looked at; what was
   * interrupted goes on when it is called again.
   * @param source path of the archive.
   * @param target absolute path of the folder in HDFS.
   */
  push(source: string, target: string, options: PushOptions): Promise<Pushed>;
  /** Takes away what users have in HDFS, and their kernels; the nodes stay. Returns what went, in a sentence. */
  reset(say: (line: string) => void): Promise<string>;
}
