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
  /** Memory of its GPUs. */
  readonly gpuMebibytes?: Share | undefined;
  /** How much of its GPUs' time is used, of the busiest. */
  readonly gpuPercent?: number | undefined;
  /** Who has an SSH session there. @default it isn't told */
  readonly users?: readonly string[] | undefined;
  /** What is rented. @default nothing is */
  readonly machine?: { readonly id: string; readonly type: string; readonly zone: string } | undefined;
  /** When it told of itself last, ISO 8601. @default it was asked itself */
  readonly reported?: string | undefined;
}

/** What works on a fleet just now. */
export interface FleetApplication {
  readonly name: string;
  readonly user: string;
  readonly cores: number;
  /** ISO 8601. */
  readonly since: string;
}

/** When a fleet's machines go, and what they have cost. */
export interface FleetLife {
  /** When all of it ends whatever happens, ISO 8601. @default that isn't known yet */
  readonly ends?: string | undefined;
  /** USD so far, at most. @default not known */
  readonly usd?: number | undefined;
  /** USD at most, to the end. */
  readonly ceiling?: number | undefined;
  /** Since when nobody works there. @default somebody does, or it can't be told */
  readonly idleSince?: string | undefined;
  /** When the workers go if it stays so. @default they don't, or are gone */
  readonly workersGo?: string | undefined;
  /** When the other nodes are stopped if it stays so. @default they aren't, or are */
  readonly nodesStop?: string | undefined;
  /** When its machines are stopped whoever works there, and when they are started. @default by no clock */
  readonly clock?: { readonly off: string; readonly on: string } | undefined;
  /** Why it isn't idle, or what happens when, as {@link Fleet.why} says it. */
  readonly why: string;
}

export interface FleetStatus {
  readonly nodes: readonly FleetNode[];
  /** Bytes that HDFS has. @default it doesn't answer */
  readonly hdfs?: Share | undefined;
  readonly applications: readonly FleetApplication[];
  /** What somebody ought to look at, a sentence each. */
  readonly warnings: readonly string[];
  /** @default its machines are nobody's to end, and cost nothing */
  readonly life?: FleetLife | undefined;
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

/** Somebody with an account on the nodes. */
export interface FleetUser {
  readonly name: string;
  /** Of the key: "ssh-ed25519". */
  readonly type: string;
  /** Of the key, as `ssh-keygen -l` prints it: "SHA256:...". */
  readonly fingerprint: string;
  /** Whether the folder of keys has it, which `pulumi up` goes by. */
  readonly inFolder: boolean;
  /** Whether it is what the nodes are told. */
  readonly onNodes: boolean;
}

export interface FleetUsers {
  /** Folder of the keys. @default none is set */
  readonly folder?: string | undefined;
  readonly users: readonly FleetUser[];
  /** Nodes, and since when the users they have are known to be right, ISO 8601; undefined where they aren't. */
  readonly nodes: readonly { readonly name: string; readonly since?: string | undefined }[];
  /** What somebody ought to look at, a sentence each. */
  readonly warnings: readonly string[];
}

/** Who may enter a fleet's nodes: what is changed holds within a minute, without `pulumi up`. */
export interface UserAdmin {
  list(): Promise<FleetUsers>;
  /**
   * @param key path of a file with a public key, or such a line itself.
   * @param name of the account. @default the file's
   * @returns what was done, and what else the user needs, a sentence each.
   */
  add(key: string, name: string | undefined): Promise<readonly string[]>;
  /** Returns what was done, a sentence each. */
  remove(name: string): Promise<readonly string[]>;
}

/** How a fleet's machines are entered by SSH. */
export interface Entrance {
  /** What their connections are carried by: the platform's {@link Platform.carry}, as "aws:us-west-2". */
  readonly carrier: string;
  readonly hosts: readonly {
    /** As ssh is to call it: "head". */
    readonly name: string;
    /** What is carried to, such as the id of an instance. */
    readonly machine: string;
    /** "ssh-ed25519 AAAA...". */
    readonly hostKeys: readonly string[];
  }[];
  /** Accounts there. */
  readonly users: readonly string[];
  /** What carries for whoever hasn't this command, where "%h" is the machine. */
  readonly otherwise: string;
}

/** Each throws a UsageError for what can't be, and a TransientError for what doesn't answer just now. */
export interface Fleet {
  /** How often to ask while it is followed, in milliseconds. @default 2 seconds */
  readonly pollMs?: number;
  /** @default its nodes are processes of this machine, which nobody enters */
  readonly users?: UserAdmin;
  /** @default as for its users */
  entrance?(): Promise<Entrance>;
  /** Has what sleeps come back, and returns what that is, in a sentence. @default it never sleeps */
  wake?(): Promise<string>;
  status(): Promise<FleetStatus>;
  /** Why it isn't idle, or else what happens when: in one line. */
  why(): Promise<string>;
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
