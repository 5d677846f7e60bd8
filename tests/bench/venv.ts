/** Python environments with locked requirements, made anew when they change: what ours is measured beside, and PyTorch. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The Python of what ours is measured beside. */
export const benchPython = (): string => venv("bench-venv", at("requirements.txt"));

/** The Python of an environment in .oneoff. */
export function venv(name: string, requirements: string): string {
  const folder = at(`../../.oneoff/${name}`);
  const stamp = createHash("sha256").update(readFileSync(requirements)).digest("hex");
  const file = `${folder}/stamp`;
  const python = `${folder}/bin/python`;
  if (existsSync(file) && readFileSync(file, "utf8") === stamp) return python;
  rmSync(folder, { recursive: true, force: true });
  execFileSync(at("../../.oneoff/venv/bin/python"), ["-m", "venv", folder]);
  execFileSync(`${folder}/bin/pip`, ["install", "--quiet", "--require-hashes", "-r", requirements], {
    stdio: "inherit",
  });
  writeFileSync(file, stamp);
  return python;
}
