/** Software that a stack needs and this machine lacks: fetched once, and kept in the user's cache for all stacks. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { userCache } from "../clients/user-cache.ts";
import { fetchJars } from "./jars.ts";
import { tail } from "./log.ts";
import { ownEnvironment } from "./process.ts";

/** Files between two words of how far it is. */
const TOLD_EVERY = 20;

/** See components/local/software.ts. */
export interface Wanted {
  readonly name: string;
  readonly lock: string;
  readonly python?: string;
}

/** It is the same as long as what is locked is, and the Python that it is for. */
export const digestOf = ({ lock, python }: Wanted): string =>
  createHash("sha256")
    .update(readFileSync(lock))
    .update(python ?? "")
    .digest("hex")
    .slice(0, 16);

/**
 * The folder of what is wanted, which is fetched where it isn't there.
 * @param say is told that it is fetched, and how far that is.
 */
export async function fetched(wanted: Wanted, say: (text: string) => void): Promise<string> {
  const folder = join(userCache(), `${wanted.name}-${digestOf(wanted)}`);
  if (!existsSync(folder)) await make(wanted, folder, say);
  return folder;
}

/** It is there whole or not at all. */
async function make({ name, lock, python }: Wanted, folder: string, say: (text: string) => void): Promise<void> {
  mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
  const fresh = mkdtempSync(`${folder}.`);
  try {
    say(`${name} is fetched, once for this machine`);
    if (python === undefined) {
      await fetchJars(fresh, lock, (done, all) => {
        if (done % TOLD_EVERY === 0 || done === all) say(`${name}: ${done} of ${all} files`);
      });
    } else await install(python, lock, fresh);
    if (!existsSync(folder)) renameSync(fresh, folder); // else another stack was faster
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** @throws Error with the last that pip said. */
function install(python: string, lock: string, folder: string): Promise<void> {
  const options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes", "--no-deps"];
  const pip = ["-m", "pip", "install", ...options, "--target", folder, "--requirement", lock];
  return new Promise((resolve, reject) => {
    execFile(python, pip, { env: ownEnvironment(), maxBuffer: 1 << 26 }, (error, out, err) => {
      if (!error) return resolve();
      reject(new Error(`${lock} could not be installed for ${python}:\n${tail(`${out}${err}`) || error.message}`));
    });
  });
}
