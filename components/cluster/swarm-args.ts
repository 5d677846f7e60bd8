import { resolve } from "node:path";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { dockerName } from "../core/docker-names.ts";
import { quote, UsageError } from "../core/errors.ts";
import { mebibytes, type Size } from "../core/size.ts";
import type { Transform } from "../core/transform.ts";
import type { Job } from "../job/job.ts";
import { checkRunId } from "../job/run.ts";
import { deadlineSeconds, type Lifetime } from "../lifetime/lifetime.ts";

/** Spark takes some seconds to start. */
export const SWARM_DEADLINES = ["1 minute", "30 days"] as const;

/** Docker refuses longer names of secrets and configs. */
const LONGEST_SECRET_NAME = 64;
/** So that with the longest of our own endings a secret's name is not too long, nor one of a service (63). */
const LONGEST_PREFIX = 30;

export interface SwarmWorkers {
  /** How many, spread over the nodes. @default 3 */
  readonly count?: number;
  /** Tasks of Spark that each runs at a time. @default 1 */
  readonly cores?: number;
  /** Memory of each, all included: four tenths become the executor's Java heap, the rest is for Python. @default "1.5 GB" */
  readonly memory?: Size;
}

export interface SwarmHdfs {
  /** How many datanodes, spread over the nodes. @default 1 */
  readonly datanodes?: number;
  /** Copies of each block, at most one per datanode. @default 2, or 1 with one datanode */
  readonly replication?: number;
}

export interface SwarmImages {
  /** Spark, JupyterLab, the gateway and the job's libraries. @default built from assets/images/spark */
  readonly spark?: pulumi.Input<string> | undefined;
  /** Namenode and datanodes. @default built from assets/images/hdfs */
  readonly hdfs?: pulumi.Input<string> | undefined;
  /** @default the official image, by digest */
  readonly mongo?: pulumi.Input<string> | undefined;
  /** @default the official image, by digest */
  readonly mongoExpress?: pulumi.Input<string> | undefined;
}

/** A folder on the Swarm's node, such as a `LocalLake`. */
export interface FolderLake {
  /** Absolute path. */
  readonly path: string;
}

/** A lake that is reached by address, such as an `S3Lake`. */
export interface ObjectLake {
  /** `s3://bucket/prefix` or `gs://bucket/prefix`. */
  readonly uri: pulumi.Input<string>;
  /** AWS region of the bucket. @default none: needed for `s3://` */
  readonly region?: pulumi.Input<string>;
}

export interface SwarmClusterArgs {
  /** What to run. */
  readonly job: Job;
  /** Where the results go: a folder of the node that {@link SwarmClusterArgs.node} names, or S3 or GCS. */
  readonly lake: FolderLake | ObjectLake;
  /** The run is ended at its deadline, which is within {@link SWARM_DEADLINES}; the services stay until `destroy`. */
  readonly lifetime: Pick<Lifetime, "deadline">;
  /**
   * Names the run. A run is executed once: only a new id computes again, and old runs stay in the lake.
   * @default "1"
   */
  readonly runId?: string;
  readonly workers?: SwarmWorkers;
  /** Memory of the driver, all included. @default "1 GB" */
  readonly driverMemory?: Size;
  /** Scratch that all nodes share; the job's tables are written there first. @default one datanode; `false`: none */
  readonly hdfs?: SwarmHdfs | false;
  /** JupyterLab with PySpark. @default true */
  readonly notebook?: boolean;
  /** MongoDB and mongo-express, for jobs and notebooks. @default false */
  readonly mongo?: boolean;
  /** Values of the secrets that the job's steps name; `mongo-uri` is made where there is MongoDB. @default none */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /** Files and folders of the nodes that the steps read, by absolute path; mounted read-only. @default none */
  readonly reads?: readonly string[];
  /**
   * Credentials of an {@link ObjectLake}: the text of an AWS credentials file, or of a Google service account's key.
   * @default none: needed for a lake that is reached by address
   */
  readonly credentials?: pulumi.Input<string>;
  /** Placement of what needs a folder of its node. @default "node.role==manager" */
  readonly node?: string;
  /** User and group that own the lake's folder, "1000:1000". @default who runs Pulumi */
  readonly user?: string;
  /** First of the ports on 127.0.0.1 that lead to the user interfaces. @default 8766 */
  readonly port?: number;
  readonly images?: SwarmImages;
  /** Arguments of the Dockerfiles: BASE (Debian 12), MAVEN (a Maven repository). @default what they say */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Where Docker is, as the docker provider is told: "ssh://user@machine". @default setting `docker:host`, else what the docker command takes */
  readonly host?: string;
  /** Where built images are pushed, so that all nodes can have them: "registry.example.com/team". @default this machine alone */
  readonly registry?: string;
  /** Changes a child just before it is made. */
  readonly transform?: {
    readonly network?: Transform<docker.NetworkArgs>;
    readonly service?: Transform<docker.ServiceArgs>;
    readonly gateway?: Transform<docker.ContainerArgs>;
  };
}

/** The arguments with defaults filled in, checked. */
export interface SwarmPlan {
  /** Begins the names of all that is made, "oneoff-swarm". */
  readonly prefix: string;
  readonly runId: string;
  readonly deadlineSeconds: number;
  readonly workers: { readonly count: number; readonly cores: number; readonly memoryMebibytes: number };
  readonly driverMebibytes: number;
  readonly hdfs?: { readonly datanodes: number; readonly replication: number };
  /** Absolute path of a lake that is a folder. */
  readonly folder?: string;
  readonly user: string;
  readonly node: string;
  readonly port: number;
  readonly host: string | undefined;
  /** Names of the secrets that the job's steps get. */
  readonly jobSecrets: readonly string[];
  /** Absolute paths. */
  readonly reads: readonly string[];
}

/** @throws UsageError for what Docker, Spark or HDFS would refuse later. */
export function swarmPlan(args: SwarmClusterArgs): SwarmPlan {
  const prefix = dockerPrefix();
  const runId = checkRunId(args.runId ?? "1");
  const hdfs = args.hdfs === false ? undefined : checkHdfs(args.hdfs ?? {});
  const folder = "path" in args.lake ? checkPath(args.lake.path, "lake") : undefined;
  if (folder === undefined && args.credentials === undefined) {
    throw new UsageError(
      "credentials is not set: the Swarm's machines need them to write to the lake; give the text of an AWS credentials file or of a Google service account's key",
    );
  }
  const jobSecrets = secretNames(args);
  for (const name of jobSecrets) checkSecretName(prefix, name);
  return {
    prefix,
    runId,
    deadlineSeconds: deadlineSeconds(args.lifetime, ...SWARM_DEADLINES),
    workers: checkWorkers(args.workers ?? {}),
    driverMebibytes: atLeast(512, args.driverMemory ?? "1 GB", "driverMemory"),
    ...(hdfs && { hdfs }),
    ...(folder !== undefined && { folder }),
    user: checkUser(args.user),
    node: args.node ?? "node.role==manager",
    port: checkPort(args.port ?? 8766),
    host: args.host ?? new pulumi.Config("docker").get("host"),
    jobSecrets,
    reads: (args.reads ?? []).map((path) => checkPath(path, "reads")),
  };
}

/** How everything of a stack is called in a Swarm, which has one space of names for all: "oneoff-swarm". */
export function dockerPrefix(): string {
  const prefix = dockerName(pulumi.getProject(), pulumi.getStack());
  if (prefix.length <= LONGEST_PREFIX) return prefix;
  throw new UsageError(
    `stack is ${quote(pulumi.getStack())}: names in Docker begin with ${quote(prefix)}, of which they can have ${LONGEST_PREFIX} characters; take a shorter name`,
  );
}

/** Name of a secret or config: what it holds is in it, because Docker can't change one. */
export const contentName = (prefix: string, name: string, digest: string): string => `${prefix}-${name}-${digest}`;

/** The digest's length in such a name. */
export const DIGEST_LENGTH = 12;

function checkSecretName(prefix: string, name: string): void {
  const whole = contentName(prefix, `job-${name}`, "0".repeat(DIGEST_LENGTH));
  if (whole.length <= LONGEST_SECRET_NAME) return;
  throw new UsageError(
    `secret ${quote(name)} is ${whole.length - LONGEST_SECRET_NAME} characters too long: Docker takes ${LONGEST_SECRET_NAME} for ${quote(`${prefix}-job-${name}-DIGEST`)}; rename it in the job`,
  );
}

function secretNames({ job, secrets = {}, mongo }: SwarmClusterArgs): readonly string[] {
  const wanted = [...new Set(job.steps.flatMap((step) => step.secrets))];
  for (const name of wanted) {
    if (name in secrets || (mongo && name === "mongo-uri")) continue;
    throw new UsageError(
      name === "mongo-uri"
        ? `job ${quote(job.name)} wants MongoDB, and mongo is not true: set it, or give secrets a "mongo-uri" of yours`
        : `secrets has no ${quote(name)}, which job ${quote(job.name)} asks for`,
    );
  }
  return wanted;
}

function checkWorkers({ count = 3, cores = 1, memory = "1.5 GB" }: SwarmWorkers): SwarmPlan["workers"] {
  whole(count, "workers.count");
  whole(cores, "workers.cores");
  return { count, cores, memoryMebibytes: atLeast(1024, memory, "workers.memory") };
}

function checkHdfs({ datanodes = 1, replication }: SwarmHdfs): NonNullable<SwarmPlan["hdfs"]> {
  whole(datanodes, "hdfs.datanodes");
  const copies = replication ?? Math.min(2, datanodes);
  whole(copies, "hdfs.replication");
  if (copies > datanodes) {
    throw new UsageError(
      `hdfs.replication is ${copies} and hdfs.datanodes is ${datanodes}: a block has at most one copy per datanode; lower the first or raise the second`,
    );
  }
  return { datanodes, replication: copies };
}

function whole(value: number, argument: string): void {
  if (Number.isInteger(value) && value > 0) return;
  throw new UsageError(`${argument} is ${quote(value)}: expected a whole number above zero`);
}

function atLeast(least: number, size: Size, argument: string): number {
  const given = mebibytes(size, argument);
  if (given >= least) return given;
  throw new UsageError(`${argument} is ${quote(size)}: Spark and Python need at least "${least} MB" there`);
}

/** The first of ports that are used one after another. @throws UsageError when they go beyond the last. */
export function checkPort(port: number): number {
  const last = 65_535 - 4;
  if (Number.isInteger(port) && port > 0 && port <= last) return port;
  throw new UsageError(
    `port is ${quote(port)}: expected a whole number from 1 to ${last}, as the next ones are used too`,
  );
}

/** Who owns what a lake's folder gets: by default who runs this program. @throws UsageError when it isn't "1000:1000". */
export function checkUser(user = `${process.getuid?.() ?? 10_001}:${process.getgid?.() ?? 10_001}`): string {
  if (/^\d+:\d+$/.test(user)) return user;
  throw new UsageError(`user is ${quote(user)}: expected two numbers, of an owner and of a group, such as "1000:1000"`);
}

function checkPath(path: string, argument: string): string {
  if (path.startsWith("/") && !path.includes(",")) return resolve(path);
  throw new UsageError(`${argument} is ${quote(path)}: expected an absolute path without a comma`);
}
