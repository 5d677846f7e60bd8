/** What is read of a lake, wherever it is. */
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { checkRunId } from "../../core/run.ts";
import type { LakeStore } from "./store.ts";

const SIDE_BY_SIDE = 8;

/** The text of a file, undefined when there is none. */
export async function readText(store: LakeStore, key: string): Promise<string | undefined> {
  const bytes = await store.bytes(key);
  return bytes && new TextDecoder().decode(bytes);
}

/** The value of a JSON file, undefined when there is none or it isn't JSON. */
export async function readJson(store: LakeStore, key: string): Promise<unknown> {
  const text = await readText(store, key);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a file or folder has data, by its name: "." or "_" begins what a writer has not finished, or keeps for itself. */
export const isData = (name: string): boolean => !/^[._]/.test(name);

/** Whether a key is that of a part file of a table. */
export const isPart = (key: string): boolean => key.endsWith(".parquet") && key.split("/").every(isData);

/**
 * What keys of one run of a table begin with.
 * @throws UsageError when the run's id is none.
 */
export const tablePrefix = (table: string, run: string): string => `${table}/run=${checkRunId(run)}/`;

/** Keys of the part files of one run of a table, sorted. */
export async function partKeys(store: LakeStore, table: string, run: string): Promise<readonly string[]> {
  return (await store.keys(tablePrefix(table, run))).filter(isPart);
}

/**
 * Paths of the part files of one run of a table on this machine, sorted by their keys.
 * @param scratch folder that those are fetched into, below their keys, which are elsewhere.
 */
export async function fetchParts(
  store: LakeStore,
  table: string,
  run: string,
  scratch: string,
): Promise<readonly string[]> {
  const keys = await partKeys(store, table, run);
  const { path } = store;
  if (path) return keys.map((key) => path.call(store, key));
  await (store.fetch ? store.fetch(keys, scratch) : fetchKeys(store, keys, scratch));
  return keys.map((key) => join(scratch, key));
}

/** Once it has failed nothing is written any more: the folder may be removed then. */
export const fetchKeys = (store: LakeStore, keys: readonly string[], folder: string): Promise<void> =>
  sideBySide(keys, (key) => copyFile(store, key, join(folder, key)));

/** Does something with each of many, some at a time. Once it has failed nothing more is begun, and what was has ended. */
export async function sideBySide(keys: readonly string[], action: (key: string) => Promise<unknown>): Promise<void> {
  const waiting = [...keys];
  const worker = async () => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      await action(key).catch((error) => {
        waiting.length = 0;
        throw error;
      });
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: SIDE_BY_SIDE }, worker));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed) throw failed.reason;
}

async function copyFile(store: LakeStore, key: string, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await pipeline(await store.content(key), createWriteStream(file));
}
