/** A fleet as moto has it: machines and a group with its tags, a lake; what machines report is put there by the test. */
import {
  AutoScalingClient,
  CreateAutoScalingGroupCommand,
  CreateLaunchConfigurationCommand,
} from "@aws-sdk/client-auto-scaling";
import { EC2Client, RunInstancesCommand } from "@aws-sdk/client-ec2";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { fleetKeys, type NodeReport, type ReaperReport } from "../../core/fleet-lake.ts";
import type { NodeRole } from "../../core/node-role.ts";

export const BUCKET = "oneoff-team-lake-0a1b2c3d";
export const FLEET = "fleet";
export const keys = fleetKeys(FLEET);

/** Outputs of the stack. */
export const OUTPUTS = {
  cluster: "gpu-fleet",
  fleet: FLEET,
  run: "1",
  lake: `s3://${BUCKET}`,
  region: "us-west-2",
  deadline: "8 hours",
  colleaguePolicy: '{"Version":"2012-10-17"}',
  bill: [
    { what: "namenode, m6i.large", usdPerHour: 0.1, hours: 8, usd: 0.8 },
    { what: "2 workers, g6.xlarge", usdPerHour: 1.6, hours: 8, usd: 12.8 },
  ],
};

let client: S3Client | undefined;
/** Made when moto has told where it is. */
export const s3 = (): S3Client => {
  client ??= new S3Client({});
  return client;
};
export const put = (key: string, value: unknown) =>
  s3().send(
    new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: typeof value === "string" ? value : JSON.stringify(value) }),
  );
export const text = async (key: string): Promise<string> =>
  (await (await s3().send(new GetObjectCommand({ Bucket: BUCKET, Key: key }))).Body?.transformToString()) ?? "";
export const listed = async (prefix: string): Promise<readonly string[]> =>
  ((await s3().send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: prefix }))).Contents ?? []).map(
    ({ Key }) => Key as string,
  );

export const makeLake = () =>
  s3().send(
    new CreateBucketCommand({ Bucket: BUCKET, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }),
  );

export const tagsOf = (role: NodeRole, more: Readonly<Record<string, string>> = {}) =>
  Object.entries({
    "oneoff:stack": "oneoff/team",
    "oneoff:lake": BUCKET,
    "oneoff:cluster": FLEET,
    "oneoff:role": role,
    ...more,
  }).map(([Key, Value]) => ({ Key, Value }));

/** Rents a machine. @returns its id and its address. */
export async function machine(role: NodeRole, more: Readonly<Record<string, string>> = {}, type = "m6i.large") {
  const request = new RunInstancesCommand({
    ...{ MinCount: 1, MaxCount: 1, ImageId: "ami-12c6146b", InstanceType: type as "m6i.large" },
    TagSpecifications: [{ ResourceType: "instance", Tags: tagsOf(role, more) }],
  });
  const { Instances: [made] = [] } = await new EC2Client({}).send(request);
  return { id: made?.InstanceId as string, address: made?.PrivateIpAddress as string };
}

/** @param desired workers of it; there are none before they are asked for. */
export async function workerGroup(
  desired: number,
  most = 2,
  name = "workers",
  more: Readonly<Record<string, string>> = {},
) {
  const scaling = new AutoScalingClient({});
  const LaunchConfigurationName = `${name}-launch`;
  await scaling.send(
    new CreateLaunchConfigurationCommand({
      LaunchConfigurationName,
      ImageId: "ami-12c6146b",
      InstanceType: "g6.xlarge",
    }),
  );
  await scaling.send(
    new CreateAutoScalingGroupCommand({
      ...{ AutoScalingGroupName: name, LaunchConfigurationName, AvailabilityZones: ["us-west-2a"] },
      ...{ MinSize: 0, MaxSize: most, DesiredCapacity: desired },
      Tags: tagsOf("worker", more).map((tag) => ({ ...tag, PropagateAtLaunch: true })),
    }),
  );
}

export const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();

/** A report that nothing is wrong with. */
export const report = (node: string, role: NodeRole, instance: string, more: Partial<NodeReport> = {}): NodeReport => ({
  ...{ node, role, instance, type: "m6i.large", zone: "us-west-2a", reported: ago(20), state: "ready", problem: null },
  services: [],
  idle: { busy: false, reasons: [], idleSince: ago(600), looked: ago(20) },
  ...{ gpus: [], sessions: [], hostKeys: [], notebooks: [], pages: {}, usersConfirmed: ago(30), taken: null },
  ...more,
});
export const reports = (...all: readonly NodeReport[]) => Promise.all(all.map((one) => put(keys.node(one.node), one)));

export const reaper = (more: Partial<ReaperReport> = {}) =>
  put(keys.reaper, {
    ...{ looked: ago(60), ends: ago(-3 * 3600), idleSince: null, why: [], workersGo: null, nodesStop: null },
    ...more,
  });
