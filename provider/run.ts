/** One execution of a job by a local cluster. It is made once and never again: a run that has ended stays as it is. */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { lakeLayout, nameProblem } from "../core/lake-layout.ts";
import { asWritten, type RunStatus } from "../core/run.ts";
import { stepDifferences } from "../core/run-origin.ts";
import { clearHome, findRun, statusFile } from "./cluster.ts";
import { type RunInputs, type RunState, startDriver } from "./driver.ts";
import { writeJson } from "./json.ts";
import { checkLake, noteRun } from "./lake.ts";
import { registered, stop } from "./process.ts";
import { keepRecord } from "./record.ts";
import { isSame, type ResourceKind } from "./resource.ts";
import { spaceProblem } from "./space.ts";

const LEAST_JAVA = 17;

/** Inputs whose change is told of, because it comes too late for the run. */
const TOLD = ["deadlineSeconds", "cores", "memoryMebibytes"] as const;

export const run: ResourceKind = {
  check(_urn, inputs: RunInputs) {
    const failures = namesOf(inputs).flatMap(([property, what, name]) => {
      const problem = nameProblem(name);
      return problem ? [{ property, reason: `${what} is ${JSON.stringify(name)}: ${problem}` }] : [];
    });
    if (!existsSync(join(dirname(inputs.python), "spark-submit"))) {
      const reason = `python is ${JSON.stringify(inputs.python)}: no PySpark is installed beside it; "npx --no oneoff setup" makes .oneoff/venv with one`;
      failures.push({ property: "python", reason });
    }
    const java = javaProblem();
    if (java) failures.push({ property: "cluster", reason: java });
    return failures;
  },
  diff(state: RunInputs, inputs: RunInputs) {
    if (state.run !== inputs.run || state.lake !== inputs.lake) {
      if (isGoingOn(state)) {
        pulumi.log.warn(
          `Run "${state.run}" is still going on, and this update ends it for run "${inputs.run}": wait for it with "npx --no oneoff watch", or keep it with: pulumi config set oneoff:runId ${state.run}`,
        );
      }
      return { changes: true, replaces: ["run"], deleteBeforeReplace: true };
    }
    if (findRun(state.lake, state.run)?.status.state === "cancelled") warnOfCancelled(state);
    const changed = [...changesOfJob(state, inputs), ...TOLD.filter((key) => !isSame(state[key], inputs[key]))];
    if (changed.length > 0) {
      pulumi.log.warn(
        `Changed: ${changed.join("; ")}. But run "${state.run}" was started as it was and stays: a new runId computes again (npx --no oneoff run).`,
      );
    }
    return { changes: false };
  },
  async create(_urn, inputs: RunInputs) {
    const { secrets: _, sparkSecret: __, ...state } = inputs;
    const home = lakeLayout(state.lake).cluster(state.run);
    if (!findRun(state.lake, state.run)) {
      checkLake(state.lake);
      const tables = state.job.tables.map(({ name }) => name);
      try {
        noteRun(state.lake, state.run, tables);
        await startDriver(inputs, home);
      } catch (error) {
        const problem = spaceProblem(error, state.lake); // looked for before there is room again
        await stop(registered(home));
        rmSync(home, { recursive: true, force: true });
        throw problem;
      }
    }
    const logs = dirname(lakeLayout(state.lake).log(state.run, "step"));
    const now = (await settle(state))?.state ?? "running";
    if (now === "cancelled") warnOfCancelled(state);
    return { id: home, outs: { ...state, logs, state: now } };
  },
  async read(state: RunInputs) {
    const now = await settle(state);
    // A refresh shows no change of what is an output alone.
    if (now?.state === "cancelled") warnOfCancelled(state);
    if (now?.state === "failed") pulumi.log.warn(`Run "${state.run}" has failed: ${now.error ?? "nothing says why"}`);
    return now && { ...state, state: now.state };
  },
  update: async (state: RunInputs) => state,
  async delete(state: RunInputs) {
    if (nameProblem(state.run)) return; // of before there was a check: what is elsewhere may be anybody's
    const home = lakeLayout(state.lake).cluster(state.run);
    await stop(registered(home));
    await settle(state);
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  },
  inputsOf: ({ run, job, lake, deadlineSeconds, cores, memoryMebibytes, python, origin, spark }: RunInputs) => ({
    run,
    job,
    lake,
    deadlineSeconds,
    cores,
    memoryMebibytes,
    python,
    ...(origin && { origin }),
    ...(spark && { spark }),
  }),
};

/** Names that become those of files and folders, with their property and what they are. One may be known at `up` alone. */
function namesOf({ run, job, secrets = {} }: Partial<RunInputs>): readonly (readonly [string, string, string])[] {
  const { tables = [], steps = [] } = job ?? {};
  return [
    ...(run === undefined ? [] : [["run", "run", run] as const]),
    ...tables.map(({ name }) => ["job", "name of a table", name] as const),
    ...steps.map(({ name }) => ["job", "name of a step", name] as const),
    ...Object.keys(secrets).map((name) => ["secrets", "name of a secret", name] as const),
  ];
}

function warnOfCancelled({ run }: RunState): void {
  pulumi.log.warn(
    `Run "${run}" was cancelled and is not begun again: a new runId computes again (npx --no oneoff run).`,
  );
}

const isGoingOn = ({ lake, run }: RunInputs): boolean => findRun(lake, run)?.status.state === "running";

/** What of the job is another than it was, in a few words each. */
function changesOfJob(state: RunInputs, inputs: RunInputs): readonly string[] {
  const steps = stepDifferences(state.origin?.steps ?? [], inputs.origin?.steps ?? []);
  const before = asked(state.job);
  const after = asked(inputs.job);
  const changes = [
    ...(state.origin && inputs.origin ? steps : []),
    ...after.tables.flatMap((table) => {
      const old = before.tables.find(({ name }) => name === table.name);
      return isSame(old, table) ? [] : [`table ${JSON.stringify(table.name)}${old ? "" : " is new"}`];
    }),
  ];
  return changes.length > 0 || isSame(before, after) ? changes : ["job"];
}

/** What was asked for, without what version 0.1.0 didn't write down: the module that all steps share, and what they leave. */
const asked = ({ steps, ...job }: RunInputs["job"]) => {
  const named = (paths: readonly string[]) => paths.filter((path) => basename(path) !== "oneoff.py");
  return { ...job, steps: steps.map(({ leaves: _, pyFiles, ...step }) => ({ ...step, pyFiles: named(pyFiles) })) };
};

/**
 * What became of a run, written down when its cluster could not do so; undefined when nothing of it is left. Whatever keeps
 * it from being written must not keep anybody from knowing it, or the cluster from being destroyed.
 */
async function settle({ lake, run, python }: RunState): Promise<RunStatus | undefined> {
  const found = findRun(lake, run);
  if (!found?.orphaned) return found?.status;
  try {
    await writeDown(found.status, lake, python);
  } catch (error) {
    const { message } = spaceProblem(error, lake);
    pulumi.log.warn(`The record of run "${run}" stays as it is, and says "running": ${message}`);
  }
  return found.status;
}

/** The record first: it is the one that counts, and has room that is kept for it. */
async function writeDown(status: RunStatus, lake: string, python: string): Promise<void> {
  const home = lakeLayout(lake).cluster(status.run);
  clearHome(home);
  const isRecorded = existsSync(lakeLayout(lake).record(status.run));
  if (isRecorded) await keepRecord(python, lake, status);
  try {
    if (existsSync(home)) writeJson(statusFile(home), asWritten(status));
  } catch (error) {
    if (!isRecorded) throw error;
  }
}

function javaProblem(): string | undefined {
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, "bin", "java") : "java";
  const cure = `install Java ${LEAST_JAVA} or newer, or set JAVA_HOME to one; "npx --no oneoff doctor" says how`;
  try {
    const { stderr, error } = spawnSync(java, ["-version"], { encoding: "utf8" });
    if (error) throw error;
    const version = /version "(?:1\.)?(\d+)/.exec(stderr)?.[1];
    if (Number(version) >= LEAST_JAVA) return undefined;
    return `Java is ${version ?? "of an unknown version"} (${java}) and Spark needs ${LEAST_JAVA}: ${cure}`;
  } catch {
    return `Java is not there (${java}) and Spark needs it: ${cure}`;
  }
}
