import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join, posix } from "node:path";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { quote, UsageError } from "../../core/errors.ts";
import { type Machine, onMachine, shellWord, streamOf } from "../ssh.ts";
import { checkKey, folderOf } from "./key.ts";
import type { ByteRange, Piece } from "./piece.ts";
import type { LakeStore, Listed } from "./store.ts";

/** What `find` prints of a file that changes with it. */
const ETAG = "%i %T@ %s";

/** A lake in a folder of another machine, which need not be there yet. */
export class SshStore implements LakeStore {
  readonly address: string;
  readonly isFar = true;
  readonly #machine: Machine;

  /** @param folder absolute. */
  constructor(machine: Machine, folder: string) {
    this.address = folder;
    this.#machine = machine;
  }

  async keys(prefix: string): Promise<readonly string[]> {
    const found = await this.#find(prefix, "-print0");
    return found
      .map((path) => keyOf(prefix, path))
      .filter((key) => key.startsWith(prefix))
      .sort();
  }

  /** Asks for what GNU's find has and others have not, unlike {@link keys}. */
  async list(prefix: string): Promise<readonly Listed[]> {
    const found = await this.#find(prefix, `-printf '${ETAG} %p\\0'`);
    return found
      .map((line) => {
        const [, inode, time, size, path] = /^(\d+) (-?[\d.]+) (\d+) (.*)$/s.exec(line) ?? [];
        if (path === undefined) {
          throw new UsageError(`${this.#machine.address} says ${quote(line)}: its shell must print nothing by itself`);
        }
        const key = keyOf(prefix, path);
        return { key, etag: `${inode} ${time} ${size}`, modified: Math.floor(Number(time) * 1000) };
      })
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async bytes(key: string, from = 0): Promise<Uint8Array | undefined> {
    const file = this.#word(key);
    const found = await onMachine(
      this.#machine,
      `if [ -f ${file} ]; then printf + && tail -c +${from + 1} ${file}; fi`,
    );
    return found.length === 0 ? undefined : found.subarray(1);
  }

  async piece(key: string, range: ByteRange): Promise<Piece | undefined> {
    const file = this.#word(key);
    const [from, length] =
      "last" in range
        ? [`$((size > ${range.last} ? size - ${range.last} : 0))`, range.last]
        : [range.from, range.length];
    const found = await onMachine(
      this.#machine,
      `if [ -f ${file} ]; then size=$(($(wc -c < ${file}))); from=${from}; echo $from $size; tail -c +$((from + 1)) ${file} | head -c ${length}; fi`,
    );
    const end = found.indexOf("\n");
    if (end < 0) return undefined;
    const [at = 0, size = 0] = found.toString("latin1", 0, end).split(" ").map(Number);
    const bytes = found.subarray(end + 1, end + 1 + Math.max(0, size - at)); // it may have grown meanwhile
    return { bytes, from: Math.min(at, size), size };
  }

  async content(key: string): Promise<Readable> {
    return streamOf(this.#machine, `cat ${this.#word(key)}`);
  }

  async create(key: string, content: string): Promise<boolean> {
    return this.#put(key, content, (temporary, file) => {
      const link = `ln ${temporary} ${file}`;
      return `if ${link} 2>/dev/null; then echo made; else [ -e ${file} ] || ${link}; fi`;
    });
  }

  async replace(key: string, content: string, etag: string): Promise<boolean> {
    return this.#put(key, content, (temporary, file) => {
      const found = `LC_ALL=C find ${file} -maxdepth 0 -printf ${shellWord(ETAG)} 2>/dev/null`;
      return `if [ "$(${found})" = ${shellWord(etag)} ]; then mv -f ${temporary} ${file} && echo made; fi`;
    });
  }

  async folders(): Promise<readonly string[]> {
    const lake = this.#word("");
    const find = "LC_ALL=C find . -mindepth 1 -maxdepth 1 -type d -print0";
    const found = await onMachine(this.#machine, `[ ! -d ${lake} ] || { cd ${lake} && ${find}; }`);
    return found
      .toString()
      .split("\0")
      .slice(0, -1)
      .map((path) => path.slice("./".length))
      .sort();
  }

  async remove(prefix: string): Promise<void> {
    const path = checkKey(prefix).replace(/\/$/, "");
    const [folder, name] = [posix.dirname(path), posix.basename(path)];
    const refusal = `${posix.join(this.address, path)} lies elsewhere by a link, which is not followed: remove it by hand`;
    const command = `cd ${this.#word("")} 2>/dev/null || exit 0
      lake=$(pwd -P); cd ${shellWord(`./${folder}`)} 2>/dev/null || exit 0
      if [ "$(pwd -P)" != "$lake"${folder === "." ? "" : shellWord(`/${folder}`)} ]; then
        echo ${shellWord(refusal)} >&2; exit 1
      fi
      rm -rf -- ${shellWord(`./${name}`)}`;
    await onMachine(this.#machine, command);
  }

  async fetch(keys: readonly string[], folder: string): Promise<void> {
    if (keys.length === 0) return;
    const archive = join(folder, "fetched.tar");
    const command = `cd ${this.#word("")} && xargs -0 tar -cf - --`;
    const names = keys.map((key) => `${checkKey(key)}\0`).join("");
    await pipeline(streamOf(this.#machine, command, names), createWriteStream(archive));
    // Of many names xargs makes several archives, each with its end.
    await promisify(execFile)("tar", ["-x", "-i", "-f", archive, "-C", folder]);
    await rm(archive);
  }

  close(): void {
    // Each command has a connection of its own.
  }

  /** What `find` prints of the files below the folder that keys begin with, and not of what goes away meanwhile. */
  async #find(prefix: string, action: string): Promise<readonly string[]> {
    const folder = this.#word(folderOf(checkKey(prefix)));
    const find = `LC_ALL=C find . -type f ${action}`;
    const complaints = `{ ${find} 2>&1 >&3 | grep -v ': No such file or directory$' >&2; } 3>&1`;
    const found = await onMachine(this.#machine, `[ ! -d ${folder} ] || { cd ${folder} && ! ${complaints}; }`);
    return found.toString().split("\0").slice(0, -1);
  }

  /** Puts a file by a command that is given its content under another name beside it, and says so when it has. */
  async #put(key: string, content: string, put: (temporary: string, file: string) => string): Promise<boolean> {
    const folder = shellWord(`./${folderOf(checkKey(key))}`);
    const name = posix.basename(key);
    const temporary = shellWord(`./.${name}.${randomBytes(8).toString("hex")}.tmp`);
    // Whatever is made is made in a lake that is there: one that was taken away must not come back.
    const command = `cd ${this.#word("")} && mkdir -p ${folder} && cd ${folder} || exit
      { cat > ${temporary} && ${put(temporary, shellWord(`./${name}`))}; }; code=$?; rm -f ${temporary}; exit $code`;
    return (await text(streamOf(this.#machine, command, content))).trim() === "made";
  }

  #word(key: string): string {
    return shellWord(posix.join(this.address, checkKey(key)));
  }
}

/** @param path as `find` says it: "./part-0.parquet". */
const keyOf = (prefix: string, path: string): string => folderOf(prefix) + path.slice("./".length);
