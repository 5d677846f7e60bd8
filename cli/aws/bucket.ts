import type { Readable } from "node:stream";
import { gunzipSync } from "node:zlib";
import { GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { connect, orUndefined, paginate } from "./client.ts";

/** A lake on S3, as far as the command line reads it. */
export class Bucket {
  readonly #s3: S3Client;
  readonly #name: string;
  /** Ends with "/" unless it is empty; keys are told without it. */
  readonly #prefix: string;

  /** @param lake such as "s3://bucket" or "s3://bucket/prefix". */
  constructor(lake: string, region: string) {
    this.#s3 = connect(new S3Client({ region, maxAttempts: 4 }));
    const [name = "", ...path] = lake.replace(/^s3:\/\//, "").split("/");
    this.#name = name;
    this.#prefix = path
      .filter((part) => part !== "")
      .map((part) => `${part}/`)
      .join("");
  }

  /** The object's text, undefined when there is none. */
  async text(key: string): Promise<string | undefined> {
    const object = await orUndefined(this.#get(key));
    return object?.Body?.transformToString();
  }

  /** The value of a JSON object, undefined when there is none or it isn't JSON. */
  async json(key: string): Promise<unknown> {
    const text = await this.text(key);
    try {
      return text === undefined ? undefined : JSON.parse(text);
    } catch {
      return undefined;
    }
  }

  /** The text of a gzip object. One that was cut off, or is none, is empty. */
  async gunzipped(key: string): Promise<string> {
    const object = await orUndefined(this.#get(key));
    try {
      return object?.Body ? gunzipSync(await object.Body.transformToByteArray()).toString("utf8") : "";
    } catch {
      return "";
    }
  }

  /** An object's bytes from a position on: none when it has no more, undefined when there is no such object. */
  async bytes(key: string, from: number): Promise<Uint8Array | undefined> {
    try {
      const object = await orUndefined(this.#get(key, `bytes=${from}-`));
      return await object?.Body?.transformToByteArray();
    } catch (error) {
      if ((error as Error).name === "InvalidRange") return new Uint8Array();
      throw error;
    }
  }

  /** Keys below a prefix, in their order. */
  keys(prefix: string): Promise<readonly string[]> {
    return paginate(async (token) => {
      const Prefix = this.#prefix + prefix;
      const page = await this.#s3.send(
        new ListObjectsV2Command({ Bucket: this.#name, Prefix, ContinuationToken: token }),
      );
      return [page.Contents?.map(({ Key }) => (Key as string).slice(this.#prefix.length)), page.NextContinuationToken];
    });
  }

  /** What an object has in it. */
  async content(key: string): Promise<Readable> {
    return (await this.#get(key)).Body as Readable;
  }

  #get(key: string, range?: string) {
    return this.#s3.send(new GetObjectCommand({ Bucket: this.#name, Key: this.#prefix + key, Range: range }));
  }
}
