import { resolve } from "node:path";
import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { firstPort, givenSecrets, neededSecrets } from "../../core/checks.ts";
import { dockerName } from "../../core/docker-names.ts";
import { arg, invalid, quote, refusal, UsageError } from "../../core/errors.ts";
import { type Job, readsInAll } from "../../core/job.ts";
import { deadlineSeconds, type Lifetime } from "../../core/lifetime.ts";
import type { Size } from "../../core/size.ts";
import { runIdOf } from "../common/run-id.ts";
import { type HdfsArgs, type HdfsPlan, hdfsPlan } from "../common/services/hdfs.ts";
import { type SparkWorkers, sparkMemory, type WorkersArgs, workersPlan } from "../common/services/spark.ts";
import type { Transform } from "../common/transform.ts";

/** Spark takes some seconds to start. */
export const SWARM_DEADLINES = ["1 minute", "30 days"] as const;

/** Of the digest at the end of the name of a secret, a config or an image. */
export const DIGEST_LENGTH = 12;
/** Docker refuses longer names of secrets and configs; those of services may have one character less. */
const LONGEST_SECRET_NAME = 64;
/** The longest of our own names of secrets, and its digest. */
const LONGEST_ENDING = "-notebook-token-".length + DIGEST_LENGTH;

/** Workers, spread over the nodes. */
export type SwarmWorkers = WorkersArgs;

/** HDFS, its datanodes spread over the nodes. */
export type SwarmHdfs = HdfsArgs;

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
  /** The job whose tables lie in it. @default none: what works over the lake must be given it */
  readonly job?: Job;
}

/** A lake that is reached by address, such as an `S3Lake`. */
export interface ObjectLake {
  /** `s3://bucket/prefix` or `gs://bucket/prefix`. */
  readonly uri: pulumi.Input<string>;
  /** The job whose tables lie in it. @default none: what works over the lake must be given it */
  readonly job?: Job;
}

export interface SwarmClusterArgs {
  /** What to run. Another job than the lake's is refused; the steps' arguments may be others. @default that of a lake that has one */
  readonly job?: Job;
  /** Where the results go: a folder of the node that `node` names, or S3 or GCS, by way of HDFS. */
  readonly lake: FolderLake | ObjectLake;
  /** The run is ended at its deadline, which is within {@link SWARM_DEADLINES}; the services stay until `destroy`. */
  readonly lifetime: Pick<Lifetime, "deadline">;
  /**
   * Names the run. A run is executed once: only a new id computes again, and old runs stay in the lake.
   * @default the stack's setting `oneoff:runId`, which `npx --no oneoff run` sets, else "1"
   */
  readonly runId?: string;
  readonly workers?: SwarmWorkers;
  /** Memory of the driver, all included. @default "1 GB" */
  readonly driverMemory?: Size;
  /**
   * Scratch that all nodes share; the job's tables are written there first. Without it (`false`) the lake must be a folder,
   * and all workers are on its node.
   * @default one datanode
   */
  readonly hdfs?: SwarmHdfs | false;
  /** JupyterLab with PySpark, and with notebooks that read a lake that is a folder. @default true */
  readonly notebook?: boolean;
  /** MongoDB and mongo-express, for jobs and notebooks. @default false */
  readonly mongo?: boolean;
  /** Values of the secrets that the job's steps name; `mongo-uri` is made where there is MongoDB. @default none */
  readonly secrets?: Readonly<Record<string, pulumi.Input<string>>>;
  /**
   * Files and folders of the nodes that the steps read beside those of the job's `reads`, by absolute path. All are mounted
   * read-only, and what lies within another with it. @default none
   */
  readonly reads?: readonly string[];
  /** Where they are, the job's too: a placement constraint of the workers. @default `node` */
  readonly readsOn?: string;
  /**
   * What opens addresses that begin with `s3://` or `gs://`, of the lake or of what the steps read: the text of an AWS
   * credentials file, or of a Google service account's key.
   * @default none: needed for a lake that is reached by address
   */
  readonly credentials?: pulumi.Input<string>;
  /** AWS region of what is on S3. @default none: needed for `s3://` */
  readonly region?: pulumi.Input<string>;
  /** Where the lake's folder is: a placement constraint of what needs it. @default "node.role==manager" */
  readonly node?: string;
  /** Encrypt what the containers send each other from node to node. Some kernels can't, such as WSL's. @default true */
  readonly encrypted?: boolean;
  /** User and group that own the lake's folder, "1000:1000". @default who runs Pulumi */
  readonly user?: string;
  /** First of the ports on 127.0.0.1 that lead to the user interfaces. @default 8766 */
  readonly port?: number;
  readonly images?: SwarmImages;
  /** Arguments of the Dockerfiles: BASE (Debian 12), MAVEN (a Maven repository). @default what they say */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Where built images are pushed, so that all nodes can have them: "registry.example.com/team". @default this machine alone */
  readonly registry?: string;
  /** Changes a child just before it is made. */
  readonly transform?: {
    readonly network?: Transform<docker.NetworkArgs>;
    readonly service?: Transform<docker.ServiceArgs>;
    readonly gateway?: Transform<docker.ContainerArgs>;
  };
}

/** The arguments, with the job. */
export type SwarmPlanArgs = SwarmClusterArgs & { readonly job: Job };

/** The arguments with defaults filled in, checked. */
export interface SwarmPlan {
  /** Begins the names of all that is made, "oneoff-swarm". */
  readonly prefix: string;
  readonly runId: string;
  readonly deadlineSeconds: number;
  readonly workers: SparkWorkers;
  readonly driverMebibytes: number;
  readonly hdfs?: HdfsPlan;
  /** Absolute path of a lake that is a folder. */
  readonly folder?: string;
  readonly user: string;
  readonly node: string;
  readonly readsOn: string;
  readonly port: number;
  /** Names of the secrets that the job's steps get. */
  readonly jobSecrets: readonly string[];
  /** Absolute paths. */
  readonly reads: readonly string[];
}

/** Names of the pages a cluster can have, in the order of their ports: each has its own, whichever others there are. */
export const PAGES: readonly string[] = ["spark", "history", "hdfs", "notebook", "mongo"];

const MANAGER = "node.role==manager";

/** @throws UsageError for what Docker, Spark or HDFS would refuse later. */
export function swarmPlan(args: SwarmPlanArgs): SwarmPlan {
  const prefix = dockerPrefix();
  const runId = runIdOf(args.runId);
  const hdfs = args.hdfs === false ? undefined : hdfsPlan(args.hdfs ?? {});
  const folder = "path" in args.lake ? checkPath(args.lake.path, "lake") : undefined;
  if (folder === undefined) checkObjectLake(args, hdfs !== undefined);
  checkRegistry(args.registry);
  return {
    prefix,
    runId,
    deadlineSeconds: deadlineSeconds(args.lifetime, ...SWARM_DEADLINES),
    workers: workersPlan(args.workers ?? {}),
    driverMebibytes: sparkMemory(512, "driverMemory", args.driverMemory ?? "1 GB"),
    ...(hdfs && { hdfs }),
    ...(folder !== undefined && { folder }),
    user: checkUser(args.user),
    node: args.node ?? MANAGER,
    readsOn: args.readsOn ?? args.node ?? MANAGER,
    port: checkPort(args.port ?? 8766),
    jobSecrets: secretNames(args),
    reads: readsOf(args),
  };
}

/** Paths to mount. What is at an address is opened by `credentials`. */
function readsOf({ job, lake, reads = [] }: SwarmPlanArgs): readonly string[] {
  const own = (job.reads ?? []).filter((address) => address.startsWith("/"));
  const given = reads.map((path) => checkPath(path, "reads"));
  const all = readsInAll(
    [...new Set(given)],
    own.map((path) => checkPath(path, "job.reads")),
  );
  return all.filter((path) => !("path" in lake && path === resolve(lake.path))); // the lake is mounted as it is
}

/** How everything of a stack is called in a Swarm, which has one space of names for all: "oneoff-swarm". */
export function dockerPrefix(): string {
  const prefix = dockerName(pulumi.getProject(), pulumi.getStack());
  const longest = LONGEST_SECRET_NAME - LONGEST_ENDING;
  if (prefix.length <= longest) return prefix;
  throw new UsageError(
    `stack is ${quote(pulumi.getStack())}: with ${quote(prefix)} before them the names of secrets are ${prefix.length - longest} characters too long for Docker; take a shorter one`,
  );
}

/** Name of a secret or config: what it holds is in it, because Docker can't change one. */
export const contentName = (prefix: string, name: string, digest: string): string => `${prefix}-${name}-${digest}`;

function checkObjectLake({ credentials }: SwarmClusterArgs, hdfs: boolean): void {
  if (credentials === undefined) {
    throw refusal`${arg("credentials")} is not set: the Swarm's machines need them to write to the lake; give the text of an AWS credentials file or of a Google service account's key`;
  }
  if (!hdfs) {
    throw refusal`${arg("hdfs")} is false and ${arg("lake", "the lake")} is no folder: Spark reads tables from one of them; set hdfs, or take a folder`;
  }
}

/** The provider doesn't look at what "docker login" wrote, unless it is told of the registry. */
function checkRegistry(registry: string | undefined): void {
  if (registry === undefined || new pulumi.Config("docker").get("registryAuth") !== undefined) return;
  const [address = ""] = registry.split("/");
  throw refusal`${arg("registry")} is ${quote(registry)} and the docker provider doesn't know it: pulumi config set --path "docker:registryAuth[0].address" ${address} (it takes what "docker login" wrote; for a registry without a login set "docker:registryAuth[0].authDisabled" to true too)`;
}

function secretNames({ job, secrets, mongo }: SwarmPlanArgs): readonly string[] {
  const names = neededSecrets(job);
  if (names.includes("lake-credentials")) {
    throw new UsageError(
      `job ${quote(job.name)} has a secret "lake-credentials": that is what the lake's own are called; rename it`,
    );
  }
  const given = { ...(mongo && { "mongo-uri": true }), ...secrets };
  if (names.includes("mongo-uri") && !("mongo-uri" in given)) {
    throw new UsageError(
      `job ${quote(job.name)} wants MongoDB, and mongo is not true: set it, or give secrets a "mongo-uri" of yours`,
    );
  }
  return givenSecrets(job, given);
}

/** The first of the pages' ports. @throws UsageError when they go beyond the last. */
export const checkPort = (port: number): number => firstPort("port", port, PAGES.length);

/** Who owns what a lake's folder gets: by default who runs this program. @throws UsageError when it isn't "1000:1000". */
export function checkUser(user = `${process.getuid?.() ?? 10_001}:${process.getgid?.() ?? 10_001}`): string {
  if (/^\d+:\d+$/.test(user)) return user;
  throw invalid("user", user, 'expected two numbers, of an owner and of a group, such as "1000:1000"');
}

function checkPath(path: string, argument: string): string {
  if (path.startsWith("/") && !path.includes(",")) return resolve(path);
  throw invalid(argument, path, "expected an absolute path without a comma");
}
