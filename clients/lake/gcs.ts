import type { Readable } from "node:stream";
import type { DownloadOptions, Storage } from "@google-cloud/storage";
import { BucketStore } from "./bucket.ts";
import { type ByteRange, type Piece, within } from "./piece.ts";
import { sideBySide } from "./read.ts";
import type { Listed } from "./store.ts";

interface Item {
  readonly name: string;
  readonly generation: string;
  readonly updated: string;
}

type Page = readonly [unknown, object | null, { readonly prefixes?: readonly string[] }];

/** A lake in a bucket of Google Cloud Storage. */
export class GcsStore extends BucketStore {
  readonly #storage: Storage;

  /** @param address such as "gs://bucket" or "gs://bucket/prefix". */
  constructor(address: string, storage: Storage) {
    super(address);
    this.#storage = storage;
  }

  async bytes(key: string, from = 0): Promise<Uint8Array | undefined> {
    // A part of an object has no checksum of its own.
    return this.#download(key, from > 0 ? { start: from, validation: false } : {});
  }

  async piece(key: string, range: ByteRange): Promise<Piece | undefined> {
    const found = await ifThere(this.#file(key).getMetadata());
    if (!found) return undefined;
    const size = Number(found[0].size);
    const { from, length } = within(range, size);
    if (length === 0) return { bytes: new Uint8Array(), from, size };
    const bytes = await this.#download(key, { start: from, end: from + length - 1, validation: false });
    return bytes && { bytes, from, size };
  }

  async content(key: string): Promise<Readable> {
    return this.#file(key).createReadStream();
  }

  async create(key: string, content: string): Promise<boolean> {
    return this.#save(key, content, "0");
  }

  async replace(key: string, content: string, etag: string): Promise<boolean> {
    return this.#save(key, content, etag);
  }

  close(): void {
    // The library's connections are the process's, and don't keep it.
  }

  protected override async objects(prefix: string): Promise<readonly Listed[]> {
    const query = { prefix, fields: "items(name,generation,updated),nextPageToken" };
    // Where fields are chosen, the library gives them as they came, whatever it declares.
    const [items] = (await this.#storage.bucket(this.bucket).getFiles(query)) as unknown as readonly [readonly Item[]];
    return items.map(({ name, generation, updated }) => ({
      key: name,
      etag: generation,
      modified: Date.parse(updated),
    }));
  }

  protected override async folderPrefixes(prefix: string): Promise<readonly string[]> {
    const query = { prefix, delimiter: "/", autoPaginate: false, fields: "prefixes,nextPageToken" };
    const found: string[] = [];
    for (let next: object | null = query; next !== null; ) {
      const [, more, page] = (await this.#storage.bucket(this.bucket).getFiles(next)) as unknown as Page;
      found.push(...(page.prefixes ?? []));
      next = more ?? null;
    }
    return found;
  }

  protected override async removeObjects(keys: readonly string[]): Promise<void> {
    const bucket = this.#storage.bucket(this.bucket);
    await sideBySide(keys, (key) => bucket.file(key).delete({ ignoreNotFound: true }));
  }

  /** False where another one than of this generation is there; 0 is none. */
  async #save(key: string, content: string, generation: string): Promise<boolean> {
    try {
      await this.#file(key).save(content, {
        resumable: false,
        contentType: "application/json",
        metadata: { cacheControl: "no-store" },
        preconditionOpts: { ifGenerationMatch: generation as unknown as number }, // more digits than a number has
      });
      return true;
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code !== 412) throw error;
      // The library tries again when an answer is lost, and then finds what it wrote itself.
      const there = await this.bytes(key);
      return there !== undefined && Buffer.from(there).equals(Buffer.from(content));
    }
  }

  async #download(key: string, options: DownloadOptions): Promise<Uint8Array | undefined> {
    try {
      return (await ifThere(this.#file(key).download(options)))?.[0];
    } catch (error) {
      if ((error as { readonly code?: unknown }).code === 416) return new Uint8Array();
      throw error;
    }
  }

  #file(key: string) {
    return this.#storage.bucket(this.bucket).file(this.inBucket(key));
  }
}

/** A bucket that is not there is a 404 too, and a lake that is gone would be one without runs. */
async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: unknown };
    if (code === 404 && !/NoSuchBucket|bucket does not exist/i.test(message)) return undefined;
    throw error;
  }
}
