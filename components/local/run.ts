import { existsSync } from "node:fs";
import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { givenSecrets } from "../../core/checks.ts";
import { arg, quote, refusal } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import { deadlineSeconds, type Lifetime } from "../../core/lifetime.ts";
import type { RunOrigin } from "../../core/run-origin.ts";
import { runIdOf } from "../common/run-id.ts";

/** The shortest and the longest deadline there can be: Spark takes some seconds to start. */
export const LOCAL_DEADLINES = ["10 seconds", "7 days"] as const;

/** What a run on this machine is told, wherever its Spark is. */
export interface LocalRunArgs {
  /** What to run. Another job than the lake's is refused; the steps' arguments may be others. @default the lake's job */
  readonly job?: Job;
  /** The run is ended at its deadline, which is within `deadlines` of its cluster. */
  readonly lifetime: Lifetime;
  /**
   * Names the run. A run is executed once: only a new id computes again, and old runs stay in the lake.
   * @default the stack's setting `oneoff:runId`, which `npx --no oneoff run` sets, else "1"
   */
  readonly runId?: string;
  /** A Python interpreter with PySpark. @default the environment variable ONEOFF_PYTHON, else ".oneoff/venv/bin/python" */
  readonly python?: string;
  /** Values of the secrets that the job's steps name. @default none */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
}

/** The arguments, checked and with their defaults. @throws UsageError. */
export function runPlan({ job, ...args }: LocalRunArgs & { readonly job: Job }) {
  const missing = (job.reads ?? []).find((path) => path.startsWith("/") && !existsSync(path));
  if (missing !== undefined) {
    throw refusal`${arg("job.reads")} has ${quote(missing)}, which is not on this machine: put the file or folder there, or give the path of one that is`;
  }
  return {
    run: runIdOf(args.runId),
    job: { name: job.name, steps: job.steps, tables: job.tables },
    deadlineSeconds: deadlineSeconds(args.lifetime, ...LOCAL_DEADLINES),
    python: resolve(pulumi.getRootDirectory(), args.python ?? process.env.ONEOFF_PYTHON ?? ".oneoff/venv/bin/python"),
    secrets: secretsOf(job, args.secrets ?? {}),
  };
}

/** Inputs of the cluster's run, for `transform`. */
export interface RunArgs {
  /** The run's id. */
  readonly run: pulumi.Input<string>;
  readonly job: pulumi.Input<Pick<Job, "name" | "steps" | "tables">>;
  /** Absolute path of the lake's folder. */
  readonly lake: pulumi.Input<string>;
  readonly deadlineSeconds: pulumi.Input<number>;
  readonly cores: pulumi.Input<number>;
  readonly memoryMebibytes: pulumi.Input<number>;
  /** Absolute path of the interpreter. */
  readonly python: pulumi.Input<string>;
  /** What makes the run, to be recorded. */
  readonly origin: pulumi.Input<RunOrigin>;
  /** Values by name. */
  readonly secrets: pulumi.Input<Readonly<Record<string, pulumi.Input<string>>>>;
  /** Spark's own cluster that runs it. @default Spark within the driver */
  readonly spark?: pulumi.Input<SparkArgs>;
  /** The secret by which that knows its drivers. @default there is none */
  readonly sparkSecret?: pulumi.Input<string>;
}

/** A cluster for Spark with HDFS, on this machine: Spark's own, or YARN. */
export interface SparkArgs {
  /** Where its master listens, "127.0.0.1:7077", or YARN's resource manager. */
  readonly master: pulumi.Input<string>;
  /** Absolute path of a folder with YARN's settings, where that shares out the cluster. @default it is Spark's own */
  readonly yarn?: pulumi.Input<string>;
  /** Where the master's page is, "127.0.0.1:8080", or the resource manager's. */
  readonly page: pulumi.Input<string>;
  /** Where the namenode answers WebHDFS, "127.0.0.1:9870": what the steps write goes there, and from there to the lake. */
  readonly webhdfs: pulumi.Input<string>;
  /** Spark's properties that every step has. */
  readonly conf: pulumi.Input<Readonly<Record<string, pulumi.Input<string>>>>;
}

/** An execution of a job, whose driver is a process of this machine. */
export class LocalRun extends pulumi.CustomResource {
  declare readonly state: pulumi.Output<string>;
  declare readonly logs: pulumi.Output<string>;

  constructor(name: string, args: RunArgs, opts: pulumi.CustomResourceOptions) {
    super("oneoff-local:index:Run", name, { ...args, state: undefined, logs: undefined }, opts);
  }
}

function secretsOf(
  job: Job,
  given: Readonly<Record<string, pulumi.Input<string>>>,
): Record<string, pulumi.Output<string>> {
  return Object.fromEntries(
    givenSecrets(job, given).map((name) => [name, pulumi.secret(given[name] as pulumi.Input<string>)]),
  );
}
