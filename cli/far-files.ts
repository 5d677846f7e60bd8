import { createWriteStream, mkdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

const SIDE_BY_SIDE = 8;

/** A lake in a bucket, as far as tables are fetched from it. */
export interface FarFiles {
  /** Keys below a prefix, in their order. */
  keys(prefix: string): Promise<readonly string[]>;
  /** What an object has in it. */
  content(key: string): Promise<Readable>;
}

/** Fetches the part files of a run's table into a folder, below their keys; resolves to their paths. */
export async function partFiles(
  lake: FarFiles,
  run: string,
  table: string,
  folder: string,
): Promise<readonly string[]> {
  const keys = (await lake.keys(`${table}/run=${run}/`)).filter(isPartFile);
  const waiting = [...keys];
  const worker = async () => {
    for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
      const file = join(folder, key);
      mkdirSync(dirname(file), { recursive: true });
      await pipeline(await lake.content(key), createWriteStream(file));
    }
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
  return keys.map((key) => join(folder, key));
}

/** Names that begin with "." or "_" are what a writer has not finished, or keeps for itself. */
const isPartFile = (key: string): boolean =>
  basename(key).endsWith(".parquet") && key.split("/").every((part) => !/^[._]/.test(part));
