import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const BUILDS = fileURLToPath(new URL("../.oneoff/go", import.meta.url));

/**
 * A program of a Go module, built when what go.mod and go.sum of `folder` name has changed.
 *
 * @returns its path.
 * @throws Error that says so when there is no Go; `instead` is what would do as well.
 */
export async function goBuild(folder: string, module: string, options: readonly string[] = [], instead = "") {
  const hash = createHash("sha256").update(JSON.stringify([module, options]));
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(folder, file)));
  const binary = join(BUILDS, `${module.split("/").at(-1)}-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(binary)) return binary;
  mkdirSync(BUILDS, { recursive: true });
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
  return binary;
}
