import type { Readable } from "node:stream";
import { invalid } from "../../core/errors.ts";
import { checkKey } from "./key.ts";
import type { ByteRange, Piece } from "./piece.ts";
import type { LakeStore, Listed } from "./store.ts";

/** A lake in a bucket, whatever its service. */
export abstract class BucketStore implements LakeStore {
  readonly address: string;
  readonly isFar = true;
  protected readonly bucket: string;
  /** What keys of the bucket have before those of the lake: empty or with "/" at its end. */
  readonly #prefix: string;

  /**
   * @param address such as "s3://bucket" or "gs://bucket/prefix".
   * @throws UsageError when it names no bucket, or leads out of its prefix.
   */
  constructor(address: string) {
    this.address = address;
    const [bucket = "", ...path] = checkKey(address.replace(/^\w+:\/\//, ""), "lake").split("/");
    if (bucket === "")
      throw invalid("lake", address, 'expected a bucket and maybe a prefix, such as "s3://bucket/prefix"');
    this.bucket = bucket;
    this.#prefix = path.map((part) => part && `${part}/`).join("");
  }

  abstract bytes(key: string, from?: number): Promise<Uint8Array | undefined>;
  abstract piece(key: string, range: ByteRange): Promise<Piece | undefined>;
  abstract content(key: string): Promise<Readable>;
  abstract create(key: string, content: string): Promise<boolean>;
  abstract replace(key: string, content: string, etag: string): Promise<boolean>;
  abstract close(): void;

  /** Beginnings of keys up to the next "/", of the keys that begin so. */
  protected abstract folderPrefixes(prefix: string): Promise<readonly string[]>;
  /** Removes objects by their keys in the bucket. */
  protected abstract removeObjects(keys: readonly string[]): Promise<void>;

  /** All objects of the bucket whose keys begin so, however many they are. */
  protected abstract objects(prefix: string): Promise<readonly Listed[]>;

  async keys(prefix: string): Promise<readonly string[]> {
    return (await this.list(prefix)).map(({ key }) => key);
  }

  async list(prefix: string): Promise<readonly Listed[]> {
    const objects = await this.objects(this.inBucket(prefix));
    return objects
      .map((object) => ({ ...object, key: object.key.slice(this.#prefix.length) }))
      .filter(({ key }) => /[^/]$/.test(key)) // what consoles and Hadoop keep in place of a folder is no file
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async folders(): Promise<readonly string[]> {
    const found = await this.folderPrefixes(this.#prefix);
    return found.map((prefix) => prefix.slice(this.#prefix.length, -1)).sort();
  }

  async remove(prefix: string): Promise<void> {
    const objects = await this.objects(this.inBucket(prefix)); // what stands for a folder too
    if (objects.length > 0) await this.removeObjects(objects.map(({ key }) => key));
  }

  protected inBucket(key: string): string {
    return this.#prefix + checkKey(key);
  }
}
