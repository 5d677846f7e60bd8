/** Disks that are full. */
import { existsSync, statfsSync } from "node:fs";
import { dirname } from "node:path";

/** What a run needs of its disk at least, in bytes. */
export const LEAST_FREE = 512 * 1024 * 1024;
/** A disk with less room is full. */
const FULL_BYTES = 1024 * 1024;

const megabytes = (bytes: number): string => String(Math.round(bytes / 1e6));

/** That the disk of a folder is full, with what is left of it, what is needed and the cure. */
export function noSpace(folder: string): string {
  let there = folder;
  while (!existsSync(there)) there = dirname(there);
  const { bavail, blocks, bsize } = statfsSync(there);
  const left = `${megabytes(bavail * bsize)} of ${megabytes(blocks * bsize)} MB are free, a run needs at least ${megabytes(LEAST_FREE)}`;
  return `no space is left on the disk of ${folder} (${left}); free some, or put the lake elsewhere (oneoff:lake)`;
}

/** Whether next to nothing is left of the disk of a folder; false where there is no such folder. */
export function isFull(folder: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < FULL_BYTES;
  } catch {
    return false;
  }
}

/** The error in words, where it came of a disk that is full; else as it is. */
export function spaceProblem(error: unknown, folder: string | undefined): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (folder === undefined) return error as Error;
  if (code === "ENOSPC" || code === "EDQUOT") return new Error(noSpace(folder), { cause: error });
  // Whatever else is said of it: what was started can't even write that down.
  return isFull(folder) ? new Error(`${noSpace(folder)}: ${message}`, { cause: error }) : (error as Error);
}
