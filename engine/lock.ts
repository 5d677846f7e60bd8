/**
 * Resolves the Python requirements anew, with the hashes of every platform's files: what set-up installs on any Python that
 * it takes, and, for Python 3.11, what stands in assets/manifest.ts; then the images' jars. Needs uv
 * (https://docs.astral.sh/uv/) and Maven (https://maven.apache.org/).
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MANIFEST } from "../assets/manifest.ts";

const run = (command: string, args: readonly string[]) => void execFileSync(command, [...args], { stdio: "inherit" });

function lock(folder: string, python: string): void {
  const files = [join(folder, "requirements.in"), "-o", join(folder, "requirements.txt")];
  const options = ["--quiet", "--universal", "--generate-hashes", "--no-header", "--no-emit-index-url"];
  run("uv", ["pip", "compile", ...options, "--python-version", python, ...files]);
}

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
for (const folder of ["engine", "tests", "tests/bench"]) lock(folder, "3.10");
for (const folder of ["tests/scoring/spark-kafka", "tests/streaming/opensearch"])
  run("sh", ["engine/lock-jars.sh", folder]);
for (const [name, { requirements = [], jars }] of Object.entries(MANIFEST)) {
  const folder = join("assets", name);
  for (const part of requirements) lock(join(folder, part), "3.11");
  if (jars) run("sh", ["engine/lock-jars.sh", folder]);
}
