/** A folder that is a lake: made empty, and deleted with what the lake holds and nothing else. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { lakeLayout } from "../core/lake-layout.ts";
import { lakeState, markLake, processesIn, unreadable } from "./lake.ts";
import { removeIfEmpty, removeResults, removeWork } from "./lake-removal.ts";
import { distrust } from "./own.ts";
import { stop } from "./process.ts";
import { isSame, type Properties, type ResourceKind } from "./resource.ts";
import { LEAST_FREE } from "./space.ts";

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
    const problem = distrust(path); // it may have been made since it was checked
    if (problem) throw new Error(`lake is ${JSON.stringify(path)}: ${problem}; ${CURE}`);
    markLake(path, urn);
    return { id: path, outs: { path, retain } };
  },
  read: async (state: Folder) => (lakeState(state.path).is === "none" ? undefined : state),
  update: async (_state, inputs: Folder) => inputs,
  async delete({ path, retain }: Folder, urn?: string) {
    const state = lakeState(path);
    if (state.is === "unreadable") throw new Error(unreadable(path, state.problem));
    if (state.is === "none") return warnOfUnmarked(path);
    if (urn !== undefined && state.owner !== undefined && state.owner !== urn) {
      return warn(`${path} stays as it is: it is the lake of another stack by now (${state.owner}).`);
    }
    await Promise.all(processesIn(path).map(({ id }) => stop(id)));
    removeWork(path);
    if (retain) return markLake(path, undefined); // the next stack may have it
    const { notebooks, foreign } = removeResults(path);
    if (foreign.length > 0) {
      warn(
        `These stay in ${path}, as no run of this lake made them: ${some(foreign)}. Take them elsewhere, or remove them by hand.`,
      );
    }
    if (notebooks.length > 0) {
      warn(
        `What you wrote in JupyterLab was kept: ${some(notebooks)} in ${path}. The next "pulumi up" takes the folder with it; remove it by hand when you don't need it.`,
      );
      return markLake(path, undefined);
    }
    rmSync(lakeLayout(path).marker, { force: true }); // last: as long as it is there, an interrupted delete can be taken up again
    removeIfEmpty(path);
  },
  inputsOf: ({ path, retain }: Folder) => ({ path, retain }),
};

const CURE = "choose another folder with: pulumi config set oneoff:lake FOLDER";

const warn = (message: string): void => void pulumi.log.warn(message);

const MOST_NAMED = 3;

const some = (paths: readonly string[]): string =>
  paths.slice(0, MOST_NAMED).join(", ") + (paths.length > MOST_NAMED ? ` and ${paths.length - MOST_NAMED} more` : "");

/** Without its marker a folder may be anybody's; where records of runs are in it, they were this stack's once. */
function warnOfUnmarked(path: string): void {
  const there = statSync(path, { throwIfNoEntry: false });
  if (there && !there.isDirectory()) warn(`${path} stays as it is: it was a lake, and is no folder by now.`);
  if (!existsSync(lakeLayout(path).records)) return;
  warn(
    `${path} stays as it is: its _lake.json is gone, and without that nothing says that it is a lake. Remove the folder by hand if you don't need what is in it.`,
  );
}

/** A lake that moves would leave its results behind to be deleted. */
function moveProblem(path: string, old: Folder | undefined): string | undefined {
  if (!old || old.path === path || old.retain || !existsSync(lakeLayout(old.path).records)) return undefined;
  return `the results of this stack are in ${JSON.stringify(old.path)} and would be deleted; keep them first with: pulumi config set oneoff:removal retain, and pulumi up`;
}

function problemOf(path: string, urn: string): string | undefined {
  let ancestor = path;
  while (!existsSync(ancestor)) ancestor = dirname(ancestor);
  try {
    if (!statSync(ancestor).isDirectory()) return `${ancestor} is not a folder; ${CURE}`;
    if (ancestor === path) {
      const stranger = distrust(path);
      const problem = stranger ? `${stranger}; ${CURE}` : takenProblem(path, urn);
      if (problem) return problem;
    }
    accessSync(ancestor, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(ancestor);
    if (bavail * bsize < LEAST_FREE) {
      return `its disk has ${Math.round((bavail * bsize) / 1e6)} MB free and a run needs at least ${Math.round(LEAST_FREE / 1e6)} MB; free some, or ${CURE}`;
    }
  } catch (error) {
    return `it can't be written (${(error as Properties).code}); ${CURE}`;
  }
  return undefined;
}

/** Why a folder that is there can't be made this stack's lake. */
function takenProblem(path: string, urn: string): string | undefined {
  const state = lakeState(path);
  if (state.is === "unreadable") return unreadable(path, state.problem);
  if (state.is === "lake") {
    return state.owner === undefined || state.owner === urn
      ? undefined
      : `it is the lake of another stack (${state.owner}); ${CURE}`;
  }
  return readdirSync(path).length > 0 ? `the folder has files that are not a lake's; empty it, or ${CURE}` : undefined;
}
