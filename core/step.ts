import type { Duration } from "./duration.ts";

/**
 * One `spark-submit`. It says what to run; how many executors and how much memory is the cluster's business.
 *
 * `{run}` and `{lake}` in an argument stand for the run's id and the lake's address, `{points}` for the folder of this
 * run's rows of table `points`, `{secret:NAME}` for the path of a file with that secret, and `{scratch}` for a folder that
 * all machines of the cluster share and that is gone after the run. `{{` and `}}` stand for `{` and `}`.
 */
export interface SparkStepArgs {
  /** Unique in the job: lower-case words joined by dashes. */
  readonly name: string;
  /** Python script, relative to the module that declares the job (`from`). Exactly one of `script` and `jar` is given. */
  readonly script?: string;
  /** Java archive, relative to the module that declares the job. */
  readonly jar?: string;
  /** Class of the jar whose `main` is run. Required with `jar`. */
  readonly mainClass?: string;
  /** @default none */
  readonly arguments?: readonly string[];
  /** Files that lie in the working directory of every executor. @default none */
  readonly files?: readonly string[];
  /**
   * Python modules that the script imports. `oneoff`, which steps share, is there without being named, unless the step brings a
   * file of that name. @default none
   */
  readonly pyFiles?: readonly string[];
  /** Maven coordinates, `group:artifact:version`. @default none */
  readonly packages?: readonly string[];
  /** A pip requirements file with every version and hash pinned for Python 3.11 on x86_64 and aarch64. @default none */
  readonly requirements?: string;
  /**
   * Tables that are complete when the step ends, and are then checked against their declaration.
   * @default those of the placeholders in its arguments that no earlier step has named
   */
  readonly leaves?: readonly string[];
  /** Spark properties that the job itself needs. Those that size the cluster are refused. @default none */
  readonly conf?: Readonly<Record<string, string>>;
  /** The step is ended and the run fails when it takes longer. @default "1 hour", and none for a step that is endless */
  readonly timeLimit?: Duration;
  /**
   * Whether it goes on until somebody asks for its end, as a stream does. It looks for that itself (`oneoff.asked_to_stop`), for
   * `oneoff cancel` and for the cluster's deadline, and ends with 0: then the run has succeeded. One that dies is started
   * again, so what it has done must be known from the lake or its folder of `{scratch}`; exit code 2 says that this would not help.
   * Only the last step of a job can be. @default false
   */
  readonly endless?: boolean;
  /** Names of secrets that the cluster must be given; each is delivered as a file only the step can read. @default none */
  readonly secrets?: readonly string[];
}

/** A step with every default filled in and every path absolute. */
export interface SparkStep {
  /** As in {@link SparkStepArgs}, like the fields below. */
  readonly name: string;
  readonly script?: string;
  readonly jar?: string;
  readonly mainClass?: string;
  readonly arguments: readonly string[];
  readonly files: readonly string[];
  readonly pyFiles: readonly string[];
  readonly packages: readonly string[];
  readonly requirements?: string;
  readonly leaves: readonly string[];
  readonly conf: Readonly<Record<string, string>>;
  /** `timeLimit`, in seconds. */
  readonly timeLimitSeconds: number;
  /** There where it is true. */
  readonly endless?: true;
  readonly secrets: readonly string[];
}

/** In the place of a step's name: the log of installing what steps require, before the first of them. */
export const REQUIREMENTS_LOG = "requirements";
