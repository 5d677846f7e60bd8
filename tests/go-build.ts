import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { CACHE } from "./cache.ts";

const run = promisify(execFile);
const BUILDS = join(CACHE, "go");
/** A program that no test has asked for in so many days is removed when another of its name is built. */
const KEPT_DAYS = 14;

/**
 * A program of a Go module, built when what go.mod and go.sum of `folder` name has changed, or Go has. Tests that run side
 * by side and need the same one wait for the first.
 *
 * @returns its path.
 * @throws Error that says so when there is no Go; `instead` is what would do as well.
 */
export async function goBuild(folder: string, module: string, options: readonly string[] = [], instead = "") {
  const go = async (...args: readonly string[]) => {
    try {
      return (await run("go", args, { cwd: folder, maxBuffer: 1 << 26 })).stdout;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      throw new Error(`${module} can't be built: Go was not found. Install Go (https://go.dev/doc/install)${instead}`);
    }
  };
  const target = await go("env", "GOVERSION", "GOOS", "GOARCH");
  const hash = createHash("sha256").update(JSON.stringify([module, options, target]));
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(folder, file)));
  const name = module.split("/").at(-1) as string;
  const binary = join(BUILDS, `${name}-${hash.digest("hex").slice(0, 16)}`);
  mkdirSync(BUILDS, { recursive: true });
  const lock = `${binary}.lock`;
  while (!existsSync(binary)) {
    if (!takes(lock)) await sleep(100);
    else await build().finally(() => rmSync(lock));
  }
  utimesSync(binary, new Date(), new Date());
  return binary;

  async function build(): Promise<void> {
    if (existsSync(binary)) return; // by the one whose lock was there a moment ago
    removeUnused(name);
    const fresh = `${binary}.${process.pid}`;
    await go("build", "-trimpath", "-ldflags", "-s -w", ...options, "-o", fresh, module);
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

/** Programs of a name that are of no use any more, and what a build that was killed left. */
function removeUnused(name: string): void {
  const before = Date.now() - KEPT_DAYS * 86_400_000;
  for (const file of readdirSync(BUILDS).filter((file) => file.startsWith(`${name}-`))) {
    const path = join(BUILDS, file);
    if ((statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? before) < before) rmSync(path, { force: true });
  }
}
