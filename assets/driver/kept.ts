/** Requirements that runs on this machine keep for later ones (kept.py, which makes and removes them). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { userCache } from "../../clients/user-cache.ts";

/** Their folder, in the user's cache. */
export const keptRequirements = (env?: NodeJS.ProcessEnv): string => join(userCache(env), "requirements");

/** Bytes of each set of them. */
export const keptBytes = (folder: string): readonly number[] =>
  entries(folder)
    .filter((name) => !name.startsWith(".") && name !== "lock")
    .map((name) => bytesOf(join(folder, name)));

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // nothing was kept, or by another user
  }
}

function bytesOf(place: string): number {
  try {
    return Number(JSON.parse(readFileSync(join(place, "made.json"), "utf8")).bytes) || 0;
  } catch {
    return 0; // it is about to be removed
  }
}
