import type { Readable } from "node:stream";
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { BucketStore } from "./bucket.ts";
import type { ByteRange, Piece } from "./piece.ts";
import type { Listed } from "./store.ts";

/** Objects that S3 removes by one request. */
const MOST_AT_ONCE = 1000;

/** A lake in a bucket of Amazon S3, or of what speaks its protocol. */
export class S3Store extends BucketStore {
  readonly #s3: S3Client;

  /**
   * @param address such as "s3://bucket" or "s3://bucket/prefix".
   * @param s3 ends with the store.
   */
  constructor(address: string, s3: S3Client) {
    super(address);
    this.#s3 = s3;
  }

  async bytes(key: string, from = 0): Promise<Uint8Array | undefined> {
    try {
      // An empty object has no position, not even its first.
      const { Body } = await this.#get(key, from > 0 ? `bytes=${from}-` : undefined);
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    } catch (error) {
      const { name } = error as Error;
      if (name === "InvalidRange") return new Uint8Array();
      if (name === "NoSuchKey") return undefined;
      throw error;
    }
  }

  async piece(key: string, range: ByteRange): Promise<Piece | undefined> {
    try {
      const { Body, ContentRange } = await this.#get(key, headerOf(range));
      const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
      const [, from = "0", size = `${bytes.length}`] = /^bytes (\d+)-\d+\/(\d+)$/.exec(ContentRange ?? "") ?? [];
      return { bytes, from: Number(from), size: Number(size) };
    } catch (error) {
      const { name } = error as Error;
      if (name === "NoSuchKey") return undefined;
      if (name !== "InvalidRange") throw error;
      // There is nothing in the range, and of the rest it is not told how much that is.
      const size = await this.#size(key);
      return size === undefined ? undefined : { bytes: new Uint8Array(), from: size, size };
    }
  }

  async content(key: string): Promise<Readable> {
    return (await this.#get(key)).Body as Readable;
  }

  async create(key: string, content: string): Promise<boolean> {
    return this.#put(key, content, { IfNoneMatch: "*" });
  }

  async replace(key: string, content: string, etag: string): Promise<boolean> {
    return this.#put(key, content, { IfMatch: etag });
  }

  close(): void {
    this.#s3.destroy();
  }

  protected override async objects(prefix: string): Promise<readonly Listed[]> {
    const found: Listed[] = [];
    let token: string | undefined;
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { Key: key = "", ETag: etag = "", LastModified: time } of page.Contents ?? []) {
        found.push({ key, etag, modified: time?.getTime() ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  }

  protected override async folderPrefixes(prefix: string): Promise<readonly string[]> {
    const found: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.bucket, Prefix: prefix, Delimiter: "/", ContinuationToken: token }),
      );
      found.push(...(page.CommonPrefixes ?? []).flatMap(({ Prefix }) => Prefix ?? []));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  }

  protected override async removeObjects(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += MOST_AT_ONCE) {
      const Objects = keys.slice(from, from + MOST_AT_ONCE).map((Key) => ({ Key }));
      const answer = await this.#s3.send(new DeleteObjectsCommand({ Bucket: this.bucket, Delete: { Objects } }));
      const [refused] = answer.Errors ?? []; // of some, while others were removed
      if (refused) throw Object.assign(new Error(`${refused.Key}: ${refused.Message}`), { name: refused.Code });
    }
  }

  /** False where the condition does not hold. */
  async #put(
    key: string,
    content: string,
    condition: { readonly IfNoneMatch: string } | { readonly IfMatch: string },
  ): Promise<boolean> {
    const Key = this.inBucket(key);
    try {
      await this.#s3.send(
        new PutObjectCommand({
          Bucket: this.bucket,
          Key,
          Body: content,
          ContentType: "application/json",
          ...condition,
        }),
      );
      return true;
    } catch (error) {
      const { name, $metadata } = error as Error & { readonly $metadata?: { readonly httpStatusCode?: number } };
      // 409: another one is being written; NoSuchKey: there is none to be replaced.
      if ($metadata?.httpStatusCode !== 412 && $metadata?.httpStatusCode !== 409 && name !== "NoSuchKey") throw error;
      // The SDK tries again when an answer is lost, and then finds what it wrote itself.
      const there = await this.bytes(key);
      return there !== undefined && Buffer.from(there).equals(Buffer.from(content));
    }
  }

  async #size(key: string): Promise<number | undefined> {
    try {
      const head = new HeadObjectCommand({ Bucket: this.bucket, Key: this.inBucket(key) });
      return (await this.#s3.send(head)).ContentLength ?? 0;
    } catch (error) {
      if ((error as Error).name === "NotFound") return undefined;
      throw error;
    }
  }

  async #get(key: string, range?: string) {
    return this.#s3.send(new GetObjectCommand({ Bucket: this.bucket, Key: this.inBucket(key), Range: range }));
  }
}

const headerOf = (range: ByteRange): string =>
  "last" in range ? `bytes=-${range.last}` : `bytes=${range.from}-${range.from + range.length - 1}`;
