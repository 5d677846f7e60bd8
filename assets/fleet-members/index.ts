/**
 * Runs on AWS Lambda when Pulumi makes, changes or deletes the resource of a fleet's data nodes: where some are to go it waits until
 * HDFS has their blocks elsewhere. Pulumi deletes them only then. What it throws is what the user reads.
 */
import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { type Answer, type Members, settle } from "./settle.ts";

/** What Pulumi sends, and what the provider adds to it. */
export interface MembersEvent {
  /** The lake's bucket. */
  readonly bucket: string;
  /** Where the head says what it is at. */
  readonly answer: string;
  readonly wanted: Members;
  readonly tf?: { readonly action: "create" | "update" | "delete"; readonly prev_input?: { readonly wanted: Members } };
}

/** What of Lambda's context is used. */
interface Invocation {
  getRemainingTimeInMillis(): number;
}

export const handler = async (
  event: MembersEvent,
  invocation: Invocation,
): Promise<Readonly<Record<string, never>>> => {
  const s3 = new S3Client({ maxAttempts: 6 });
  const before = event.tf?.action === "update" ? event.tf.prev_input?.wanted : undefined;
  if (before === undefined) return {}; // nobody was there, or everybody goes
  await settle(before, event.wanted, {
    answer: () => read(s3, event),
    remainingMs: () => invocation.getRemainingTimeInMillis(),
    pollMs: 5000,
    silentMs: 180_000, // it looks every five seconds
  });
  return {};
};

async function read(s3: S3Client, { bucket, answer }: MembersEvent): Promise<Answer | undefined> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: answer }));
    return JSON.parse((await Body?.transformToString()) ?? "null");
  } catch (error) {
    if (error instanceof Error && error.name === "NoSuchKey") return undefined;
    throw error;
  }
}
