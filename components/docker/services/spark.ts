import type * as pulumi from "@pulumi/pulumi";
import type { Mount } from "../../../core/service.ts";
import type { SwarmClusterArgs, SwarmPlan } from "../args.ts";
import { type SwarmServiceFile, secretFile } from "../files.ts";
import { eventsAddress, executorHeap } from "../run.ts";
import type { SwarmService } from "../service.ts";

/** Memory limit in MiB of what doesn't compute, and its Java heap. */
const MEMORY_MEBIBYTES = 320;
const HEAP = "192m";

/** What opens the lake, and what the steps read, where that has an address. */
export interface Credentials {
  readonly file: SwarmServiceFile;
  readonly env: Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * Spark: a master, workers and the history server.
 *
 * @param rpc what they know each other by.
 * @param credentials what the workers open addresses with.
 */
export function sparkServices(
  plan: SwarmPlan,
  image: pulumi.Input<string>,
  rpc: SwarmServiceFile,
  credentials: Credentials | undefined,
): readonly SwarmService[] {
  const { user, hdfs, workers } = plan;
  const common = { image, user, env: { SPARK_DAEMON_MEMORY: HEAP }, files: [rpc], memoryMebibytes: MEMORY_MEBIBYTES };
  return [
    {
      ...common,
      name: "master",
      command: ["master"],
      listens: { rpc: 7077, http: 8080 },
      pages: [{ name: "spark", listen: "http" }],
      health: ["/opt/oneoff/healthy", "master"],
    },
    {
      ...common,
      name: "worker",
      command: ["worker"],
      replicas: workers.count,
      memoryMebibytes: workers.memoryMebibytes,
      env: {
        ...common.env,
        SPARK_WORKER_CORES: String(workers.cores),
        SPARK_WORKER_MEMORY: `${executorHeap(plan)}m`,
        ...credentials?.env,
      },
      files: [rpc, ...(credentials ? [credentials.file] : [])],
      // With HDFS they write there; without it they write to the lake themselves.
      mounts: [...readMounts(plan), ...(hdfs ? [] : lakeMounts(plan))],
      health: ["/opt/oneoff/healthy", "worker"],
    },
    {
      ...common,
      name: "history",
      command: ["history"],
      env: { ...common.env, ...sparkEnv(plan) },
      listens: { http: 18080 },
      pages: [{ name: "history", listen: "http" }],
      mounts: hdfs ? [] : lakeMounts(plan),
      health: ["/opt/oneoff/healthy", "history"],
    },
  ];
}

/** What a driver of Spark and the history server must know of HDFS. */
export const sparkEnv = (plan: SwarmPlan): Readonly<Record<string, string>> => ({
  ONEOFF_EVENTS: eventsAddress(plan),
  ...(plan.hdfs && { HDFS_REPLICATION: String(plan.hdfs.replication) }),
});

/** The lake, where it is a folder. */
export const lakeMounts = ({ folder }: SwarmPlan): readonly Mount[] =>
  folder === undefined ? [] : [{ path: folder, readOnly: false }];

/** What the steps read beside it. */
export const readMounts = ({ reads }: SwarmPlan): readonly Mount[] => reads.map((path) => ({ path, readOnly: true }));

/** Each cloud's library looks at its own variable. */
export function credentialsOf({ credentials, region }: SwarmClusterArgs): Credentials | undefined {
  if (credentials === undefined) return undefined;
  const file = secretFile("credentials", credentials);
  const env = { AWS_SHARED_CREDENTIALS_FILE: file.path, GOOGLE_APPLICATION_CREDENTIALS: file.path };
  return { file, env: { ...env, ...regionEnv(region) } };
}

/** Where what is on S3 lies. */
export const regionEnv = (region: pulumi.Input<string> | undefined): Readonly<Record<string, pulumi.Input<string>>> =>
  region === undefined ? {} : { AWS_REGION: region };
