/** A folder that is a lake: made empty, and deleted with what the lake holds and nothing else. */
import {
  accessSync,
  constants,
  type Dirent,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { lakeLayout } from "../core/lake-layout.ts";
import { readJson, writeJson } from "./json.ts";
import { registered, stop } from "./process.ts";
import { isSame, type Properties, type ResourceKind } from "./resource.ts";

const NOTEBOOKS = join(import.meta.dirname, "../assets/notebooks");

const LEAST_FREE = 512 * 1024 * 1024;

interface Folder {
  /** Absolute. */
  readonly path: string;
  /** Whether the data stays when the resource is deleted. */
  readonly retain: boolean;
}

export const folder: ResourceKind = {
  check(urn, { path }: Folder, old?: Folder) {
    const problem = problemOf(path, urn) ?? moveProblem(path, old);
    return problem ? [{ property: "path", reason: `lake is ${JSON.stringify(path)}: ${problem}` }] : [];
  },
  diff: (state, inputs) => ({
    changes: !isSame(state, inputs),
    replaces: state.path === inputs.path ? [] : ["path"],
  }),
  async create(urn, { path, retain }: Folder) {
    mkdirSync(path, { recursive: true });
    writeJson(lakeLayout(path).marker, { ...MARKER, owner: urn });
    return { id: path, outs: { path, retain } };
  },
  read: async (state: Folder) => (existsSync(lakeLayout(state.path).marker) ? state : undefined),
  update: async (_state, inputs: Folder) => inputs,
  async delete({ path, retain }: Folder) {
    if (!readMarker(path)) return;
    await stopProcesses(path);
    const { marker, clusters, services, dashboards, records, logs, events, scratch } = lakeLayout(path);
    for (const own of [clusters, services, dashboards, scratch]) remove(own);
    if (retain) return writeJson(marker, MARKER); // the next stack may have it
    for (const own of [records, logs, events]) remove(own);
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory() && !entry.name.startsWith("_")) removeRuns(join(path, entry.name));
    }
    const kept = removeOurNotebooks(lakeLayout(path).notebooks);
    if (kept.length > 0) {
      warnOfKept(path, kept);
      return writeJson(marker, MARKER);
    }
    remove(marker); // last: as long as it is there, an interrupted delete can be taken up again
    removeIfEmpty(path);
  },
  inputsOf: ({ path, retain }: Folder) => ({ path, retain }),
};

/**
 * For what is about to be put into a lake: an engine that was killed may have had it removed since.
 * @throws Error when it is none any more.
 */
export function checkLake(path: string): void {
  if (readMarker(path)) return;
  throw new Error(`the lake ${path} is gone: it was removed meanwhile; "pulumi up" makes it anew`);
}

const MARKER = { about: "A lake of pulumi-oneoff: one folder per table, one per run below it." };

const readMarker = (path: string) => readJson(lakeLayout(path).marker) as { readonly owner?: string } | undefined;

const remove = (path: string) => rmSync(path, { recursive: true, force: true, maxRetries: 5 });

/** Removes a table's runs, and its folder when nothing else is in there. */
function removeRuns(table: string): void {
  const runs = readdirSync(table).filter((name) => name.startsWith("run="));
  for (const run of runs) remove(join(table, run));
  if (runs.length > 0) removeIfEmpty(table);
}

/** A file that macOS puts into every folder it shows doesn't count. */
function removeIfEmpty(folder: string): void {
  if (readdirSync(folder).every((name) => name === ".DS_Store")) remove(folder);
}

/** Removes the notebooks that nobody changed, and what JupyterLab put beside them; returns the files that are left. */
function removeOurNotebooks(folder: string): readonly string[] {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!found) return [];
  if (!found.isDirectory()) return [folder]; // a link, say: what is behind it is somebody else's
  const bundled = readdirSync(NOTEBOOKS).map((name) => readFileSync(join(NOTEBOOKS, name)));
  const isBundled = (entry: Dirent, path: string) => {
    const size = entry.isFile() ? statSync(path).size : -1;
    return bundled.some((content) => content.length === size && content.equals(readFileSync(path)));
  };
  const clear = (inside: string): readonly string[] => {
    const kept = readdirSync(inside, { withFileTypes: true }).flatMap((entry) => {
      const path = join(inside, entry.name);
      if (entry.isDirectory() && entry.name !== ".ipynb_checkpoints") return clear(path);
      if (!entry.isDirectory() && entry.name !== ".DS_Store" && !isBundled(entry, path)) return [path];
      remove(path);
      return [];
    });
    if (kept.length === 0) remove(inside);
    return kept;
  };
  return clear(folder);
}

const MOST_NAMED = 3;

function warnOfKept(lake: string, kept: readonly string[]): void {
  const names = kept.slice(0, MOST_NAMED).map((file) => relative(lake, file));
  const more = kept.length > MOST_NAMED ? ` and ${kept.length - MOST_NAMED} more` : "";
  pulumi.log.warn(
    `What you wrote in JupyterLab was kept: ${names.join(", ")}${more} in ${lake}. The next "pulumi up" takes the folder with it; remove it by hand when you don't need it.`,
  );
}

/** Ends clusters, services and dashboards that live in the folder: those the engine was killed too early to hear of. */
async function stopProcesses(path: string): Promise<void> {
  const { clusters, services, dashboards } = lakeLayout(path);
  const homes = [clusters, services, dashboards]
    .filter((home) => existsSync(home))
    .flatMap((home) => readdirSync(home).map((name) => join(home, name)));
  await Promise.all(homes.map((home) => stop(registered(home))));
}

/** A lake that moves would leave its results behind to be deleted. */
function moveProblem(path: string, old: Folder | undefined): string | undefined {
  if (!old || old.path === path || old.retain || !existsSync(lakeLayout(old.path).records)) return undefined;
  return `the results of this stack are in ${JSON.stringify(old.path)} and would be deleted; keep them first with: pulumi config set oneoff:removal retain, and pulumi up`;
}

function problemOf(path: string, urn: string): string | undefined {
  let ancestor = path;
  while (!existsSync(ancestor)) ancestor = dirname(ancestor);
  const cure = "choose another folder with: pulumi config set oneoff:lake FOLDER";
  try {
    if (!statSync(ancestor).isDirectory()) return `${ancestor} is not a folder; ${cure}`;
    accessSync(ancestor, constants.W_OK | constants.X_OK);
    const { owner } = readMarker(path) ?? {};
    if (owner !== undefined && owner !== urn) return `it is the lake of another stack (${owner}); ${cure}`;
    if (ancestor === path && !readMarker(path) && readdirSync(path).length > 0) {
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
