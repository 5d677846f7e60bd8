import { createHash } from "node:crypto";
import { Readable, Transform } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { get } from "./package-index.ts";
import type { WheelStore } from "./store.ts";

/** How many files are under way at once. */
export const AT_ONCE = 6;

/** A file elsewhere. */
export interface Locked {
  readonly name: string;
  readonly url: string;
  /** SHA-256 of what it may be, hexadecimal. */
  readonly hashes: ReadonlySet<string>;
  /** What says so: "requirements.txt". */
  readonly lock: string;
}

/**
 * Copies a file to the lake without ever holding it whole, for they go up to hundreds of megabytes; it is there only when its hash is
 * right.
 *
 * @returns its bytes.
 * @throws Error that names it.
 */
export async function copyFile(store: WheelStore, key: string, file: Locked, signal?: AbortSignal): Promise<number> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await get(file.url, { "Accept-Encoding": "identity" }, signal);
    const length = Number(response.headers.get("content-length"));
    if (!response.ok || !response.body || !(length > 0) || response.headers.has("content-encoding")) {
      throw new Error(`${file.name} can't be downloaded: ${file.url} answers ${response.status}`);
    }
    // A stream that fails is not told to the store, whose library would wait for its rest or throw where nobody catches:
    // the request is aborted instead.
    const broken = new AbortController();
    let reason: Error | undefined;
    const fail = (error: Error) => {
      reason = error;
      broken.abort();
    };
    // Node's and the web's types of one and the same stream.
    const source = Readable.fromWeb(response.body as unknown as ReadableStream).on("error", fail);
    const body = source.pipe(hashChecker(file, fail));
    const abortSignal = AbortSignal.any([broken.signal, ...(signal ? [signal] : [])]);
    try {
      await store.put(key, body, length, abortSignal);
      return length;
    } catch (error) {
      source.destroy();
      reason ??= error as Error;
      if (reason instanceof HashError || attempt === 3 || signal?.aborted) {
        throw new Error(`${file.name} from ${file.url} can't be copied to the lake: ${reason.message}`);
      }
    }
  }
}

class HashError extends Error {}

/**
 * Passes bytes on and keeps the last of them back until the hash of all is right, so that a wrong file is never whole:
 * then it calls `fail`, and does not end.
 */
function hashChecker({ hashes, lock }: Locked, fail: (error: Error) => void): Transform {
  const hash = createHash("sha256");
  let kept: Buffer | undefined;
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      hash.update(chunk);
      const before = kept;
      kept = chunk;
      callback(null, before);
    },
    flush(callback) {
      const digest = hash.digest("hex");
      if (hashes.has(digest)) callback(null, kept);
      else fail(new HashError(`it has sha256 ${digest}, which is not in ${lock}`));
    },
  });
}

/**
 * Runs `work` for each item, `atOnce` at a time; after the first failure nothing new is begun.
 *
 * @throws what failed first, once what was begun has ended too.
 */
export async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const errors: unknown[] = [];
  const workOn = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  const stop = (error: unknown) => {
    rest.length = 0;
    errors.push(error);
  };
  await Promise.all(Array.from({ length: atOnce }, () => workOn().catch(stop)));
  if (errors.length > 0) throw errors[0];
}
