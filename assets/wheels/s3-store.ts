import { addAbortSignal, type Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import type { WheelStore } from "./store.ts";

/** What is larger is put in parts of that size, so that no more of it is ever held than those under way. */
const PART_BYTES = 8 << 20;
const PARTS_AT_ONCE = 3;
/** S3 refuses parts with a checksum, as the SDK sends them, where it was not told of that before. */
const ChecksumAlgorithm = "CRC32";

export const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;

/** A lake on S3 as a place for wheels, and for all that is copied as they are. */
export const s3Wheels = (s3: S3Client, Bucket: string): WheelStore => ({
  address: (key) => `s3://${Bucket}/${key}`,
  async readText(Key) {
    try {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
      return (await Body?.transformToString()) ?? "";
    } catch (error) {
      throw new Error(`s3://${Bucket}/${Key} can't be read: ${(error as Error).message}`);
    }
  },
  async exists(Key) {
    try {
      await s3.send(new HeadObjectCommand({ Bucket, Key }));
      return true;
    } catch (error) {
      if (statusOf(error) === 404) return false;
      throw error;
    }
  },
  async put(Key, content, length, abortSignal) {
    const parts = partsOf(addAbortSignal(abortSignal, content));
    if (length >= PART_BYTES) return putInParts(s3, { Bucket, Key }, parts, abortSignal);
    const Body = (await parts.next()).value ?? Buffer.alloc(0);
    await s3.send(new PutObjectCommand({ Bucket, Key, Body }), { abortSignal });
  },
});

/** Nothing is there before all parts are. */
async function putInParts(
  s3: S3Client,
  at: { readonly Bucket: string; readonly Key: string },
  parts: AsyncIterable<Buffer>,
  abortSignal: AbortSignal,
): Promise<void> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...at, ChecksumAlgorithm }), { abortSignal });
  const put: Promise<CompletedPart>[] = [];
  try {
    for await (const Body of parts) {
      await put.at(-PARTS_AT_ONCE);
      const PartNumber = put.length + 1;
      const command = new UploadPartCommand({ ...at, UploadId, PartNumber, Body, ChecksumAlgorithm });
      const answer = s3.send(command, { abortSignal });
      // S3 wants to hear again what it was told of each part.
      const part = answer.then(({ ETag, ChecksumCRC32 }) => ({ PartNumber, ETag, ChecksumCRC32 }));
      part.catch(() => {}); // whoever awaits it is told
      put.push(part);
    }
    const MultipartUpload = { Parts: await Promise.all(put) };
    await s3.send(new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload }), { abortSignal });
  } catch (error) {
    await Promise.allSettled(put); // a part that comes later would stay
    await s3.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch((problem) => {
      console.error(JSON.stringify({ event: "upload not aborted", key: at.Key, error: String(problem) }));
    });
    throw error;
  }
}

/** A stream in pieces of one size, but for the last. */
async function* partsOf(content: Readable): AsyncGenerator<Buffer, undefined> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    held.push(chunk);
    bytes += chunk.length;
    while (bytes >= PART_BYTES) {
      const whole = Buffer.concat(held);
      yield whole.subarray(0, PART_BYTES);
      held = [whole.subarray(PART_BYTES)];
      bytes -= PART_BYTES;
    }
  }
  if (bytes > 0) yield Buffer.concat(held);
  return undefined;
}
