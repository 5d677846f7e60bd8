/** `_launches/<run>.json`: who launches a run, and then its cluster. Each write replaces what was read, or fails. */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from "@aws-sdk/client-s3";
import { Prefix } from "../../core/lake-layout.ts";
import { statusOf } from "../wheels/s3-store.ts";
import type { Context } from "./context.ts";
import type { Launched } from "./event.ts";

/** Somebody is launching the run. */
export interface Claim {
  readonly run: string;
  readonly digest: string;
  /** Since when: a cluster of this claim was created no earlier. */
  readonly claimed: string;
  /** Who holds it is gone by then, whatever happened. A claim that was given back ends when it was. */
  readonly until: string;
  /** Stack and component. */
  readonly owner: string;
  /** One invocation. */
  readonly holder: string;
  /** The request to EMR is on its way: it can no longer be called off. */
  readonly renting?: true;
}

export interface Entry<T extends Claim | Launched = Claim | Launched> {
  readonly record: T;
  readonly etag: string;
}

export const isLaunched = (entry: Entry): entry is Entry<Launched> => "cluster" in entry.record;

/** Whether somebody may still be at it. */
export const isHeld = (claim: Claim, now: Date): boolean => Date.parse(claim.until) > now.getTime();

const keyOf = (run: string) => `${Prefix.launches}/${run}.json`;

/** What is known of a run's launch; undefined when nobody has begun one. */
export async function readEntry({ s3 }: Context, bucket: string, run: string): Promise<Entry | undefined> {
  try {
    const { Body, ETag } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(run) }));
    return { record: JSON.parse((await Body?.transformToString()) ?? ""), etag: ETag as string };
  } catch (error) {
    if ((error as Error).name === "NoSuchKey") return undefined;
    throw error;
  }
}

/** Writes in place of `before` (undefined: where nothing is). Returns undefined when somebody else was faster. */
export async function writeEntry<T extends Claim | Launched>(
  context: Context,
  bucket: string,
  record: T,
  before: Entry | undefined,
): Promise<Entry<T> | undefined> {
  const Body = JSON.stringify(record);
  const condition = before ? { IfMatch: before.etag } : { IfNoneMatch: "*" };
  try {
    const { ETag } = await context.s3.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: keyOf(record.run),
        Body,
        ContentType: "application/json",
        ...condition,
      }),
    );
    return { record, etag: ETag as string };
  } catch (error) {
    const status = statusOf(error);
    const gone = status === 404 && (error as Error).name !== "NoSuchBucket";
    if (status !== 412 && status !== 409 && !gone) throw error;
    // The SDK tries again when an answer is lost, and then finds what it wrote itself.
    const there = await readEntry(context, bucket, record.run);
    return there && JSON.stringify(there.record) === Body ? { record, etag: there.etag } : undefined;
  }
}

/** The runs whose record changed since `since`. None when the bucket is gone. */
export async function runsSince({ s3 }: Context, bucket: string, since: Date): Promise<readonly string[]> {
  const runs: string[] = [];
  try {
    for (let token: string | undefined, more = true; more; more = token !== undefined) {
      const page = await s3.send(
        new ListObjectsV2Command({ Bucket: bucket, Prefix: `${Prefix.launches}/`, ContinuationToken: token }),
      );
      for (const { Key = "", LastModified } of page.Contents ?? []) {
        if (LastModified && LastModified >= since) runs.push(Key.slice(Prefix.launches.length + 1, -".json".length));
      }
      token = page.NextContinuationToken;
    }
  } catch (error) {
    if ((error as Error).name !== "NoSuchBucket") throw error;
  }
  return runs;
}
