import type { RunJobFlowCommandInput } from "@aws-sdk/client-emr";

/** Rents a cluster for a run, once. */
export interface Launch {
  /** Value of tag `oneoff:stack`. */
  readonly stack: string;
  /** Value of tag `oneoff:cluster`. */
  readonly cluster: string;
  readonly run: string;
  /** The lake's bucket, and value of tag `oneoff:lake`. */
  readonly bucket: string;
  /** Prefixes that hold a requirements.txt, to whose side its wheels are put before the cluster is rented. */
  readonly wheels: readonly string[];
  /** What the wheels are for. Python is 3.11. */
  readonly architecture: "arm64" | "x86_64";
  /** Where wheels come from, a simple index such as `https://pypi.org/simple`. */
  readonly packageIndex: string;
  /** The cluster ends this long after its launch. */
  readonly deadlineSeconds: number;
  /**
   * What EMR is asked for. `{deadline}` in the arguments of its steps stands for when the cluster ends, ISO 8601 in UTC.
   * Its tags have `oneoff:stack`, `oneoff:lake`, `oneoff:cluster`, `oneoff:run` and `oneoff:deadline`.
   */
  readonly request: RunJobFlowCommandInput;
}

/** What `aws.lambda.Invocation` adds to its input with `lifecycleScope: "CRUD"`; nothing with "CREATE_ONLY". */
export interface Lifecycle {
  readonly tf?: { readonly action: "create" | "update" | "delete"; readonly prev_input?: unknown };
}

/** Launches, whatever the action is, except that "delete" ends the cluster as a {@link GuardEvent} does. */
export interface LaunchEvent extends Launch, Lifecycle {}

/** Ends all clusters of a component when it is deleted, and does nothing before. */
export interface Guard extends Pick<Launch, "stack" | "cluster" | "bucket"> {}

export interface GuardEvent extends Guard, Lifecycle {}

/** What is known of a run's launch: the function's answer, and the content of `_launches/<run>.json`. */
export interface Launched {
  readonly run: string;
  /** Id of the EMR cluster. Empty, in the answer alone, for a run that was cancelled before there was one. */
  readonly cluster: string;
  /** ISO 8601 in UTC. */
  readonly launched: string;
  /** Digest of the launch: another one under the same run id changes nothing, and is warned of. */
  readonly digest: string;
  /** Only in the answer. @default nothing to say */
  readonly warning?: string;
}
