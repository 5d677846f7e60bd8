/** Requirements that runs on this machine keep for later ones (kept.py, which makes and removes them). */
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Their folder, in the user's cache. */
export function keptRequirements({ XDG_CACHE_HOME: given }: NodeJS.ProcessEnv = process.env): string {
  const own = process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
  return join(given && isAbsolute(given) ? given : own, "pulumi-oneoff", "requirements");
}

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
