import { createHash } from "node:crypto";
import type { Dirent } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { checkRunId, RunRecord } from "../../components/job/run.ts";
import { layout } from "../local/layout.ts";
import type { TableVersion } from "./engine.ts";
import { log } from "./log.ts";

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
    const folder = layout(this.#root).records;
    const names = (await entries(folder)).filter((entry) => entry.isFile() && isData(entry.name, ".json"));
    const records = await Promise.all(names.map((entry) => this.#record(join(folder, entry.name), entry.name)));
    return records
      .filter((record) => record !== undefined)
      .sort((a, b) => Date.parse(b.started) - Date.parse(a.started) || (a.run < b.run ? 1 : -1));
  }

  /** Absolute paths of the part files of one run of a table, in the order of their names. */
  async partFiles(table: string, run: string): Promise<readonly string[]> {
    return partsBelow(layout(this.#root).table(table, checkRunId(run)));
  }

  async version(table: string, run: string): Promise<TableVersion> {
    const files = await this.partFiles(table, run);
    const version = `${files.length}-${createHash("sha256").update(files.join("\n")).digest("base64url").slice(0, 16)}`;
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
    const record = await readRecord(path, name.slice(0, -".json".length));
    this.#records.set(path, { key, record });
    return record;
  }
}

async function readRecord(path: string, run: string): Promise<RunRecord | undefined> {
  try {
    const record = RunRecord.parse(JSON.parse(await readFile(path, "utf8")));
    if (record.run !== run) throw new Error(`it is of run ${record.run}`);
    checkRunId(record.run);
    return record;
  } catch (error) {
    log(`${path} is not the record of a run; it is left out`, error);
    return undefined;
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

/** Names that begin with "." or "_" are what a writer has not finished, or keeps for itself. */
const isData = (name: string, ending = "") => !/^[._]/.test(name) && name.endsWith(ending);

async function entries(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    // Nothing has been written yet; a file in the folder's place is the writer's business too.
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}
