import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BUILDS = fileURLToPath(new URL("../.oneoff/go", import.meta.url));

/**
 * A program of a Go module, built when what go.mod and go.sum of `folder` name has changed. Tests that run side by side and
 * need the same one wait for the first.
 *
 * @returns its path.
 * @throws Error that says so when there is no Go; `instead` is what would do as well.
 */
export async function goBuild(folder: string, module: string, options: readonly string[] = [], instead = "") {
  const hash = createHash("sha256").update(JSON.stringify([module, options]));
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(folder, file)));
  const binary = join(BUILDS, `${module.split("/").at(-1)}-${hash.digest("hex").slice(0, 16)}`);
  mkdirSync(BUILDS, { recursive: true });
  const lock = `${binary}.lock`;
  while (!existsSync(binary)) {
    if (!takes(lock)) await sleep(100);
    else await build().finally(() => rmSync(lock));
  }
  return binary;

  async function build(): Promise<void> {
    if (existsSync(binary)) return; // by the one whose lock was there a moment ago
    const fresh = `${binary}.${process.pid}`;
    try {
      await promisify(execFile)("go", ["build", "-trimpath", "-ldflags", "-s -w", ...options, "-o", fresh, module], {
        cwd: folder,
        maxBuffer: 1 << 26,
      });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new Error(`${module} can't be built: Go was not found. Install Go (https://go.dev/doc/install)${instead}`);
    }
    renameSync(fresh, binary);
  }
}

/** Whether the lock is this process's now. One whose process has died is taken away. */
function takes(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  try {
    const owner = Number(readFileSync(lock, "utf8"));
    if (owner > 0) process.kill(owner, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") rmSync(lock, { force: true });
  }
  return false;
}
