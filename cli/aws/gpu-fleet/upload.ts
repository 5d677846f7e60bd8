/** A large file on its way into a bucket, in parts: what was interrupted goes on where it was. */
import { type FileHandle, open } from "node:fs/promises";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type Part,
  type S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { sideBySide } from "../../../clients/lake/read.ts";
import { InterruptedError } from "../../../core/errors.ts";
import { paginate } from "../client.ts";

/** What is uploaded, and where to. */
export interface Upload {
  readonly s3: S3Client;
  readonly bucket: string;
  readonly file: string;
  readonly size: number;
  /** Is told how many bytes are there. */
  readonly progress: (bytes: number) => void;
  readonly stop: AbortSignal;
  /** Size of a part in bytes, for tests. @default 16 MiB, or more where that would be too many parts */
  readonly partBytes?: number;
}

const PART_BYTES = 16 * 2 ** 20;
/** S3 takes no more of one file. */
const MOST_PARTS = 10_000;

/** A file's upload that has begun. */
interface Begun {
  readonly key: string;
  readonly id: string;
}

/**
 * The upload of a file that was interrupted; undefined when there is none. One of the file as it was before is taken back.
 * @param file what keys of all its uploads begin with. @param state and those of its uploads as it is now.
 */
export async function begunUpload(
  { s3, bucket: Bucket }: Pick<Upload, "s3" | "bucket">,
  file: string,
  state: string,
): Promise<Begun | undefined> {
  const found = await paginate<Begun>(async (marker) => {
    const [KeyMarker, UploadIdMarker] = marker === undefined ? [] : (JSON.parse(marker) as [string, string]);
    const page = await s3.send(new ListMultipartUploadsCommand({ Bucket, Prefix: file, KeyMarker, UploadIdMarker }));
    const uploads = page.Uploads?.map(({ Key, UploadId }) => ({ key: Key as string, id: UploadId as string }));
    return [uploads, page.IsTruncated ? JSON.stringify([page.NextKeyMarker, page.NextUploadIdMarker]) : undefined];
  });
  const begun = found.findLast(({ key }) => key.startsWith(state));
  for (const { key, id } of found) {
    if (id !== begun?.id) await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: key, UploadId: id }));
  }
  return begun;
}

/**
 * Uploads a file, or what is missing of one.
 * @param begun what {@link begunUpload} found. @default it begins anew, as `key`
 * @throws InterruptedError when it was stopped: nothing of it is there then. After any other error the parts are, for the next time.
 */
export async function uploadFile(upload: Upload, key: string, begun?: Begun): Promise<void> {
  const { s3, bucket, file, stop } = upload;
  const target = { Bucket: bucket, Key: begun?.key ?? key };
  const UploadId =
    begun?.id ?? (await s3.send(new CreateMultipartUploadCommand({ ...target, ChecksumAlgorithm: "CRC32" }))).UploadId;
  const there = begun ? await partsOf(s3, { ...target, UploadId }) : [];
  const handle = await open(file);
  try {
    const parts = await sendParts(upload, { ...target, UploadId }, handle, there);
    if (!stop.aborted) {
      await s3.send(
        new CompleteMultipartUploadCommand({ ...target, UploadId, MultipartUpload: { Parts: [...parts] } }),
      );
      return;
    }
  } finally {
    await handle.close();
  }
  await s3.send(new AbortMultipartUploadCommand({ ...target, UploadId }));
  throw new InterruptedError("the upload was ended, and taken back: nothing of it is in the lake or in HDFS");
}

type Target = { readonly Bucket: string; readonly Key: string; readonly UploadId: string | undefined };

const partsOf = (s3: S3Client, target: Target): Promise<readonly Part[]> =>
  paginate(async (PartNumberMarker) => {
    const page = await s3.send(new ListPartsCommand({ ...target, PartNumberMarker }));
    return [page.Parts, page.IsTruncated ? page.NextPartNumberMarker : undefined];
  });

async function sendParts(
  { s3, size, progress, stop, partBytes = PART_BYTES }: Upload,
  target: Target,
  handle: FileHandle,
  there: readonly Part[],
): Promise<readonly CompletedPart[]> {
  const each = Math.max(partBytes, Math.ceil(size / MOST_PARTS));
  const lengthOf = (number: number) => Math.min(each, size - (number - 1) * each);
  const numbers = Array.from({ length: Math.max(1, Math.ceil(size / each)) }, (_, i) => i + 1);
  const parts = new Map<number, CompletedPart>();
  let sent = 0;
  const note = (number: number, { ETag, ChecksumCRC32 }: Part) => {
    parts.set(number, { PartNumber: number, ETag, ...(ChecksumCRC32 && { ChecksumCRC32 }) });
    sent += lengthOf(number);
    progress(sent);
  };
  for (const part of there) {
    const { PartNumber: number = 0, Size } = part;
    if (numbers.includes(number) && Size === lengthOf(number)) note(number, part);
  }
  const missing = numbers.filter((number) => !parts.has(number)).map(String);
  await sideBySide(missing, async (text) => {
    if (stop.aborted) return;
    const PartNumber = Number(text);
    const { buffer: Body } = await readAll(handle, lengthOf(PartNumber), (PartNumber - 1) * each);
    note(
      PartNumber,
      await s3
        .send(new UploadPartCommand({ ...target, PartNumber, Body, ChecksumAlgorithm: "CRC32" }), { abortSignal: stop })
        .catch((error) => {
          if (stop.aborted) return {};
          throw error;
        }),
    );
  });
  return numbers.map((number) => parts.get(number) as CompletedPart);
}

async function readAll(handle: FileHandle, length: number, position: number): Promise<{ readonly buffer: Uint8Array }> {
  const buffer = Buffer.alloc(length);
  for (let read = 0; read < length; ) {
    const { bytesRead } = await handle.read(buffer, read, length - read, position + read);
    if (bytesRead === 0) throw new Error("the file was cut off meanwhile");
    read += bytesRead;
  }
  return { buffer };
}
