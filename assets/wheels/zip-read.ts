/**
 * Reads what zip files have, as it is compressed. Only what wheels need of the format: no encryption, no Zip64
 * (https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT).
 */
import type { Readable } from "node:stream";

export interface ZipEntry {
  readonly name: string;
  /** 0 for bytes as they are, 8 for deflated ones. */
  readonly method: number;
  readonly crc: number;
  /** Bytes in the zip file. */
  readonly packed: number;
  /** Bytes of the file itself. */
  readonly size: number;
  /** Where its header is. */
  readonly offset: number;
}

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
/** An end record and the longest comment after it. */
const TAIL = END_BYTES + 0xffff;
const ENCRYPTED = 1;

/** Streams a zip file from a byte on. */
type Source = (start: number) => Readable;

/** The files of a zip file of `size` bytes, in the order in which they lie there. @throws Error when it isn't one. */
export async function listZip(source: Source, size: number): Promise<readonly ZipEntry[]> {
  const tail = await readAll(source(Math.max(0, size - TAIL)));
  let end = tail.length - END_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END) end -= 1;
  if (end < 0) throw new Error("it is no zip file");
  const [count, length, start] = [
    tail.readUInt16LE(end + 10),
    tail.readUInt32LE(end + 12),
    tail.readUInt32LE(end + 16),
  ];
  if (count === 0xffff || start === 0xffffffff) throw new Error("it is a Zip64 file, which can't be read here");
  const before = size - tail.length;
  const directory = start >= before ? tail.subarray(start - before) : await readAll(source(start));
  return readDirectory(directory.subarray(0, length), count).sort((a, b) => a.offset - b.offset);
}

function readDirectory(directory: Buffer, count: number): ZipEntry[] {
  const entries: ZipEntry[] = [];
  for (let at = 0; entries.length < count; ) {
    if (at + CENTRAL_BYTES > directory.length || directory.readUInt32LE(at) !== CENTRAL)
      throw new Error("its directory is broken");
    const nameBytes = directory.readUInt16LE(at + 28);
    const next = at + CENTRAL_BYTES + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
    const name = directory.toString("utf8", at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameBytes);
    const method = directory.readUInt16LE(at + 10);
    if (directory.readUInt16LE(at + 8) & ENCRYPTED || (method !== 0 && method !== 8)) {
      throw new Error(`its file ${name} is packed in a way that can't be read here`);
    }
    entries.push({
      name,
      method,
      crc: directory.readUInt32LE(at + 16),
      packed: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    });
    at = next;
  }
  return entries;
}

async function readAll(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Gives the packed bytes of entries one after the other, from one reading of the zip file. */
export class ZipReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor(source: Source) {
    this.#chunks = source(0)[Symbol.asyncIterator]();
  }

  /** Each is to be read to its end before the next, whose offset must be higher. */
  async *packed({ name, offset, packed }: ZipEntry): AsyncGenerator<Buffer> {
    for await (const _ of this.#take(offset - this.#at));
    const header = await readAll(this.#take(LOCAL_BYTES));
    if (header.readUInt32LE(0) !== LOCAL) throw new Error(`its file ${name} is not where its directory says`);
    for await (const _ of this.#take(header.readUInt16LE(26) + header.readUInt16LE(28)));
    yield* this.#take(packed);
  }

  /** Reads what is left, so that a connection that others use is not broken off. */
  async end(): Promise<void> {
    for (let last = false; !last; ) last = (await this.#chunks.next()).done ?? false;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async *#take(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (this.#held.length === 0) {
        const { value, done } = await this.#chunks.next();
        if (done) throw new Error("it ends too early");
        this.#held = value;
      }
      const part = this.#held.subarray(0, left);
      this.#held = this.#held.subarray(part.length);
      this.#at += part.length;
      left -= part.length;
      yield part;
    }
  }
}
