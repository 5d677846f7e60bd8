/**
 * Records what this version of the code leaves behind, for the upgrade tests of those that come after it:
 *
 *     node engine/setup.mjs --tests -- node tests/upgrade/record.ts
 *
 * It writes `tests/upgrade/<version of package.json>/`, which is to be committed with the release of that version, and to
 * stay as it is from then on: the tests take every version that is there.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { engine } from "../engine/harness.ts";
import { readJsonFile } from "../project.ts";
import { CLOUDS, folderOf, keepState } from "./states.ts";

const { version } = readJsonFile(import.meta.dirname, "../../package.json") as { version: string };
const folder = folderOf(version);
const states = join(folder, "states");
rmSync(folder, { recursive: true, force: true });
mkdirSync(states, { recursive: true });

for (const [name, under] of Object.entries(CLOUDS)) {
  const project = await engine(under);
  try {
    await project.mustPulumi("up", "--yes", "--skip-preview", "--stack", under.stack);
    await keepState(project, under.stack, join(states, `${name}.json`));
    console.log(`kept ${name}`);
  } finally {
    project.remove();
  }
}
