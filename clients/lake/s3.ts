import type { Readable } from "node:stream";
import { GetObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import { checkKey, isFile, placeOf } from "./key.ts";
import type { LakeStore, Listed } from "./store.ts";

/** A lake in a bucket of Amazon S3, or of what speaks its protocol. */
export class S3Store implements LakeStore {
  readonly address: string;
  readonly isFar = true;
  readonly #s3: S3Client;
  readonly #bucket: string;
  readonly #prefix: string;

  /**
   * @param address such as "s3://bucket" or "s3://bucket/prefix".
   * @param s3 ends with the store.
   */
  constructor(address: string, s3: S3Client) {
    this.address = address;
    this.#s3 = s3;
    const { bucket, prefix } = placeOf(address);
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async keys(prefix: string): Promise<readonly string[]> {
    return (await this.list(prefix)).map(({ key }) => key);
  }

  async list(prefix: string): Promise<readonly Listed[]> {
    const Prefix = this.#prefix + checkKey(prefix);
    const found: Listed[] = [];
    let token: string | undefined;
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix, ContinuationToken: token }),
      );
      for (const { Key: key = "", ETag: etag = "", LastModified: time } of page.Contents ?? []) {
        found.push({ key: key.slice(this.#prefix.length), etag, modified: time?.getTime() ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found.filter(({ key }) => isFile(key)).sort((a, b) => (a.key < b.key ? -1 : 1));
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

  async content(key: string): Promise<Readable> {
    return (await this.#get(key)).Body as Readable;
  }

  close(): void {
    this.#s3.destroy();
  }

  #get(key: string, range?: string) {
    return this.#s3.send(
      new GetObjectCommand({ Bucket: this.#bucket, Key: this.#prefix + checkKey(key), Range: range }),
    );
  }
}
