/** Takes out of a lake what runs, services and dashboards put there, and nothing else. */
import { type Dirent, lstatSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { lakeLayout } from "../core/lake-layout.ts";
import { RunRecord } from "../core/run.ts";
import { readJson } from "./json.ts";
import { lakeState } from "./lake.ts";

const NOTEBOOKS = join(import.meta.dirname, "../assets/notebooks");

/** What is left behind, as paths below the lake. */
export interface Remainder {
  /** Notebooks of the user's. */
  readonly notebooks: readonly string[];
  /** What no run of the lake's made. */
  readonly foreign: readonly string[];
}

/** Removes the results too, with the logs and records of their runs. */
export function removeResults(lake: string): Remainder {
  const { marker, notebooks, records, cancels, logs, events } = lakeLayout(lake);
  const runs = runsOf(lake);
  const isRun = (name: string) => runs.has(name);
  const isOfRun = (file: string) => isRun(/^\.?(.+?)\.json(\.[0-9a-f]{16}\.tmp|\.spare)?$/.exec(file)?.[1] ?? "");
  for (const { name } of foldersIn(lake).filter(({ name }) => !name.startsWith("_"))) {
    removeTable(join(lake, name), (run) => {
      const tables = runs.get(run);
      return tables !== undefined && (tables.size === 0 || tables.has(name));
    });
  }
  removeFrom(logs, isRun);
  removeFrom(events, (name) => EVENTS.test(name));
  removeFrom(cancels, isOfRun);
  // Last: they tell which runs there were, when an interrupted delete is taken up again.
  removeFrom(records, isOfRun);
  const below = (paths: readonly string[]) => paths.map((path) => relative(lake, path));
  removeFrom(lake, (name) => MARKER_BEING_WRITTEN.test(name)); // by one that was killed
  const kept = removeOurNotebooks(notebooks);
  const foreign = readdirSync(lake).map((name) => join(lake, name));
  return {
    notebooks: below(kept),
    foreign: below(
      foreign
        .filter((path) => path !== marker && path !== notebooks && !isNoise(path))
        .flatMap((path) => innermost(path)),
    ),
  };
}

/** Removes what clusters, services and dashboards had for the time that they were there; the results stay. */
export function removeWork(lake: string): void {
  const { clusters, services, dashboards, scratch } = lakeLayout(lake);
  const runs = runsOf(lake);
  const isHome = (folder: string) => (name: string) =>
    ["process.json", "spec.json", "config.json", "status.json", "origin.json"].some((file) =>
      lstatSync(join(folder, name, file), { throwIfNoEntry: false }),
    );
  for (const folder of [services, dashboards]) removeFrom(folder, isHome(folder));
  removeFrom(clusters, (name) => runs.has(name) || isHome(clusters)(name));
  removeFrom(scratch, (name) => runs.has(name));
}

const MARKER_BEING_WRITTEN = /^_lake\.json\.\d+\.tmp$/;

/** As Spark names its files of events. */
const EVENTS = /^(eventlog_v2_)?(local|app)-\d/;

/** The runs of a lake, each with its tables; none of them where nothing says which: it wrote no record of an end. */
function runsOf(lake: string): ReadonlyMap<string, ReadonlySet<string>> {
  const state = lakeState(lake);
  const runs = new Map<string, Set<string>>();
  const add = (run: string, tables: readonly string[]) => runs.set(run, new Set([...(runs.get(run) ?? []), ...tables]));
  for (const [run, tables] of Object.entries(state.is === "lake" ? state.runs : {})) add(run, tables);
  const { records } = lakeLayout(lake);
  for (const file of isFolder(records) ? readdirSync(records) : []) {
    const found = RunRecord.safeParse(readJson(join(records, file))).data;
    if (found && `${found.run}.json` === file) add(found.run, Object.keys(found.tables));
  }
  return runs;
}

const isFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;

const foldersIn = (path: string): readonly Dirent[] =>
  readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory());

/** What macOS puts into every folder that it shows. */
const isNoise = (path: string): boolean => path.endsWith("/.DS_Store");

const remove = (path: string) => rmSync(path, { recursive: true, force: true, maxRetries: 5 });

/** Removes the runs of a table, and its folder when nothing else is in there. */
function removeTable(table: string, isOwn: (run: string) => boolean): void {
  const runs = foldersIn(table).filter(({ name }) => name.startsWith("run=") && isOwn(name.slice("run=".length)));
  for (const { name } of runs) remove(join(table, name));
  if (runs.length > 0) removeIfEmpty(table);
}

/** Removes what of a folder of ours is our own, and the folder when nothing else is in there. */
function removeFrom(folder: string, isOwn: (name: string) => boolean): void {
  if (!isFolder(folder)) return; // what is behind a link is somebody else's
  for (const name of readdirSync(folder).filter(isOwn)) remove(join(folder, name));
  removeIfEmpty(folder);
}

export function removeIfEmpty(folder: string): void {
  if (readdirSync(folder).every((name) => name === ".DS_Store")) remove(folder);
}

const MOST_DEEP = 2;

/** What there is to be told of: of a folder what it holds, two levels down. */
function innermost(path: string, depth = 0): readonly string[] {
  const entries = depth < MOST_DEEP && isFolder(path) ? readdirSync(path) : [];
  const inside = entries.map((name) => join(path, name)).filter((one) => !isNoise(one));
  return inside.length === 0 ? [path] : inside.flatMap((one) => innermost(one, depth + 1));
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
