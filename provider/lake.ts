/** A folder that is a lake, which its marker says: whose it is, and which runs were put there. */
import { lstatSync, readFileSync } from "node:fs";
import { lakeLayout } from "../core/lake-layout.ts";
import { writeJson } from "./json.ts";
import { distrust, ownFoldersIn } from "./own.ts";
import { isAlive, type ProcessId, registered } from "./process.ts";

interface Marker {
  /** URN of the folder's resource. @default nobody's: it was retained, and the next stack may have it */
  readonly owner?: string | undefined;
  /** The tables of runs, by their ids, as far as a provider of ours began them. */
  readonly runs: Readonly<Record<string, readonly string[]>>;
}

/** What a folder is. */
export type LakeState =
  | ({ readonly is: "lake" } & Marker)
  | { readonly is: "none" }
  /** There is a marker, and why it can't be read. */
  | { readonly is: "unreadable"; readonly problem: string };

export function lakeState(lake: string): LakeState {
  const { marker } = lakeLayout(lake);
  try {
    const there = lstatSync(marker, { throwIfNoEntry: false });
    if (!there) return { is: "none" };
    if (!there.isFile()) return { is: "unreadable", problem: "it is no file" };
    const { owner, runs } = JSON.parse(readFileSync(marker, "utf8")) as Partial<Marker>;
    return { is: "lake", ...(typeof owner === "string" && { owner }), runs: typeof runs === "object" ? runs : {} };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return { is: "none" };
    return { is: "unreadable", problem: code ?? message };
  }
}

/** Says whose a lake is. @param owner undefined for one that is nobody's. */
export function markLake(lake: string, owner: string | undefined): void {
  const state = lakeState(lake);
  write(lake, { owner, runs: state.is === "lake" ? state.runs : {} });
}

/** Notes which tables a run is to leave, so that nothing else is ever taken for its work. */
export function noteRun(lake: string, run: string, tables: readonly string[]): void {
  const state = lakeState(lake);
  if (state.is === "lake") write(lake, { owner: state.owner, runs: { ...state.runs, [run]: tables } });
}

function write(lake: string, { owner, runs }: Marker): void {
  const about = "A lake of pulumi-oneoff: one folder per table, one per run below it.";
  writeJson(lakeLayout(lake).marker, { about, owner, ...(Object.keys(runs).length > 0 && { runs }) });
}

/**
 * For what is about to be put into a lake: an engine that was killed may have had it removed since.
 * @throws Error when it is none any more.
 */
export function checkLake(lake: string): void {
  const state = lakeState(lake);
  if (state.is === "none") {
    throw new Error(`the lake ${lake} is gone: it was removed meanwhile; "pulumi up" makes it anew`);
  }
  if (state.is === "unreadable") throw new Error(unreadable(lake, state.problem));
  const problem = distrust(lake);
  if (problem) throw new Error(`lake is ${JSON.stringify(lake)}: ${problem}; take one of your own`);
}

/** What to say of a lake whose marker can't be read. */
export const unreadable = (lake: string, problem: string): string =>
  `${lakeLayout(lake).marker} can't be read (${problem}), and it says whose the results in ${lake} are: mend it, or write {} into it if they are this stack's; or keep them, and take the folder elsewhere`;

/** Processes that live in a lake, and in which folder of it: clusters, services and dashboards. */
export function processesIn(lake: string): readonly { readonly home: string; readonly id: ProcessId }[] {
  const { clusters, services, dashboards } = lakeLayout(lake);
  return [clusters, services, dashboards].flatMap(ownFoldersIn).flatMap((home) => {
    const id = registered(home);
    return isAlive(id) ? { home, id } : [];
  });
}
