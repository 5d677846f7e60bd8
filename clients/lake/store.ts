/** A lake as its files, wherever they are: what the dashboard and the command line read it by, and ask a run to end. */
import type { Readable } from "node:stream";
import type { ByteRange, Piece } from "./piece.ts";

/** A file or object of a lake. */
export interface Listed {
  /** Below the lake, with "/" between its parts. */
  readonly key: string;
  /** Another one after each change. */
  readonly etag: string;
  /** Milliseconds since 1970. */
  readonly modified: number;
}

/** The files of one lake. Keys are told without the prefix that the lake may have in its bucket. */
export interface LakeStore {
  /** As stacks say it: "s3://bucket/prefix", "gs://bucket", or the path of a folder. */
  readonly address: string;
  /** Whether each look is a request that is billed, or a connection of its own. */
  readonly isFar: boolean;
  /**
   * Keys that begin so, sorted: below a folder, such as "_runs/". None where nothing has been written yet, but a bucket has
   * to be there.
   * @throws UsageError when it leads out of the lake; so does a key, wherever it is given.
   */
  keys(prefix: string): Promise<readonly string[]>;
  /** The same with what changes about them. In a folder that asks for more than {@link keys} does. */
  list(prefix: string): Promise<readonly Listed[]>;
  /**
   * Bytes from a position on: none when there are no more, undefined when there is no such file.
   * @param from @default 0
   */
  bytes(key: string, from?: number): Promise<Uint8Array | undefined>;
  /**
   * The bytes of a range, and no others are read; undefined when there is no such file.
   * @throws UsageError when it lies elsewhere than its key says, by a link.
   */
  piece(key: string, range: ByteRange): Promise<Piece | undefined>;
  /** What is in a file that is there. */
  content(key: string): Promise<Readable>;
  /**
   * Makes a file, whole, unless there is one.
   * @returns whether there was none.
   * @throws UsageError when the lake is not there, or may not be written to.
   */
  create(key: string, content: string): Promise<boolean>;
  /**
   * Writes a file, whole, in the place of the one that {@link list} told of with this etag.
   * @returns whether that was still there: false when it is another one by now, or gone. It fails as {@link create} does.
   * On a disk two who do so in one instant may both succeed.
   */
  replace(key: string, content: string, etag: string): Promise<boolean>;
  /** Names of the folders at its top, sorted: its tables, and what begins with "_". */
  folders(): Promise<readonly string[]>;
  /**
   * Removes what has keys that begin so, and in a folder the folder itself. What is not there is no error, so that it can be
   * given again.
   * @param prefix a file's key, or that of a folder with "/" at its end.
   * @throws UsageError when it may not be removed.
   */
  remove(prefix: string): Promise<void>;
  /** Absolute path of a file. @default it is on no disk of this machine */
  path?(key: string): string;
  /**
   * Copies files that are there into a folder, below their keys, at once.
   * @default each is copied by {@link content}
   */
  fetch?(keys: readonly string[], folder: string): Promise<void>;
  /** Gives connections back, for who goes on without the lake. */
  close(): void;
}
