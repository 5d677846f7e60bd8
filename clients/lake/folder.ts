import { createReadStream, type Dirent } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { UsageError } from "../../core/errors.ts";
import { checkKey, folderOf } from "./key.ts";
import type { LakeStore, Listed } from "./store.ts";

/** A lake in a folder of this machine, which need not be there yet. */
export class FolderStore implements LakeStore {
  readonly address: string;
  readonly isFar = false;

  /** @param path absolute. */
  constructor(path: string) {
    this.address = path;
  }

  async keys(prefix: string): Promise<readonly string[]> {
    return (await this.#below(folderOf(checkKey(prefix)), prefix)).sort();
  }

  async list(prefix: string): Promise<readonly Listed[]> {
    const found = await Promise.all((await this.keys(prefix)).map((key) => this.#listed(key)));
    return found.filter((file) => file !== undefined);
  }

  async bytes(key: string, from = 0): Promise<Uint8Array | undefined> {
    return ifThere(bytesOf(this.path(key), from));
  }

  async content(key: string): Promise<Readable> {
    return createReadStream(this.path(key));
  }

  path(key: string): string {
    return join(this.address, checkKey(key));
  }

  close(): void {
    // Files are closed once they are read.
  }

  /** Only what can have keys that begin so is looked into. */
  async #below(folder: string, prefix: string): Promise<string[]> {
    const entries: readonly Dirent[] = (await ifThere(readdir(this.path(folder), { withFileTypes: true }))) ?? [];
    const found = await Promise.all(
      entries.map((entry) => {
        const key = `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}`;
        if (!key.startsWith(prefix)) return [];
        if (entry.isDirectory()) return this.#below(key, prefix);
        return entry.isFile() ? [key] : [];
      }),
    );
    return found.flat();
  }

  async #listed(key: string): Promise<Listed | undefined> {
    const found = await ifThere(stat(this.path(key)));
    // A file is replaced by renaming, so another inode means another one even within one tick of the clock.
    return found && { key, etag: `${found.ino} ${found.mtimeMs} ${found.size}`, modified: found.mtimeMs };
  }
}

/** Into one buffer: a log may be large. */
async function bytesOf(path: string, from: number): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(Math.max(0, (await file.stat()).size - from));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Undefined where nothing has been written yet; a file in a folder's place, or a folder in a file's, is nothing too. */
async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    const { code, path } = error as NodeJS.ErrnoException;
    if (["EACCES", "EPERM", "ELOOP"].includes(code ?? ""))
      throw new UsageError(`${path} of the lake can't be read (${code}): give the command as who may read it`);
    throw error;
  }
}
