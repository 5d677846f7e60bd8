import type { Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { lakeLayout } from "../../../core/lake-layout.ts";
import { checkRunId, type RunRecord } from "../../../core/run.ts";
import type { TableVersion } from "../engine.ts";
import { isData, newestFirst, readRecord, versionOf } from "./lake.ts";

/** A lake that is a folder: its run records and part files, and nothing of what is in them. */
export class LakeFolder {
  readonly #root: string;
  readonly #records = new Map<string, { readonly key: string; readonly record: RunRecord | undefined }>();
  readonly #versions = new Map<string, TableVersion>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Newest first. A file that is not a run record is left out, and the log says so once. */
  async runs(): Promise<readonly RunRecord[]> {
    const folder = lakeLayout(this.#root).records;
    const names = (await entries(folder)).filter((entry) => entry.isFile() && isData(entry.name, ".json"));
    return newestFirst(await Promise.all(names.map((entry) => this.#record(join(folder, entry.name), entry.name))));
  }

  /** Absolute paths of the part files of one run of a table, in the order of their names. */
  async partFiles(table: string, run: string): Promise<readonly string[]> {
    return partsBelow(lakeLayout(this.#root).table(table, checkRunId(run)));
  }

  async version(table: string, run: string): Promise<TableVersion> {
    const files = await this.partFiles(table, run);
    const version = versionOf(files);
    const key = `${table}/${run}`;
    const known = this.#versions.get(key);
    if (known?.version === version) return known;
    // Files never change once they are written, so their times are read only when there are others than before.
    const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs));
    const fresh = { version, ...(times.length > 0 && { updated: new Date(Math.max(...times)).toISOString() }) };
    this.#versions.set(key, fresh);
    return fresh;
  }

  async #record(path: string, name: string): Promise<RunRecord | undefined> {
    // A record is replaced by renaming, so another inode means another record even within one tick of the clock.
    const found = await stat(path).catch(() => undefined);
    if (!found) return undefined;
    const key = `${found.ino} ${found.mtimeMs} ${found.size}`;
    const known = this.#records.get(path);
    if (known?.key === key) return known.record;
    const text = await readFile(path, "utf8").catch((error: Error) => `unreadable: ${error.message}`);
    const record = readRecord(text, name.slice(0, -".json".length), path);
    this.#records.set(path, { key, record });
    return record;
  }
}

async function partsBelow(folder: string): Promise<readonly string[]> {
  const found = (await entries(folder))
    .filter((entry) => isData(entry.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const parts = await Promise.all(
    found.map((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return partsBelow(path);
      return entry.isFile() && entry.name.endsWith(".parquet") ? [path] : [];
    }),
  );
  return parts.flat();
}

async function entries(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    // Nothing has been written yet; a file in the folder's place is the writer's business too.
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}
