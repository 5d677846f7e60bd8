import { availableParallelism } from "node:os";
import * as pulumi from "@pulumi/pulumi";
import { wholeNumber } from "../../core/checks.ts";
import { jobFor } from "../../core/job/same.ts";
import type { Job } from "../../core/job.ts";
import { mebibytes, type Size } from "../../core/size.ts";
import type { CommandOutputs } from "../common/outputs.ts";
import { runOrigin } from "../common/run-origin.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import type { LocalLake } from "./lake.ts";
import { LOCAL_DEADLINES, LocalRun, type LocalRunArgs, type RunArgs, runPlan } from "./run.ts";

export interface LocalClusterArgs extends LocalRunArgs {
  /** Where the results go. */
  readonly lake: LocalLake;
  /** Cores that Spark uses. @default all of this machine */
  readonly cores?: number;
  /** Memory of the Java virtual machine; Python workers come on top. @default "2 GB" */
  readonly memory?: Size;
  /** Changes a child just before it is made. */
  readonly transform?: { readonly run?: Transform<RunArgs> };
}

/**
 * Spark on this machine: runs a job over a local lake, then ends itself. Its steps read what is at an address, `s3://` or
 * `gs://`, as who runs Pulumi may, by a library: without jars (a step's `packages`) Spark itself can't.
 */
export class LocalCluster extends pulumi.ComponentResource {
  /** The shortest and the longest deadline there can be: Spark takes some seconds to start. */
  static readonly deadlines = LOCAL_DEADLINES;
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
    const run = new LocalRun(...applyTransform(args.transform?.run, `${name}-run`, runArgs, options));
    this.state = run.state;
    this.logs = run.logs;
    this.outputs = { cluster: "local", run: this.runId, lake: args.lake.uri, logs: this.logs };
    this.registerOutputs({ runId: this.runId, state: this.state, logs: this.logs });
  }
}

/** What is known of a cluster before there is a lake. */
export type LocalPlanArgs = Omit<LocalClusterArgs, "job" | "lake"> & { readonly job: Job };

/** The arguments, checked and with their defaults. */
const planOf = (args: LocalPlanArgs) => ({
  ...runPlan(args),
  cores: wholeNumber("cores", args.cores ?? availableParallelism()),
  memoryMebibytes: mebibytes(args.memory ?? "2 GB", "memory"),
});
