import type { Readable } from "node:stream";
import type { Bucket, Storage } from "@google-cloud/storage";
import { checkKey, isFile, placeOf } from "./key.ts";
import type { LakeStore, Listed } from "./store.ts";

interface Item {
  readonly name: string;
  readonly generation: string;
  readonly updated: string;
}

/** A lake in a bucket of Google Cloud Storage. */
export class GcsStore implements LakeStore {
  readonly address: string;
  readonly isFar = true;
  readonly #bucket: Bucket;
  readonly #prefix: string;

  /** @param address such as "gs://bucket" or "gs://bucket/prefix". */
  constructor(address: string, storage: Storage) {
    this.address = address;
    const { bucket, prefix } = placeOf(address);
    this.#bucket = storage.bucket(bucket);
    this.#prefix = prefix;
  }

  async keys(prefix: string): Promise<readonly string[]> {
    return (await this.list(prefix)).map(({ key }) => key);
  }

  async list(prefix: string): Promise<readonly Listed[]> {
    const fields = "items(name,generation,updated),nextPageToken";
    const query = { prefix: this.#prefix + checkKey(prefix), fields };
    // Where fields are chosen, the library gives them as they came, whatever it declares.
    const [items] = (await this.#bucket.getFiles(query)) as unknown as readonly [readonly Item[]];
    return items
      .map(({ name, generation, updated }) => ({
        key: name.slice(this.#prefix.length),
        etag: generation,
        modified: Date.parse(updated),
      }))
      .filter(({ key }) => isFile(key))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async bytes(key: string, from = 0): Promise<Uint8Array | undefined> {
    try {
      // A part of an object has no checksum of its own.
      const [bytes] = await this.#file(key).download(from > 0 ? { start: from, validation: false } : {});
      return bytes;
    } catch (error) {
      const { code, message } = error as Error & { readonly code?: unknown };
      if (code === 416) return new Uint8Array();
      // A bucket that is not there is a 404 too, and a lake that is gone would be one without runs.
      if (code === 404 && !/NoSuchBucket|bucket does not exist/i.test(message)) return undefined;
      throw error;
    }
  }

  async content(key: string): Promise<Readable> {
    return this.#file(key).createReadStream();
  }

  close(): void {
    // The library's connections are the process's, and don't keep it.
  }

  #file(key: string) {
    return this.#bucket.file(this.#prefix + checkKey(key));
  }
}
