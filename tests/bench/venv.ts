/** What ours is measured beside: a Python environment with the locked requirements, made anew when they change. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const VENV = at("../../.oneoff/bench-venv");
const REQUIREMENTS = at("requirements.txt");

/** The environment's Python. */
export function benchPython(): string {
  const stamp = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex");
  const file = `${VENV}/stamp`;
  const python = `${VENV}/bin/python`;
  if (existsSync(file) && readFileSync(file, "utf8") === stamp) return python;
  rmSync(VENV, { recursive: true, force: true });
  execFileSync(at("../../.oneoff/venv/bin/python"), ["-m", "venv", VENV]);
  execFileSync(`${VENV}/bin/pip`, ["install", "--quiet", "--require-hashes", "-r", REQUIREMENTS], { stdio: "inherit" });
  writeFileSync(file, stamp);
  return python;
}
