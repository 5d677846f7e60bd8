import { join } from "node:path";
import type * as gcp from "@pulumi/gcp";
import type * as pulumi from "@pulumi/pulumi";
import { DataprocMode } from "../../../assets/dataproc-orchestrator/launch.ts";
import { type BillLine, refuseAbove } from "../../../core/bill.ts";
import { diskGibibytes, givenSecrets, neededSecrets } from "../../../core/checks.ts";
import { type Duration, seconds } from "../../../core/duration.ts";
import { arg, invalid, quote, refusal, UsageError } from "../../../core/errors.ts";
import type { Job } from "../../../core/job.ts";
import { deadlineSeconds, type Lifetime } from "../../../core/lifetime.ts";
import { mebibytes, type Size } from "../../../core/size.ts";
import { ASSETS, type ClusterCode, clusterCode, RECORDER, scripts } from "../../common/node-code.ts";
import { runIdOf } from "../../common/run-id.ts";
import type { Transform } from "../../common/transform.ts";
import { batchBill, dataprocBill, orchestratorBill } from "../bill.ts";
import type { GcsLake } from "../lake.ts";
import { checkGcpSubnet, GcpNetwork, type GcpSubnet } from "../network.ts";
import { machineType } from "../prices.ts";
import { checkMember, checkProject, checkRegion, googleProject, googleRegion } from "../project.ts";

/** The shortest and the longest deadline of each mode. A cluster takes some minutes to start; the orchestrator of batches has 7 days. */
export const DATAPROC_DEADLINES = {
  cluster: ["20 minutes", "14 days"],
  workflow: ["20 minutes", "24 hours"],
  batch: ["20 minutes", "6 days"],
} as const satisfies Readonly<Record<DataprocMode, readonly [Duration, Duration]>>;

/** Google's least and most: https://cloud.google.com/dataproc/docs/concepts/configuring-clusters/scheduled-deletion */
const IDLE = ["5 minutes", "14 days"] as const;

export interface DataprocWorkers {
  /** Machines beside the primary node: 2 or more, or 0, with which the primary node does all. In mode "batch": executors, 2 or more. */
  readonly count: number;
  /** Machine type. @default "n2-standard-4" */
  readonly type?: string;
  /** Spot machines beside them, as many as are to be had: where there are none, the others do the work. @default 0 */
  readonly spot?: number;
  /** Let Dataproc add spot machines while there is work for them, so many at most; in mode "batch" executors. @default none */
  readonly upTo?: number;
}

/** Kerberos among the services of the cluster, as Dataproc sets it up. */
export interface DataprocKerberos {
  /** KMS key by which the password is encrypted, `projects/.../cryptoKeys/...`. */
  readonly kmsKey: pulumi.Input<string>;
  /** Address of the encrypted password of the root principal, "gs://bucket/root-password.encrypted". */
  readonly rootPassword: pulumi.Input<string>;
}

export interface DataprocClusterArgs {
  /** What to run. Another job than the lake's is refused; the steps' arguments may be others. @default the lake's job */
  readonly job?: Job;
  /** Where code comes from and results go. */
  readonly lake: GcsLake;
  /** When it ends whatever happens, within `DataprocCluster.deadlines`. `idle` goes with mode "cluster". */
  readonly lifetime: Lifetime;
  /** Where the machines are put: a `GcpNetwork` of the stack's own, or a subnetwork of yours. */
  readonly network: GcpSubnet;
  /** What runs the steps. @default "workflow": a cluster for the run alone */
  readonly mode?: DataprocMode;
  /** @default { count: 2 } */
  readonly workers?: DataprocWorkers;
  /** Machine type of the primary node. @default "n2-standard-4" */
  readonly primary?: string;
  /**
   * Names the run. A run is executed once: only a new id computes again, and old runs stay in the lake.
   * @default the stack's setting `oneoff:runId`, which `npx --no oneoff run` sets, else "1"
   */
  readonly runId?: string;
  /** Dataproc image of Spark 3.5 with Python 3.11. @default "2.3-debian12", of which Google takes the newest */
  readonly imageVersion?: string;
  /** Serverless runtime of Spark 3.5 with Python 3.11, mode "batch". @default "2.3" */
  readonly runtimeVersion?: string;
  /** Disk of each machine: system, HDFS, shuffles, logs. @default "100 GB" */
  readonly disk?: Size;
  /** Memory of the driver. @default Dataproc's */
  readonly driverMemory?: Size;
  /** @default no Kerberos; not in mode "batch" */
  readonly kerberos?: DataprocKerberos;
  /** KMS key that encrypts the machines' disks, `projects/.../cryptoKeys/...`. @default Google's own keys */
  readonly kmsKey?: pulumi.Input<string>;
  /**
   * Names of buckets that the steps read beside the lake and what the job says. Public ones are left out: they need no grant,
   * and only their owner can make one. @default those that the project's own are
   */
  readonly reads?: readonly string[];
  /** Values of the secrets that the job's steps name. @default none */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * Who may cancel runs, and do nothing else with the stack, such as "user:ann@example.com": for that a role of the project is
   * made, so whoever deploys must be able to make roles. @default nobody else
   */
  readonly cancellers?: readonly string[];
  /** Where the job's wheels come from, a simple package index. @default "https://pypi.org/simple" */
  readonly packageIndex?: string;
  /** Image with Node.js 22 or newer that the orchestrator runs in. @default "gcr.io/distroless/nodejs24-debian12" */
  readonly image?: string;
  /** Project that it is in. @default the provider's: setting `gcp:project`, else GOOGLE_CLOUD_PROJECT */
  readonly project?: string;
  /** @default the provider's: setting `gcp:region`, else GOOGLE_REGION */
  readonly region?: string;
  /** Changes a child just before it is made. */
  readonly transform?: {
    readonly cluster?: Transform<gcp.dataproc.ClusterArgs>;
    readonly template?: Transform<gcp.dataproc.WorkflowTemplateArgs>;
    readonly orchestrator?: Transform<gcp.cloudrunv2.JobArgs>;
  };
}

/** What a plan is made of: all but what has to be made first. */
export type DataprocPlanArgs = Omit<DataprocClusterArgs, "job" | "lake" | "network"> & {
  readonly job: Job;
  readonly network?: GcpSubnet | undefined;
};

/** What a cluster comes to, all of it known before anything is made. */
export interface DataprocPlan {
  readonly job: Job;
  readonly mode: DataprocMode;
  readonly run: string;
  readonly project: string;
  readonly region: string;
  readonly primary: string;
  readonly workers: Required<Omit<DataprocWorkers, "upTo">> & Pick<DataprocWorkers, "upTo">;
  readonly imageVersion: string;
  readonly runtimeVersion: string;
  readonly diskGibibytes: number;
  readonly driverMebibytes?: number;
  readonly deadlineSeconds: number;
  /** Mode "cluster". */
  readonly idleSeconds?: number;
  readonly code: ClusterCode;
  readonly bill: readonly BillLine[];
}

/**
 * The arguments, checked and with their defaults.
 *
 * @param stands how long the stack stands before it is destroyed. @default until the cluster's deadline
 * @throws UsageError for arguments that don't go together or are out of range, and when `maxCost` is below the bill.
 */
export function dataprocPlan(args: DataprocPlanArgs, stands?: Duration): DataprocPlan {
  const { job, lifetime } = args;
  const mode = checkMode(args.mode ?? DataprocMode.workflow);
  const project = args.project === undefined ? googleProject() : checkProject("project", args.project);
  const region = args.region === undefined ? googleRegion() : checkRegion("region", args.region);
  const primary = args.primary ?? "n2-standard-4";
  const workers = workersOf(mode, args.workers ?? { count: 2 });
  if (args.network) checkGcpSubnet(args.network);
  for (const member of args.cancellers ?? []) checkMember("cancellers", member);
  const disk = diskGibibytes(args.disk ?? "100 GB", "30 GB", "64 TB");
  checkMachine("primary", primary);
  checkMachine("workers.type", workers.type);
  const [least, most] = DATAPROC_DEADLINES[mode];
  const deadline = deadlineSeconds(lifetime, least, most);
  const idleSeconds = idleOf(mode, lifetime, deadline);
  checkJob(mode, args);
  checkDriver(mode, args.driverMemory);
  const stay = {
    deadlineSeconds: deadline,
    standsSeconds: stands ? Math.max(deadline, seconds(stands, "stands")) : deadline,
  };
  const driverMebibytes = args.driverMemory && mebibytes(args.driverMemory, "driverMemory");
  const costs = { region, ...stay, secrets: neededSecrets(job).length };
  const bill = [
    ...(mode === DataprocMode.batch
      ? batchBill({ ...costs, executors: workers.upTo ?? workers.count, ...(driverMebibytes && { driverMebibytes }) })
      : dataprocBill({
          ...costs,
          primary,
          workers: { count: workers.count, type: workers.type },
          secondary: Math.max(workers.spot, workers.upTo ?? 0),
          diskGibibytes: disk,
        })),
    ...orchestratorBill(region, deadline),
  ];
  refuseAbove(lifetime.maxCost, bill);
  return {
    job,
    mode,
    run: runIdOf(args.runId),
    project,
    region,
    primary,
    workers,
    imageVersion: checkImage(args.imageVersion ?? "2.3-debian12"),
    runtimeVersion: checkRuntime(args.runtimeVersion ?? "2.3"),
    diskGibibytes: disk,
    ...(driverMebibytes && { driverMebibytes }),
    deadlineSeconds: deadline,
    ...(idleSeconds !== undefined && { idleSeconds }),
    code: clusterCode(job, {
      folder: "node",
      files: scripts(join(ASSETS, "nodes/dataproc")),
      venvs: { [RECORDER]: join(ASSETS, "nodes/emr/requirements.txt") },
    }),
    bill,
  };
}

function checkMode(mode: DataprocMode): DataprocMode {
  if (Object.hasOwn(DataprocMode, mode)) return mode;
  throw invalid("mode", mode, `expected ${Object.keys(DataprocMode).map(quote).join(", ")}`);
}

function workersOf(mode: DataprocMode, given: DataprocWorkers): DataprocPlan["workers"] {
  const { count, spot = 0, upTo, type = "n2-standard-4" } = given;
  const whole = (setting: string, value: number) => {
    if (!Number.isInteger(value) || value < 0) throw invalid(setting, value, "expected a whole number, 0 or more");
  };
  whole("workers.count", count);
  whole("workers.spot", spot);
  if (upTo !== undefined) whole("workers.upTo", upTo);
  if (mode === DataprocMode.batch) {
    if (count < 2) throw invalid("workers.count", count, "a batch has 2 executors or more");
    if (spot > 0)
      throw refusal`${arg("workers.spot")} is ${spot} and ${arg("mode")} is "batch", which has no spot machines: leave it out`;
    if (upTo !== undefined && upTo < count)
      throw refusal`${arg("workers.upTo")} is ${upTo} and ${arg("workers.count")} is ${count}: give as many or more, or leave it out`;
    return { count, spot, type, ...(upTo !== undefined && { upTo }) };
  }
  if (count === 1) {
    throw invalid(
      "workers.count",
      count,
      "Dataproc takes 2 or more, or 0, with which the primary node does all the work",
    );
  }
  if (count === 0 && (spot > 0 || upTo !== undefined)) {
    throw refusal`${arg("workers.count")} is 0, and a cluster of one node has no spot machines: take 2, or leave ${arg("workers.spot")} and ${arg("workers.upTo")} out`;
  }
  if (upTo !== undefined && upTo < Math.max(spot, 1)) {
    throw refusal`${arg("workers.upTo")} is ${upTo} and ${arg("workers.spot")} is ${spot}: give as many or more, or leave it out`;
  }
  return { count, spot, type, ...(upTo !== undefined && { upTo }) };
}

/** @throws UsageError for a type that isn't known, or that Dataproc's daemons don't fit on. */
function checkMachine(setting: string, type: string): void {
  const { vcpus, memoryGiB, family } = machineType(type, setting);
  if (family === "n4") {
    throw refusal`${arg(setting)} is ${quote(type)}, which takes none of the disks that are made here: take "n2-standard-4", say`;
  }
  if (vcpus >= 2 && memoryGiB >= 7) return;
  throw refusal`${arg(setting)} is ${quote(type)}, with ${memoryGiB} GB of memory: Dataproc needs 2 vCPUs and 7 GB; take "n2-standard-2" or a larger one`;
}

/** @throws UsageError for an image whose Python the job's wheels are not for. */
function checkImage(version: string): string {
  if (/^2\.[23](\.\d+)?(-(debian12|ubuntu22|rocky9))?$/.test(version)) return version;
  throw invalid(
    "imageVersion",
    version,
    'expected one of 2.2 or 2.3, such as "2.3-debian12" or "2.3.13-debian12", which have Spark 3.5 and Python 3.11',
  );
}

/** @throws UsageError for a runtime whose Python the job's wheels are not for. */
function checkRuntime(version: string): string {
  if (version === "2.3") return version;
  throw invalid("runtimeVersion", version, 'expected "2.3", which has Spark 3.5 and Python 3.11');
}

function idleOf(mode: DataprocMode, { idle }: Lifetime, deadline: number): number | undefined {
  if (mode !== DataprocMode.cluster) {
    if (!idle) return undefined;
    throw refusal`${arg("lifetime.idle")} is ${quote(idle)} and ${arg("mode")} is ${quote(mode)}, whose machines end with the run: leave it out, or take mode "cluster"`;
  }
  const given = idle ?? "15 minutes";
  const span = seconds(given, "lifetime.idle");
  if (span < seconds(IDLE[0]) || span > seconds(IDLE[1])) {
    throw invalid("lifetime.idle", idle, `Dataproc takes "${IDLE[0]}" to "${IDLE[1]}"`);
  }
  return Math.min(span, deadline);
}

/** A batch's driver has 4 cores, and 1 to 7.4 GB for each of them. */
function checkDriver(mode: DataprocMode, driverMemory: Size | undefined): void {
  if (mode !== DataprocMode.batch || driverMemory === undefined) return;
  const given = mebibytes(driverMemory, "driverMemory");
  if (given >= 4096 && given <= 24_576) return;
  throw invalid("driverMemory", driverMemory, 'a batch\'s driver takes "4 GB" to "24 GB"');
}

/** What each mode can do for a job. */
function checkJob(mode: DataprocMode, { job, secrets, network, kerberos }: DataprocPlanArgs): void {
  for (const step of job.steps) {
    const where = `job ${quote(job.name)}, step ${quote(step.name)}`;
    if (step.packages.length > 0 && (network === undefined || network instanceof GcpNetwork)) {
      throw new UsageError(
        `${where} has packages, and machines without a public address reach no Maven repository: give the jar as a file of the step, or a network of yours with a way to the internet`,
      );
    }
    if (step.jar && mode === DataprocMode.batch) {
      throw new UsageError(`${where} is a jar, which mode "batch" can't run: take mode "workflow"`);
    }
  }
  if (kerberos && mode === DataprocMode.batch) {
    throw refusal`${arg("kerberos")} is set and ${arg("mode")} is "batch", which has no services of its own: leave it out`;
  }
  bucketsToRead(job);
  givenSecrets(job, secrets);
}

/**
 * Names of the buckets that the machines are let read: those given, and each of the job's that isn't among them.
 *
 * @param lake name of the lake's bucket, which they can read as it is.
 * @throws UsageError when the job reads what is not in Cloud Storage.
 */
export function bucketsToRead(job: Job, given: readonly string[] = [], lake?: string): readonly string[] {
  const elsewhere = (job.reads ?? []).find((address) => !address.startsWith("gs://"));
  if (elsewhere !== undefined) {
    throw refusal`${arg("job.reads")} has ${quote(elsewhere)}, and Dataproc's machines can be let read nothing but Cloud Storage: copy it there and give that address, such as "gs://bucket/prefix"`;
  }
  const own = new Set((job.reads ?? []).map((address) => address.split("/")[2] as string));
  return [...given, ...[...own].filter((bucket) => bucket !== lake && !given.includes(bucket))];
}
