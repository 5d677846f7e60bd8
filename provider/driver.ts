/** The driver of a run on this machine: assets/driver/run.py, in the folder of its cluster, below a supervisor. */
import { constants, copyFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { driverFiles, jobFiles } from "../assets/driver/code.ts";
import { keptRequirements } from "../assets/driver/kept.ts";
import type { Job } from "../core/job.ts";
import type { RunOrigin } from "../core/run-origin.ts";
import { CODE, RunSpec, runSpec } from "../core/run-spec.ts";
import { findRun, secretsFolder, specFile, workFolder } from "./cluster.ts";
import { writeJson } from "./json.ts";
import { makeOwnFolder, writeOwn } from "./own.ts";
import { isAlive, notStarted, ownEnvironment, startDetached } from "./process.ts";

/** What is known of a run from its inputs. */
export interface RunState {
  readonly run: string;
  readonly job: Pick<Job, "name" | "steps" | "tables">;
  /** Absolute path. */
  readonly lake: string;
  readonly deadlineSeconds: number;
  readonly cores: number;
  readonly memoryMebibytes: number;
  /** Absolute path of a Python interpreter with PySpark beside it. */
  readonly python: string;
  /** @default it is not recorded, as in version 0.1.0 */
  readonly origin?: RunOrigin;
}

export interface RunInputs extends RunState {
  /** Secrets by name; they never come back as outputs. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/**
 * Starts it, and waits until it has taken on the run.
 * @throws Error when it ends before that, with the last lines it printed.
 */
export async function startDriver({ secrets, ...state }: RunInputs, home: string): Promise<void> {
  const { lake, run, python } = state;
  makeOwnFolder(lake, home);
  writeJson(specFile(home), RunSpec.parse(specOf(state, home)));
  makeOwnFolder(lake, workFolder(home));
  copyCode(state.job, lake, join(workFolder(home), CODE));
  writeSecrets(lake, home, secrets ?? {});
  const logFile = join(home, "supervisor.log");
  const driver = join(workFolder(home), CODE, "run.py");
  const command = [python, driver, "--spec", specFile(home), "--kept", keptRequirements(), "--quiet"];
  const env = environment(python, workFolder(home));
  const id = await startDetached(new URL("./supervisor", import.meta.url), home, logFile, { arguments: command, env });
  for (let alive = true; !findRun(lake, run); await sleep(20)) {
    if (!alive) throw notStarted(logFile); // it was looked at once more after its end
    alive = isAlive(id);
  }
}

/** The run as its driver is told of it: that of a cluster that is this machine alone. */
function specOf(
  { job, run, lake, deadlineSeconds, cores, memoryMebibytes, python, origin }: RunState,
  home: string,
): RunSpec {
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
      origin: origin ? JSON.stringify(origin) : null,
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
function copyCode(job: RunState["job"], lake: string, folder: string): void {
  const copies = [...driverFiles, ...[...jobFiles(job)].map(([path, place]) => [place, path] as const)];
  for (const [place, path] of copies) {
    makeOwnFolder(lake, dirname(join(folder, place)));
    copyFileSync(path, join(folder, place), constants.COPYFILE_FICLONE);
  }
}

/** The environment of driver and steps. */
function environment(python: string, work: string): NodeJS.ProcessEnv {
  const { SPARK_HOME: _, PYTHONSAFEPATH: __, ...own } = ownEnvironment(); // another Spark; imports from beside a script
  return {
    ...own,
    PYSPARK_PYTHON: python,
    PYSPARK_DRIVER_PYTHON: python,
    SPARK_LOCAL_DIRS: ".", // work, where steps are run: a comma in its path would part it
    SPARK_SUBMIT_OPTS: `"-Djava.io.tmpdir=${work}"`,
    TMPDIR: work,
    SPARK_LOCAL_IP: "127.0.0.1",
  };
}

function writeSecrets(lake: string, home: string, secrets: Readonly<Record<string, string>>): void {
  makeOwnFolder(lake, secretsFolder(home));
  for (const [name, text] of Object.entries(secrets)) writeOwn(join(secretsFolder(home), name), text);
}
