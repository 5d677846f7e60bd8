import { GetObjectCommand, ListObjectsV2Command, type S3Client } from "@aws-sdk/client-s3";
import type { LakeObjects, Listed } from "./objects.ts";

/** Objects of a bucket of Amazon S3. */
export class S3Objects implements LakeObjects {
  readonly #s3: S3Client;
  readonly #bucket: string;

  constructor(s3: S3Client, bucket: string) {
    this.#s3 = s3;
    this.#bucket = bucket;
  }

  async list(prefix: string): Promise<readonly Listed[]> {
    const found: Listed[] = [];
    let token: string | undefined;
    do {
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { Key: key = "", ETag: etag = "", LastModified: time } of page.Contents ?? []) {
        found.push({ key, etag, modified: time?.getTime() ?? 0 });
      }
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return found;
  }

  async read(key: string): Promise<string | undefined> {
    const object = await this.#s3
      .send(new GetObjectCommand({ Bucket: this.#bucket, Key: key }))
      .catch((error: Error) => (error.name === "NoSuchKey" ? undefined : Promise.reject(error)));
    return object && ((await object.Body?.transformToString()) ?? "");
  }

  close(): void {
    this.#s3.destroy();
  }
}
