/** Builds the published package into dist/: compiled JavaScript with types, and the files that run elsewhere as they are. */
import { execFileSync } from "node:child_process";
import { cpSync, globSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });
const carried = [
  ...globSync("assets/jobs/**/{*.py,requirements.txt}"),
  ...globSync("assets/local/*.{py,sh}"),
  "assets/local/pulumi-resource-oneoff-local",
  ...globSync("engine/setup{.mjs,/**/*.mjs}"),
  "engine/requirements.txt",
];
for (const file of carried) cpSync(file, `dist/${file}`);
execFileSync(process.execPath, ["assets/dashboard/build.ts", "dist/assets/dashboard/page"], { stdio: "inherit" });
