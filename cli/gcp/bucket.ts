import type { Readable } from "node:stream";
import type { Bucket as StorageBucket } from "@google-cloud/storage";
import { storageClient } from "../../clients/google.ts";
import type { FarFiles } from "../far-files.ts";
import { explain, explainErrors } from "./client.ts";

/** A lake on Google Cloud Storage, as far as the command line reads it. */
export class Bucket implements FarFiles {
  readonly #bucket: StorageBucket;
  readonly #project: string;

  /** @param lake such as "gs://bucket". */
  constructor(lake: string, project: string) {
    this.#project = project;
    this.#bucket = storageClient(project).bucket(lake.replace(/^gs:\/\//, "").replace(/\/.*$/, ""));
  }

  /** The value of a JSON object, undefined when there is none or it isn't JSON. */
  async json(key: string): Promise<unknown> {
    const bytes = await this.bytes(key, 0);
    try {
      return bytes === undefined ? undefined : JSON.parse(new TextDecoder().decode(bytes));
    } catch {
      return undefined;
    }
  }

  /** An object's bytes from a position on: none when it has no more, undefined when there is no such object. */
  async bytes(key: string, from: number): Promise<Uint8Array | undefined> {
    try {
      // A part of an object has no checksum of its own.
      const [bytes] = await this.#bucket.file(key).download(from > 0 ? { start: from, validation: false } : {});
      return bytes;
    } catch (error) {
      const { code } = error as { readonly code?: unknown };
      if (code === 416) return new Uint8Array();
      if (code === 404) return undefined;
      throw explain(error, this.#project);
    }
  }

  async keys(prefix: string): Promise<readonly string[]> {
    const [files] = await explainErrors(this.#bucket.getFiles({ prefix }), this.#project);
    return files.map(({ name }) => name);
  }

  async content(key: string): Promise<Readable> {
    return this.#bucket.file(key).createReadStream();
  }
}
