import type { Bucket } from "@google-cloud/storage";
import { type GoogleError, googleError } from "../../clients/google.ts";
import type { ArchiveStore } from "../wheels/store.ts";
import { upload } from "./upload.ts";

/** An object and which writing of it this is. */
export interface Written {
  readonly text: string;
  readonly generation: string;
}

/** The objects of a lake on Google Cloud Storage. All of it throws GoogleError. */
export class Lake {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /** Undefined when there is none. */
  async read(key: string): Promise<Written | undefined> {
    return orUndefined(404, async () => {
      const file = this.#bucket.file(key);
      // The generation first, so that an object that is replaced meanwhile is not taken for the one that was read.
      const [{ generation }] = await file.getMetadata();
      const [content] = await this.#bucket.file(key).download();
      return { text: content.toString(), generation: `${generation}` };
    });
  }

  /** What a JSON object holds; undefined when there is none, or it isn't JSON. */
  async readJson(key: string): Promise<unknown> {
    const { text = "" } = (await this.read(key)) ?? {};
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** Writes whatever is there. */
  async write(key: string, value: unknown): Promise<void> {
    await this.#save(key, value);
  }

  /** Writes in place of what was read before (undefined: where nothing is). Returns false when somebody else was faster. */
  async replace(key: string, value: unknown, before: Written | undefined): Promise<boolean> {
    const written = await orUndefined(412, async () => {
      await this.#save(key, value, Number(before?.generation ?? 0));
      return true;
    });
    return written ?? false;
  }

  async #save(key: string, value: unknown, ifGenerationMatch?: number): Promise<void> {
    try {
      await this.#bucket.file(key).save(JSON.stringify(value), {
        resumable: false,
        contentType: "application/json",
        metadata: { cacheControl: "no-store" },
        ...(ifGenerationMatch !== undefined && { preconditionOpts: { ifGenerationMatch } }),
      });
    } catch (error) {
      throw googleError(error);
    }
  }

  /** Keys below a prefix that end so. */
  async keys(prefix: string, suffix: string): Promise<readonly string[]> {
    const keys: string[] = [];
    try {
      for (let pageToken: string | undefined; ; ) {
        const query = { prefix, autoPaginate: false, maxResults: 1000, ...(pageToken && { pageToken }) };
        const [files, next] = await this.#bucket.getFiles(query);
        keys.push(...files.map(({ name }) => name).filter((name) => name.endsWith(suffix)));
        pageToken = (next as { pageToken?: string } | null)?.pageToken;
        if (!pageToken) return keys;
      }
    } catch (error) {
      throw googleError(error);
    }
  }

  /** As a place for wheels. */
  wheels(): ArchiveStore {
    const file = (key: string) => this.#bucket.file(key);
    const address = (key: string) => `gs://${this.#bucket.name}/${key}`;
    return {
      address,
      async readText(key) {
        try {
          return (await file(key).download())[0].toString();
        } catch (error) {
          throw new Error(`${address(key)} can't be read: ${googleError(error).message}`);
        }
      },
      exists: async (key) => (await file(key).exists())[0],
      size: async (key) => Number((await file(key).getMetadata())[0].size),
      read: (key, start) => file(key).createReadStream({ start, validation: false, decompress: false }),
      async put(key, content, _length, signal) {
        const [session] = await file(key).createResumableUpload({ metadata: { cacheControl: "no-store" } });
        await upload(session, content, signal);
      },
    };
  }
}

async function orUndefined<T>(code: number, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const refused: GoogleError = googleError(error);
    if (refused.code === code) return undefined;
    throw refused;
  }
}
