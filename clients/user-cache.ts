import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** What is kept on this machine for all projects of its user: a folder in the user's cache, which may not be there yet. */
export function userCache({ XDG_CACHE_HOME: given }: NodeJS.ProcessEnv = process.env): string {
  const own = process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
  return join(given && isAbsolute(given) ? given : own, "pulumi-oneoff");
}
