import { createHash } from "node:crypto";
import { Readable, Transform } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { nodeEnvironment } from "./markers.ts";
import { chooseWheel, get, type IndexFile, listFiles } from "./package-index.ts";
import { type Pin, readRequirements } from "./requirements.ts";
import type { WheelStore } from "./store.ts";

/** How many wheels are under way at once. */
const AT_ONCE = 6;

/** What is to be staged. */
export interface Staging {
  /** Prefixes of the lake that hold a requirements.txt. */
  readonly wheels: readonly string[];
  /** What the wheels are for. Python is 3.11. */
  readonly architecture: "arm64" | "x86_64";
  /** A simple index such as `https://pypi.org/simple`. */
  readonly packageIndex: string;
}

/** A wheel for a prefix of the lake. */
interface Wheel {
  readonly prefix: string;
  readonly pin: Pin;
}

/**
 * Puts the wheels that the requirements.txt of each prefix names beside it, so that the nodes download nothing from
 * elsewhere. What is there already stays. Their hashes are checked on the way.
 *
 * @returns the keys of all of them, sorted.
 * @throws Error that names the package when one can't be had.
 */
export async function stageWheels(
  store: WheelStore,
  { wheels, architecture, packageIndex }: Staging,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const environment = nodeEnvironment(architecture);
  const wanted: Wheel[] = [];
  for (const prefix of wheels.map((path) => path.replace(/\/+$/, ""))) {
    const text = await store.readText(`${prefix}/requirements.txt`);
    wanted.push(...readRequirements(text, environment).map((pin) => ({ prefix, pin })));
  }
  const pages = new Map<string, Promise<readonly IndexFile[]>>();
  const files = (name: string) => {
    const page = pages.get(name) ?? listFiles(packageIndex, name, signal);
    pages.set(name, page);
    return page;
  };
  const keys: string[] = [];
  await eachOf(wanted, AT_ONCE, async ({ prefix, pin }) => {
    const file = chooseWheel(await files(pin.name), pin, architecture);
    const key = `${prefix}/${file.name}`;
    if (!(await store.exists(key))) await copy(store, key, file, pin, signal);
    keys.push(key);
  });
  return keys.sort();
}

/** From the index to the lake without ever holding it whole: wheels go up to hundreds of megabytes. */
async function copy(store: WheelStore, key: string, file: IndexFile, pin: Pin, signal?: AbortSignal): Promise<void> {
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
    const body = source.pipe(hashChecker(pin.hashes, fail));
    const abortSignal = AbortSignal.any([broken.signal, ...(signal ? [signal] : [])]);
    try {
      await store.put(key, body, length, abortSignal);
      return;
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
function hashChecker(allowed: ReadonlySet<string>, fail: (error: Error) => void): Transform {
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
      if (allowed.has(digest)) callback(null, kept);
      else fail(new HashError(`it has sha256 ${digest}, which is not in requirements.txt`));
    },
  });
}

/** Runs `work` for each item, `atOnce` at a time; after the first failure nothing new is begun. */
async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const workOn = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await work(item);
  };
  const stop = (error: unknown) => {
    rest.length = 0;
    throw error;
  };
  await Promise.all(Array.from({ length: atOnce }, () => workOn().catch(stop)));
}
