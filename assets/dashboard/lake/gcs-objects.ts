import type { Bucket, Storage } from "@google-cloud/storage";
import type { LakeObjects, Listed } from "./objects.ts";

interface Item {
  readonly name: string;
  readonly generation: string;
  readonly updated: string;
}

/** Objects of a bucket of Google Cloud Storage. */
export class GcsObjects implements LakeObjects {
  readonly #bucket: Bucket;

  constructor(storage: Storage, bucket: string) {
    this.#bucket = storage.bucket(bucket);
  }

  async list(prefix: string): Promise<readonly Listed[]> {
    const fields = "items(name,generation,updated),nextPageToken";
    // Where fields are chosen, the library gives them as they came, whatever it declares.
    const [items] = (await this.#bucket.getFiles({ prefix, fields })) as unknown as readonly [readonly Item[]];
    return items.map(({ name, generation, updated }) => ({
      key: name,
      etag: generation,
      modified: Date.parse(updated),
    }));
  }

  async read(key: string): Promise<string | undefined> {
    try {
      const [content] = await this.#bucket.file(key).download();
      return content.toString();
    } catch (error) {
      // A bucket that is not there is no 404 here, or a lake that is gone would be one without runs.
      const { code, message } = error as Error & { readonly code?: number };
      if (code === 404 && !/bucket/i.test(message)) return undefined;
      throw error;
    }
  }

  close(): void {
    // The library's connections are the process's, and don't keep it.
  }
}
