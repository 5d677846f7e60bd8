/** A folder that is a lake: made empty, and deleted with what the lake holds and nothing else. */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { readJson, writeJson } from "./json.ts";
import { layout } from "./layout.ts";
import { registered, registration, stop } from "./process.ts";
import { isSame, type Properties, type ResourceKind } from "./resource.ts";

const LEAST_FREE = 512 * 1024 * 1024;

interface Folder {
  /** Absolute. */
  readonly path: string;
  /** Whether the data stays when the resource is deleted. */
  readonly retain: boolean;
}

export const folder: ResourceKind = {
  check(_urn, { path }: Folder) {
    const problem = problemOf(path);
    return problem ? [{ property: "path", reason: `lake is ${JSON.stringify(path)}: ${problem}` }] : [];
  },
  diff: (state, inputs) => ({
    changes: !isSame(state, inputs),
    replaces: state.path === inputs.path ? [] : ["path"],
  }),
  async create(_urn, { path, retain }: Folder) {
    mkdirSync(path, { recursive: true });
    writeJson(layout(path).marker, { about: "A lake of pulumi-oneoff: one folder per table, one per run below it." });
    return { id: path, outs: { path, retain } };
  },
  read: async (state: Folder) => (existsSync(layout(state.path).marker) ? state : undefined),
  update: async (_state, inputs: Folder) => inputs,
  async delete({ path, retain }: Folder) {
    if (!isLake(path)) return;
    await stopProcesses(path);
    if (retain) return;
    for (const name of readdirSync(path)) {
      if (isOurs(path, name)) rmSync(join(path, name), { recursive: true, force: true, maxRetries: 5 });
    }
    if (readdirSync(path).length === 0) rmdirSync(path);
  },
  inputsOf: ({ path, retain }: Folder) => ({ path, retain }),
};

const isLake = (path: string): boolean => readJson(layout(path).marker) !== undefined;

/** A lake holds tables (folders of runs) and, under "_", what is about them. */
const isOurs = (path: string, name: string): boolean =>
  name.startsWith("_") ||
  (statSync(join(path, name)).isDirectory() && readdirSync(join(path, name)).every((run) => run.startsWith("run=")));

/** Ends clusters and dashboards that live in the folder: those the engine was killed too early to hear of. */
async function stopProcesses(path: string): Promise<void> {
  const { clusters, dashboards } = layout(path);
  const homes = [clusters, dashboards]
    .filter((home) => existsSync(home))
    .flatMap((home) => readdirSync(home).map((name) => join(home, name)));
  await Promise.all(homes.map((home) => stop(registered(registration(home)))));
}

function problemOf(path: string): string | undefined {
  let ancestor = path;
  while (!existsSync(ancestor)) ancestor = dirname(ancestor);
  const cure = "choose another folder with: pulumi config set oneoff:lake FOLDER";
  try {
    if (!statSync(ancestor).isDirectory()) return `${ancestor} is not a folder; ${cure}`;
    accessSync(ancestor, constants.W_OK | constants.X_OK);
    if (ancestor === path && !isLake(path) && readdirSync(path).length > 0) {
      return `the folder has files that are not a lake's; empty it, or ${cure}`;
    }
    const { bavail, bsize } = statfsSync(ancestor);
    if (bavail * bsize < LEAST_FREE) {
      return `its disk has ${Math.round((bavail * bsize) / 1e6)} MB free and a run needs at least ${Math.round(LEAST_FREE / 1e6)} MB; free some, or ${cure}`;
    }
  } catch (error) {
    return `it can't be written (${(error as Properties).code}); ${cure}`;
  }
  return undefined;
}
