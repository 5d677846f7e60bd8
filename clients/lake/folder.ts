import { randomBytes } from "node:crypto";
import { constants, createReadStream, type Dirent } from "node:fs";
import { link, mkdir, open, readdir, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { UsageError } from "../../core/errors.ts";
import { checkKey, folderOf } from "./key.ts";
import { type ByteRange, type Piece, within } from "./piece.ts";
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

  async piece(key: string, range: ByteRange): Promise<Piece | undefined> {
    const real = await ifThere(realpath(this.path(key)));
    if (real === undefined) return undefined;
    if (real !== join(await realpath(this.address), key)) throw new UsageError(`${this.path(key)} ${ELSEWHERE}`);
    return ifThere(pieceOf(real, range));
  }

  async content(key: string): Promise<Readable> {
    return createReadStream(this.path(key));
  }

  async create(key: string, content: string): Promise<boolean> {
    return this.#whole(key, content, async (temporary, path) => {
      try {
        await link(temporary, path);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
        throw error;
      }
    });
  }

  async replace(key: string, content: string, etag: string): Promise<boolean> {
    return this.#whole(key, content, async (temporary, path) => {
      if ((await this.#listed(key))?.etag !== etag) return false;
      await rename(temporary, path);
      return true;
    });
  }

  async folders(): Promise<readonly string[]> {
    const entries = (await ifThere(readdir(this.address, { withFileTypes: true }))) ?? [];
    return entries
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  }

  async remove(prefix: string): Promise<void> {
    const path = this.path(prefix);
    const [parent, lake] = await Promise.all([ifThere(realpath(dirname(path))), ifThere(realpath(this.address))]);
    if (parent === undefined || lake === undefined) return;
    if (parent !== dirname(join(lake, prefix)))
      throw new UsageError(`${path} lies elsewhere by a link, which is not followed: remove it by hand`);
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 5 });
    } catch (error) {
      throw unwritable(error as NodeJS.ErrnoException, this.address);
    }
  }

  path(key: string): string {
    return join(this.address, checkKey(key));
  }

  close(): void {
    // Files are closed once they are read.
  }

  /** Puts a file by what is given its content under another name beside it. */
  async #whole(
    key: string,
    content: string,
    put: (temporary: string, path: string) => Promise<boolean>,
  ): Promise<boolean> {
    const path = this.path(key);
    const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString("hex")}.tmp`);
    try {
      await this.#makeFolders(folderOf(key));
      await writeFile(temporary, content, { flag: "wx" });
      return await put(temporary, path);
    } catch (error) {
      throw unwritable(error as NodeJS.ErrnoException, this.address);
    } finally {
      await rm(temporary, { force: true }).catch(() => {}); // why it isn't there is told
    }
  }

  /** In a lake that is there: one that was taken away must not come back. */
  async #makeFolders(folder: string): Promise<void> {
    let path = this.address;
    for (const part of folder.split("/").slice(0, -1)) {
      path = join(path, part);
      await mkdir(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    }
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

function unwritable(error: NodeJS.ErrnoException, lake: string): Error {
  if (error.code === "ENOENT") return new UsageError(`the lake ${lake} is not there: nothing can be written to it`);
  const cure = CURES[error.code ?? ""];
  return cure === undefined
    ? error
    : new UsageError(`the lake ${lake} can't be written to (${error.code}): ${cure}`, cure);
}

const PERMISSION = "give the command as who may write there";
const ROOM = "free some of its disk";
const CURES: Readonly<Record<string, string>> = {
  ...{ EACCES: PERMISSION, EPERM: PERMISSION, EROFS: PERMISSION },
  ...{ ENOSPC: ROOM, EDQUOT: ROOM },
  ENOTDIR: "a file is where one of its folders should be: remove it",
};

const ELSEWHERE = "lies elsewhere by a link, which is not followed: put the file itself into the lake";

/** A pipe in a file's place is no file, and nobody waits for it. */
async function pieceOf(path: string, range: ByteRange): Promise<Piece | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    const { from, length } = within(range, found.size);
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, from);
    return { bytes: buffer.subarray(0, bytesRead), from, size: found.size };
  } finally {
    await file.close();
  }
}

/** Into one buffer: a log may be large. A pipe in a file's place is no file here either. */
async function bytesOf(path: string, from: number): Promise<Uint8Array | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    const buffer = Buffer.alloc(Math.max(0, found.size - from));
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
