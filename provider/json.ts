import { readFileSync, renameSync, rmSync } from "node:fs";
import { writeOwn } from "./own.ts";

/** What a JSON file holds, undefined when there is none or it isn't JSON. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

/**
 * Writes a JSON file whole: a reader sees the old text or the new one. Only the user may read it. Its folder is there: one
 * that was removed meanwhile must not come back, and its lake with it.
 */
export function writeJson(file: string, value: unknown): void {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    writeOwn(temporary, `${JSON.stringify(value, undefined, 2)}\n`);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
