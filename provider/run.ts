/** One execution of a job by a local cluster. It is made once and never again: a run that has ended stays as it is. */
import { spawnSync } from "node:child_process";
import { constants, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { driverFiles, jobFiles } from "../assets/driver/code.ts";
import type { Job } from "../core/job.ts";
import { lakeLayout } from "../core/lake-layout.ts";
import type { RunStatus } from "../core/run.ts";
import { CODE, RunSpec, runSpec } from "../core/run-spec.ts";
import { findRun, secretsFolder, specFile, statusFile, workFolder } from "./cluster.ts";
import { checkLake } from "./folder.ts";
import { writeJson } from "./json.ts";
import { isAlive, notStarted, registered, startDetached, stop } from "./process.ts";
import { keepRecord } from "./record.ts";
import { isSame, type ResourceKind } from "./resource.ts";

const LEAST_JAVA = 17;

/** Inputs whose change is told of, because it comes too late for the run. */
const TOLD = ["job", "deadlineSeconds", "cores", "memoryMebibytes"] as const;

interface RunState {
  readonly run: string;
  readonly job: Pick<Job, "name" | "steps" | "tables">;
  /** Absolute path. */
  readonly lake: string;
  readonly deadlineSeconds: number;
  readonly cores: number;
  readonly memoryMebibytes: number;
  /** Absolute path of a Python interpreter with PySpark beside it. */
  readonly python: string;
}

interface RunInputs extends RunState {
  /** Secrets by name; they never come back as outputs. */
  readonly secrets?: Readonly<Record<string, string>>;
}

export const run: ResourceKind = {
  check(_urn, inputs: RunInputs) {
    const failures = [];
    if (!existsSync(join(dirname(inputs.python), "spark-submit"))) {
      const reason = `python is ${JSON.stringify(inputs.python)}: no PySpark is installed beside it; "npx oneoff setup" makes .oneoff/venv with one`;
      failures.push({ property: "python", reason });
    }
    const java = javaProblem();
    if (java) failures.push({ property: "cluster", reason: java });
    return failures;
  },
  diff(state: RunInputs, inputs: RunInputs) {
    if (state.run !== inputs.run || state.lake !== inputs.lake) {
      return { changes: true, replaces: ["run"], deleteBeforeReplace: true };
    }
    const changed = TOLD.filter((key) => !isSame(asked(state)[key], asked(inputs)[key]));
    if (changed.length > 0) {
      pulumi.log.warn(
        `Changed: ${changed.join(", ")}. But run "${state.run}" was started as it was and stays: a new runId computes again (npx oneoff run).`,
      );
    }
    return { changes: false };
  },
  async create(_urn, inputs: RunInputs) {
    const { secrets, ...state } = inputs;
    const home = lakeLayout(state.lake).cluster(state.run);
    if (!findRun(state.lake, state.run)) {
      checkLake(state.lake);
      try {
        writeJson(specFile(home), RunSpec.parse(specOf(state, home)));
        copyCode(state.job, join(workFolder(home), CODE));
        writeSecrets(home, secrets ?? {});
        await start(state, home);
      } catch (error) {
        await stop(registered(home));
        rmSync(home, { recursive: true, force: true });
        throw error;
      }
    }
    const logs = dirname(lakeLayout(state.lake).log(state.run, "step"));
    return { id: home, outs: { ...state, logs, state: (await settle(state)) ?? "running" } };
  },
  async read(state: RunInputs) {
    const now = await settle(state);
    return now && { ...state, state: now };
  },
  update: async (state: RunInputs) => state,
  async delete(state: RunInputs) {
    const home = lakeLayout(state.lake).cluster(state.run);
    await stop(registered(home));
    // Whatever keeps the record from being written must not keep the cluster from being destroyed.
    await settle(state).catch((error: Error) =>
      pulumi.log.warn(`The record of run "${state.run}" stays as it is: ${error.message}`),
    );
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  },
  inputsOf: ({ run, job, lake, deadlineSeconds, cores, memoryMebibytes, python }: RunInputs) => ({
    run,
    job,
    lake,
    deadlineSeconds,
    cores,
    memoryMebibytes,
    python,
  }),
};

/** What was asked for. Steps that didn't name the module which all of them share didn't have it in version 0.1.0. */
const asked = ({ job, ...rest }: RunInputs): RunInputs => {
  const named = (paths: readonly string[]) => paths.filter((path) => basename(path) !== "oneoff.py");
  return { ...rest, job: { ...job, steps: job.steps.map((step) => ({ ...step, pyFiles: named(step.pyFiles) })) } };
};

/** What became of a run, written down when its cluster could not do so; undefined when nothing of it is left. */
async function settle({ lake, run, python }: RunState): Promise<RunStatus["state"] | undefined> {
  const found = findRun(lake, run);
  if (found?.orphaned) {
    const home = lakeLayout(lake).cluster(run);
    rmSync(workFolder(home), { recursive: true, force: true, maxRetries: 5 });
    if (existsSync(home)) writeJson(statusFile(home), found.status);
    if (existsSync(lakeLayout(lake).record(run))) await keepRecord(python, lake, found.status);
  }
  return found?.status.state;
}

/** The run as its driver is told of it: that of a cluster that is this machine alone. */
function specOf({ job, run, lake, deadlineSeconds, cores, memoryMebibytes, python }: RunState, home: string): RunSpec {
  const work = workFolder(home);
  const places = jobFiles(job);
  return runSpec(
    job,
    {
      run,
      lake,
      stage: null,
      scratch: join(work, "scratch"),
      work,
      deadlineSeconds,
      master: `local[${cores}]`,
      masterPage: null,
      secretsFile: null,
      exactRequirements: false,
    },
    {
      program: join(dirname(python), "spark-submit"),
      conf: {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
      },
      driverMebibytes: memoryMebibytes,
      place: (path) => places.get(path) as string,
    },
  );
}

/** Copies what the run is run with: what happens to it from now on is for the next run. */
function copyCode(job: RunState["job"], folder: string): void {
  const copies = [...driverFiles, ...[...jobFiles(job)].map(([path, place]) => [place, path] as const)];
  for (const [place, path] of copies) {
    mkdirSync(dirname(join(folder, place)), { recursive: true, mode: 0o700 });
    copyFileSync(path, join(folder, place), constants.COPYFILE_FICLONE);
  }
}

/** Starts the driver, and waits until it has taken on the run. */
async function start({ lake, run, python }: RunState, home: string): Promise<void> {
  const logFile = join(home, "supervisor.log");
  const driver = join(workFolder(home), CODE, "run.py");
  const command = [python, driver, "--spec", specFile(home), "--quiet"];
  const env = environment(python, workFolder(home));
  const id = await startDetached(new URL("./supervisor", import.meta.url), home, logFile, { arguments: command, env });
  for (let alive = true; !findRun(lake, run); await sleep(20)) {
    if (!alive) throw notStarted(logFile); // it was looked at once more after its end
    alive = isAlive(id);
  }
}

/** The environment of driver and steps: ours without what is Pulumi's (its passphrase among it) and without another Spark. */
function environment(python: string, work: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([key]) => !key.startsWith("PULUMI_") && key !== "SPARK_HOME");
  return {
    ...Object.fromEntries(own),
    PYSPARK_PYTHON: python,
    PYSPARK_DRIVER_PYTHON: python,
    SPARK_LOCAL_DIRS: ".", // work, where steps are run: a comma in its path would part it
    SPARK_SUBMIT_OPTS: `"-Djava.io.tmpdir=${work}"`,
    TMPDIR: work,
    SPARK_LOCAL_IP: "127.0.0.1",
  };
}

function writeSecrets(home: string, secrets: Readonly<Record<string, string>>): void {
  mkdirSync(secretsFolder(home), { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(secrets)) {
    writeFileSync(join(secretsFolder(home), name), text, { mode: 0o600 });
  }
}

function javaProblem(): string | undefined {
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, "bin", "java") : "java";
  const cure = `install Java ${LEAST_JAVA} or newer, or set JAVA_HOME to one; "npx oneoff doctor" says how`;
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
