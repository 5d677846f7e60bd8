import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { givenSecrets, wholeNumber } from "../../core/checks.ts";
import { arg, quote, refusal } from "../../core/errors.ts";
import { jobFor } from "../../core/job/same.ts";
import type { Job } from "../../core/job.ts";
import { deadlineSeconds, type Lifetime } from "../../core/lifetime.ts";
import type { RunOrigin } from "../../core/run-origin.ts";
import { mebibytes, type Size } from "../../core/size.ts";
import type { CommandOutputs } from "../common/outputs.ts";
import { runIdOf } from "../common/run-id.ts";
import { runOrigin } from "../common/run-origin.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import type { LocalLake } from "./lake.ts";

export interface LocalClusterArgs {
  /** What to run. Another job than the lake's is refused; the steps' arguments may be others. @default the lake's job */
  readonly job?: Job;
  /** Where the results go. */
  readonly lake: LocalLake;
  /** The run is ended at its deadline, which is within {@link LocalCluster.deadlines}. */
  readonly lifetime: Lifetime;
  /**
   * Names the run. A run is executed once: only a new id computes again, and old runs stay in the lake.
   * @default the stack's setting `oneoff:runId`, which `npx --no oneoff run` sets, else "1"
   */
  readonly runId?: string;
  /** Cores that Spark uses. @default all of this machine */
  readonly cores?: number;
  /** Memory of the Java virtual machine; Python workers come on top. @default "2 GB" */
  readonly memory?: Size;
  /** A Python interpreter with PySpark. @default the environment variable ONEOFF_PYTHON, else ".oneoff/venv/bin/python" */
  readonly python?: string;
  /** Values of the secrets that the job's steps name. @default none */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Changes a child just before it is made. */
  readonly transform?: { readonly run?: Transform<RunArgs> };
}

/**
 * Spark on this machine: runs a job over a local lake, then ends itself. Its steps read what is at an address, `s3://` or
 * `gs://`, as who runs Pulumi may, by a library: without jars (a step's `packages`) Spark itself can't.
 */
export class LocalCluster extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be: Spark takes some seconds to start. */
  static readonly deadlines = ["10 seconds", "7 days"] as const;
  /** Names the run. */
  readonly runId: string;
  /** "running", "succeeded", "failed" or "cancelled": what it was when Pulumi looked last. `pulumi refresh` looks again. */
  readonly state: pulumi.Output<string>;
  /** Folder with one log per step. */
  readonly logs: pulumi.Output<string>;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * Looks at the arguments before anything is made.
   * @throws UsageError for what the constructor refuses.
   */
  static check(args: LocalPlanArgs): void {
    planOf(args);
  }

  /**
   * @throws UsageError for a run id, cores, memory or deadline out of range, a missing secret, a file or folder of the job's
   * `reads` that isn't there, and another job than the lake's.
   */
  constructor(name: string, args: LocalClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:LocalCluster", name, {}, opts);
    const plan = planOf({ ...args, job: jobFor(args) });
    this.runId = plan.run;
    const runArgs: RunArgs = { ...plan, lake: args.lake.path, origin: runOrigin(plan.job) };
    const options = { parent: this, dependsOn: [args.lake] };
    const run = new Run(...applyTransform(args.transform?.run, `${name}-run`, runArgs, options));
    this.state = run.state;
    this.logs = run.logs;
    this.outputs = { cluster: "local", run: this.runId, lake: args.lake.uri, logs: this.logs };
    this.registerOutputs({ runId: this.runId, state: this.state, logs: this.logs });
  }
}

/** What is known of a cluster before there is a lake. */
export type LocalPlanArgs = Omit<LocalClusterArgs, "job" | "lake"> & { readonly job: Job };

/** The arguments, checked and with their defaults. */
function planOf({ job, ...args }: LocalPlanArgs) {
  const missing = (job.reads ?? []).find((path) => path.startsWith("/") && !existsSync(path));
  if (missing !== undefined) {
    throw refusal`${arg("job.reads")} has ${quote(missing)}, which is not on this machine: put the file or folder there, or give the path of one that is`;
  }
  return {
    run: runIdOf(args.runId),
    job: { name: job.name, steps: job.steps, tables: job.tables },
    deadlineSeconds: deadlineSeconds(args.lifetime, ...LocalCluster.deadlines),
    cores: wholeNumber("cores", args.cores ?? availableParallelism()),
    memoryMebibytes: mebibytes(args.memory ?? "2 GB", "memory"),
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
}

class Run extends pulumi.CustomResource {
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
