import type * as pulumi from "@pulumi/pulumi";
import type { Mount } from "../../../core/service.ts";
import { eventsEnv, sparkServices } from "../../common/services/spark.ts";
import type { SwarmClusterArgs, SwarmPlan } from "../args.ts";
import { type SwarmServiceFile, secretFile } from "../files.ts";
import { eventsAddress } from "../run.ts";
import type { SwarmService } from "../service.ts";

/** What opens the lake, and what the steps read, where that has an address. */
export interface Credentials {
  readonly file: SwarmServiceFile;
  readonly env: Readonly<Record<string, pulumi.Input<string>>>;
}

/**
 * Spark in a Swarm: a master, workers and the history server, with what they see of the nodes.
 *
 * @param rpc what they know each other by.
 * @param credentials what the workers open addresses with.
 */
export function swarmSpark(
  plan: SwarmPlan,
  image: pulumi.Input<string>,
  rpc: SwarmServiceFile,
  credentials: Credentials | undefined,
): readonly SwarmService[] {
  const { user, hdfs } = plan;
  const { master, worker, history } = sparkServices(plan.workers, image, rpc, sparkEnv(plan));
  return [
    { ...master, user },
    {
      ...worker,
      user,
      env: { ...worker.env, ...credentials?.env },
      files: [rpc, ...(credentials ? [credentials.file] : [])],
      // With HDFS they write there; without it they write to the lake themselves.
      mounts: [...readMounts(plan), ...(hdfs ? [] : lakeMounts(plan))],
    },
    { ...history, user, mounts: hdfs ? [] : lakeMounts(plan) },
  ];
}

/** What a driver of Spark and the history server must know. */
export const sparkEnv = (plan: SwarmPlan): Readonly<Record<string, string>> =>
  eventsEnv(eventsAddress(plan), plan.hdfs?.replication);

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
