import type * as pulumi from "@pulumi/pulumi";
import { type BillLine, refuseAbove } from "../../../core/bill.ts";
import { diskGibibytes, givenSecrets, wholeNumber } from "../../../core/checks.ts";
import { type Duration, seconds } from "../../../core/duration.ts";
import { arg, invalid, quote, refusal } from "../../../core/errors.ts";
import { type Job, readsInAll } from "../../../core/job.ts";
import { deadlineSeconds, type Lifetime } from "../../../core/lifetime.ts";
import { mebibytes, type Size } from "../../../core/size.ts";
import type { ClusterCode } from "../../common/node-code.ts";
import { runIdOf } from "../../common/run-id.ts";
import { emrBill } from "../bill.ts";
import type { S3Lake } from "../lake.ts";
import { checkSubnets, type Subnets } from "../network.ts";
import { instanceType } from "../prices.ts";
import type { Reaper } from "../reaper.ts";
import { regionOf } from "../region.ts";
import { emrCode } from "./code.ts";
import { checkSsh, type SshAccess } from "./groups.ts";
import { type JobFlow, SpotFallback, Stage } from "./job-flow.ts";

/** A cluster takes about 10 minutes to start. */
export const EMR_DEADLINES = ["20 minutes", "7 days"] as const;

export interface EmrWorkers {
  /** How many machines. At least one. */
  readonly count: number;
  /** Instance types that will do, of one architecture; EMR takes what is to be had. @default ["m7g.xlarge", "m6g.xlarge"] */
  readonly types?: readonly string[];
  /** Rent them as spot instances, and say what is to happen when there are none. @default on-demand */
  readonly spot?: {
    readonly fallback: SpotFallback /** "5 minutes" to "1 day". @default "10 minutes" */;
    readonly wait?: Duration;
  };
}

export interface EmrExecutors {
  readonly count: number;
  /** Of each. */
  readonly cores: number;
  /** Of each, without overhead. */
  readonly memory: Size;
}

export interface EmrClusterArgs {
  /** What to run. Another job than the lake's is refused; the steps' arguments may be others. @default the lake's job */
  readonly job?: Job;
  /** Where code comes from and results go. */
  readonly lake: S3Lake;
  /** When it ends whatever happens, within `EmrCluster.deadlines`. `idle` goes with `keepAlive`. */
  readonly lifetime: Lifetime;
  /** What ends it at its deadline. */
  readonly reaper: Reaper;
  /** Where the machines are put: a `Network` of the stack's own, or subnets of yours. */
  readonly network: Subnets;
  readonly workers: EmrWorkers;
  /** Instance type of the primary node, which is always on-demand. @default "m6g.xlarge" */
  readonly primary?: string;
  /**
   * Names the run. A run is executed once: only a new id rents again, and old runs stay in the lake.
   * @default the stack's setting `oneoff:runId`, which `npx --no oneoff run` sets, else "1"
   */
  readonly runId?: string;
  /** EMR release, "emr-7.0.0" or newer. @default "emr-7.10.0": Spark 3.5 */
  readonly releaseLabel?: string;
  /** Spark's executors. @default as many as there is work and room for, of the size that EMR derives from the machines */
  readonly executors?: EmrExecutors;
  /** Memory of the driver, on the primary node. @default EMR's */
  readonly driverMemory?: Size;
  /** Disk of each machine beside its system's: HDFS, shuffles, logs. @default "64 GB" */
  readonly disk?: Size;
  /** Where the steps write. @default "lake" */
  readonly stage?: Stage;
  /** Keep it for interactive use, with JupyterLab, under the idle limit of `lifetime`. @default false: it ends after its last step */
  readonly keepAlive?: boolean;
  /** Keep a finished or failed cluster for so long, to look at it. "1 minute" to "7 days". @default not at all */
  readonly linger?: Duration;
  /** @default nobody: `npx --no oneoff open --ui` and Session Manager need no SSH */
  readonly ssh?: SshAccess;
  /** Addresses in S3 that the steps read beside the lake and what the job says, such as "s3://bucket/prefix". @default none */
  readonly reads?: readonly string[];
  /** Values of the secrets that the job's steps name. @default none */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * Make a policy that lets whoever it is attached to cancel runs, and do nothing else: whoever deploys must be able to make
   * policies. @default false
   */
  readonly cancelPolicy?: boolean;
  /** Where the job's wheels come from, a simple package index. @default "https://pypi.org/simple" */
  readonly packageIndex?: string;
  /** Region that the bill is for; the one the provider rents in. @default setting `aws:region`, else AWS_REGION */
  readonly region?: string;
  /** Changes what EMR is asked for, just before it is: properties of RunJobFlow to put over ours. */
  readonly transform?: { readonly jobFlow?: Readonly<Record<string, unknown>> };
}

/** What a plan is made of: all but what has to be made first. */
export type EmrPlanArgs = Omit<EmrClusterArgs, "job" | "lake" | "reaper" | "network"> & {
  readonly job: Job;
  readonly network?: Subnets | undefined;
};

/** What a cluster comes to, all of it known before anything is made. */
export type EmrPlan = Pick<
  JobFlow,
  | "job"
  | "run"
  | "releaseLabel"
  | "applications"
  | "primary"
  | "workers"
  | "spot"
  | "diskGibibytes"
  | "executors"
  | "driverMebibytes"
  | "stage"
  | "keyName"
  | "idleSeconds"
  | "jupyter"
> & {
  readonly architecture: "arm64" | "x86_64";
  readonly deadlineSeconds: number;
  readonly bill: readonly BillLine[];
  readonly code: ClusterCode;
  /** Addresses in S3. */
  readonly reads: readonly string[];
};

/**
 * The arguments, checked and with their defaults.
 *
 * @param stands how long the stack stands before it is destroyed. @default until the cluster's deadline
 * @throws UsageError for arguments that don't go together or are out of range, and when `maxCost` is below the bill.
 */
export function emrPlan(args: EmrPlanArgs, stands?: Duration): EmrPlan {
  const { job, workers, executors } = args;
  const keepAlive = args.keepAlive ?? false;
  const primary = args.primary ?? "m6g.xlarge";
  const types = workers.types ?? ["m7g.xlarge", "m6g.xlarge"];
  wholeNumber("workers.count", workers.count);
  if (types.length === 0 || types.length > 5)
    throw refusal`${arg("workers.types")} has ${types.length} types: EMR takes 1 to 5`;
  if (executors) {
    wholeNumber("executors.count", executors.count);
    wholeNumber("executors.cores", executors.cores);
  }
  if (args.network) checkSubnets(args.network);
  if (args.ssh) checkSsh(args.ssh);
  const stage = args.stage ?? Stage.lake;
  if (!Object.values(Stage).includes(stage)) throw invalid("stage", stage, 'expected "lake" or "hdfs"');
  const disk = diskGibibytes(args.disk ?? "64 GB", "16 GB", "16 TB");
  const deadline = deadlineSeconds(args.lifetime, ...EMR_DEADLINES);
  const bill = emrBill({
    region: args.region ?? regionOf(),
    primary,
    workers: { count: workers.count, types },
    spot: workers.spot !== undefined,
    diskGibibytes: disk,
    secrets: Object.keys(args.secrets ?? {}).length,
    deadlineSeconds: deadline,
    standsSeconds: stands ? Math.max(deadline, seconds(stands, "stands")) : deadline,
  });
  const spot = spotOf(workers);
  const plan = {
    job,
    run: runIdOf(args.runId),
    releaseLabel: checkRelease(args.releaseLabel ?? "emr-7.10.0"),
    applications: ["Hadoop", "Spark"],
    architecture: architectureOf(primary, types),
    primary,
    workers: { count: workers.count, types },
    ...(spot && { spot }),
    diskGibibytes: disk,
    ...(executors && { executors: { ...executors, memoryMebibytes: mebibytes(executors.memory, "executors.memory") } }),
    ...(args.driverMemory && { driverMebibytes: mebibytes(args.driverMemory, "driverMemory") }),
    stage,
    ...(args.ssh && { keyName: args.ssh.keyName }),
    ...idleOf(args),
    jupyter: keepAlive,
    deadlineSeconds: deadline,
    code: emrCode(job, keepAlive),
    reads: readsOf(args),
    bill,
  };
  givenSecrets(job, args.secrets);
  refuseAbove(args.lifetime.maxCost, bill);
  return plan;
}

/** Addresses in S3, those of the job too. @throws UsageError for what is none. */
function readsOf({ job, reads = [] }: EmrPlanArgs): readonly string[] {
  for (const address of reads) {
    if (/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^*?\s]*)?$/.test(address)) continue;
    throw refusal`${arg("reads")} has ${quote(address)}: expected a bucket or what is below it, such as "s3://bucket/prefix"`;
  }
  const elsewhere = (job.reads ?? []).find((address) => !address.startsWith("s3://"));
  if (elsewhere === undefined) return readsInAll(reads, job.reads ?? []);
  throw refusal`${arg("job.reads")} has ${quote(elsewhere)}, and EMR's machines can be let read nothing but S3: copy it there and give that address, such as "s3://bucket/prefix"`;
}

/** @throws UsageError for what isn't a release of EMR 7 or newer. */
function checkRelease(label: string): string {
  const major = Number(/^emr-(\d+)\.\d+\.\d+$/.exec(label)?.[1]);
  if (major >= 7) return label;
  throw invalid(
    "releaseLabel",
    label,
    'expected "emr-7.0.0" or newer, which has Amazon Linux 2023, Spark 3.5 and Python 3.11',
  );
}

function architectureOf(primary: string, types: readonly string[]): "arm64" | "x86_64" {
  const { architecture } = instanceType(primary);
  const other = types.find((type) => instanceType(type).architecture !== architecture);
  if (other === undefined) return architecture;
  throw refusal`${arg("primary")} is ${quote(primary)} (${architecture}) and ${arg("workers.types")} has ${quote(other)} (${instanceType(other).architecture}): the job's wheels are for one architecture; choose all types of one`;
}

function spotOf({ spot }: EmrWorkers): JobFlow["spot"] {
  if (!spot) return undefined;
  if (!Object.values(SpotFallback).includes(spot.fallback)) {
    throw invalid(
      "workers.spot.fallback",
      spot.fallback,
      'say what is to happen when there are no spot instances: "on-demand" or "terminate"',
    );
  }
  const minutes = seconds(spot.wait ?? "10 minutes", "workers.spot.wait") / 60;
  if (!Number.isInteger(minutes) || minutes < 5 || minutes > 1440) {
    throw invalid("workers.spot.wait", spot.wait, 'EMR takes whole minutes from "5 minutes" to "1 day"');
  }
  return { fallback: spot.fallback, waitMinutes: minutes };
}

/** Seconds without work after which a cluster ends that doesn't end after its last step. */
function idleOf({ keepAlive, linger, lifetime }: EmrPlanArgs): { readonly idleSeconds?: number } {
  if (keepAlive && linger)
    throw refusal`${arg("keepAlive")} and ${arg("linger")} don't go together: an idle limit ends a cluster that is kept alive`;
  if (keepAlive && !lifetime.idle) {
    throw refusal`${arg("keepAlive")} needs ${arg("lifetime.idle")}: how long the cluster may do nothing before it ends, such as "30 minutes"`;
  }
  if (!keepAlive && lifetime.idle) {
    throw refusal`${arg("lifetime.idle")} is ${quote(lifetime.idle)} and ${arg("keepAlive")} is not set: this cluster ends after its last step; use linger to keep it a while`;
  }
  const [setting, idle] = keepAlive ? ["lifetime.idle", lifetime.idle] : ["linger", linger];
  if (!idle) return {};
  const idleSeconds = seconds(idle, setting);
  if (idleSeconds < 60 || idleSeconds > 7 * 86_400) {
    throw invalid(setting, idle, 'EMR takes "1 minute" to "7 days"');
  }
  return { idleSeconds };
}
