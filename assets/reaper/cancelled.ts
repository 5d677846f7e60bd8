/** Clusters whose run somebody asked to cancel: their end does not rest on the command that was given for it. */
import { HeadObjectCommand, type S3Client } from "@aws-sdk/client-s3";
import { cancelKey } from "../../core/lake-layout.ts";
import { Tag } from "../../core/tags.ts";
import type { Candidate, Kind } from "./overdue.ts";

/** A cluster that has to end though it is young enough. */
export interface Cancelled {
  readonly kind: Kind;
  readonly id: string;
  /** The run that is to be cancelled. */
  readonly cancelled: string;
}

/** Undefined for another stack's, and where nobody asked. */
export async function cancelled(s3: S3Client, candidate: Candidate, stack: string): Promise<Cancelled | undefined> {
  const { kind, id, tags } = candidate;
  const { [Tag.lake]: lake, [Tag.run]: run } = tags;
  if (kind !== "cluster" || tags[Tag.stack] !== stack || !lake || !run) return undefined;
  return (await isAsked(s3, lake, cancelKey(run))) ? { kind, id, cancelled: run } : undefined;
}

async function isAsked(s3: S3Client, Bucket: string, Key: string): Promise<boolean> {
  try {
    await s3.send(new HeadObjectCommand({ Bucket, Key }));
    return true;
  } catch (error) {
    const { $metadata } = error as { readonly $metadata?: { readonly httpStatusCode?: number } };
    // 403: a stack of the same name has another lake, which its own reaper may read.
    if ($metadata?.httpStatusCode === 404 || $metadata?.httpStatusCode === 403) return false;
    throw error;
  }
}
