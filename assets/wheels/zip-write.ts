/** Headers of a zip file, with which bytes that are packed already become one. The same files give the same bytes. */
import type { ZipEntry } from "./zip-read.ts";

/** More takes Zip64, which not everything that unpacks archives can read. */
const MOST_FILES = 0xffff - 1;
const MOST_BYTES = 0xffffffff - 1;
/** Names are UTF-8. */
const FLAGS = 1 << 11;
const VERSION = 20;
/** 1 January 1980, midnight: the earliest that there is. */
const DATE = (1 << 5) | 1;
const UNIX = 3;
/** A file that all may read. */
const MODE = 0o100644;

/** Writes a zip file by its pieces: `begin` before the packed bytes of each file, `end` after the last. */
export class ZipWriter {
  readonly #directory: Buffer[] = [];
  #size = 0;

  /** The header before a file's packed bytes. @throws Error when there would be too much. */
  begin({ name, method, crc, packed, size }: Omit<ZipEntry, "offset">): Buffer {
    const encoded = Buffer.from(name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(VERSION, 0);
    common.writeUInt16LE(FLAGS, 2);
    common.writeUInt16LE(method, 4);
    common.writeUInt16LE(DATE, 8);
    common.writeUInt32LE(crc, 10);
    common.writeUInt32LE(packed, 14);
    common.writeUInt32LE(size, 18);
    common.writeUInt16LE(encoded.length, 22);
    const central = Buffer.alloc(14);
    central.writeUInt32LE((MODE << 16) >>> 0, 6);
    central.writeUInt32LE(this.#size, 10);
    this.#directory.push(Buffer.concat([Buffer.from([0x50, 0x4b, 1, 2, VERSION, UNIX]), common, central, encoded]));
    const header = Buffer.concat([Buffer.from([0x50, 0x4b, 3, 4]), common, encoded]);
    this.#size += header.length + packed;
    if (this.#directory.length > MOST_FILES || this.#size > MOST_BYTES) {
      throw new Error(`the packages have more than ${MOST_FILES} files or 4 GiB, which is too much for one archive`);
    }
    return header;
  }

  /** What comes after the last file. */
  end(): Buffer {
    const directory = Buffer.concat(this.#directory);
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(this.#directory.length, 8);
    end.writeUInt16LE(this.#directory.length, 10);
    end.writeUInt32LE(directory.length, 12);
    end.writeUInt32LE(this.#size, 16);
    return Buffer.concat([directory, end]);
  }
}
