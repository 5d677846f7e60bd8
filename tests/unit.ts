/** Before each file of project `unit`, which needs what `npm ci` installs and nothing else. */
import childProcess from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, vi } from "vitest";
import { PAGE } from "./assets/dashboard/page-files.ts";

for (const name of ["exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"] as const) {
  Object.assign(childProcess, {
    [name]: (command: string) => {
      throw new Error(`project unit starts no process, and this is ${command}: name the file in vitest.config.ts`);
    },
  });
}
syncBuiltinESMExports();

/** In place of what set-up bundles: components name its files and take their digest. */
const bundles = mkdtempSync(join(tmpdir(), "oneoff-bundles-"));
afterAll(() => rmSync(bundles, { recursive: true }));

vi.mock(import("../components/common/bundle.ts"), () => ({
  bundle(name) {
    const folder = join(bundles, name);
    mkdirSync(join(folder, "page"), { recursive: true });
    for (const file of ["index.mjs", ...PAGE.map((file) => `page/${file}`)]) {
      writeFileSync(join(folder, file), `${name}: ${file}`);
    }
    return folder;
  },
}));
