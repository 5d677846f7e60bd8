import type { Readable } from "node:stream";

/** Where wheels are put: the lake, in whichever cloud. */
export interface WheelStore {
  /** How people know what is at a key, such as "s3://lake/key". */
  address(key: string): string;
  /** @throws Error that names the address when it can't be read. */
  readText(key: string): Promise<string>;
  exists(key: string): Promise<boolean>;
  /**
   * Puts a stream of `length` bytes. Nothing is at the key before the stream has ended, and nothing comes to be there
   * when `signal` is aborted first.
   */
  put(key: string, content: Readable, length: number, signal: AbortSignal): Promise<void>;
}

/** One in which archives of wheels can be made, too. */
export interface ArchiveStore extends WheelStore {
  /** In bytes. */
  size(key: string): Promise<number>;
  /** From one byte to the end. */
  read(key: string, start: number): Readable;
  /** The length may be known at the end alone. */
  put(key: string, content: Readable, length: number | undefined, signal: AbortSignal): Promise<void>;
}
