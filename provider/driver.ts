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

const ADDRESS = "127.0.0.1";

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
  /** Spark's own cluster that runs it. @default Spark within the driver */
  readonly spark?: SparkCluster;
}

/** See SparkArgs in components/local/run.ts. */
interface SparkCluster {
  readonly master: string;
  readonly yarn?: string;
  readonly page: string;
  readonly webhdfs: string;
  readonly conf: Readonly<Record<string, string>>;
}

export interface RunInputs extends RunState {
  /** Secrets by name; they never come back as outputs. */
  readonly secrets?: Readonly<Record<string, string>>;
  /** What the cluster knows its drivers by; it is no output either. */
  readonly sparkSecret?: string;
}

/**
 * Starts it, and waits until it has taken on the run.
 * @throws Error when it ends before that, with the last lines it printed.
 */
export async function startDriver({ secrets, sparkSecret, ...state }: RunInputs, home: string): Promise<void> {
  const { lake, run, python } = state;
  makeOwnFolder(lake, home);
  writeJson(specFile(home), RunSpec.parse(specOf(state, home)));
  makeOwnFolder(lake, workFolder(home));
  copyCode(state.job, lake, join(workFolder(home), CODE));
  writeSecrets(lake, home, secrets ?? {});
  const logFile = join(home, "supervisor.log");
  const driver = join(workFolder(home), CODE, "run.py");
  const command = [python, driver, "--spec", specFile(home), "--kept", keptRequirements(), "--quiet"];
  if (state.spark) writeConf(state.spark, sparkSecret, lake, home);
  const env = { ...environment(python, workFolder(home)), ...(state.spark && clusterEnvironment(state.spark, home)) };
  const id = await startDetached(new URL("./supervisor", import.meta.url), home, logFile, { arguments: command, env });
  for (let alive = true; !findRun(lake, run); await sleep(20)) {
    if (!alive) throw notStarted(logFile); // it was looked at once more after its end
    alive = isAlive(id);
  }
}

/** The run as its driver is told of it. */
function specOf(state: RunState, home: string): RunSpec {
  const { job, run, lake, deadlineSeconds, memoryMebibytes, python, origin } = state;
  const work = workFolder(home);
  const places = jobFiles(job);
  const { conf, ...where } = state.spark ? onCluster(state.spark, run) : within(state, work);
  return runSpec(
    job,
    {
      run,
      lake,
      ...where,
      work,
      deadlineSeconds,
      origin: origin ? JSON.stringify(origin) : null,
      secretsFile: null,
      secretsCommand: null,
      exactRequirements: false,
    },
    {
      program: join(dirname(python), "spark-submit"),
      conf,
      driverMebibytes: memoryMebibytes,
      place: (path) => places.get(path) as string,
    },
  );
}

/** Spark in a process of each step's own. */
const within = ({ cores }: RunState, work: string) => ({
  stage: null,
  scratch: join(work, "scratch"),
  master: `local[${cores}]`,
  masterPage: null,
  conf: {
    "spark.driver.host": ADDRESS,
    "spark.driver.bindAddress": ADDRESS,
    "spark.ui.enabled": "false",
  },
});

/** A cluster whose executors share an HDFS. */
const onCluster = ({ master, yarn, page, webhdfs, conf }: SparkCluster, run: string) => ({
  stage: `webhdfs://${webhdfs}/runs/${run}`,
  scratch: `webhdfs://${webhdfs}/scratch/${run}`,
  master: yarn === undefined ? `spark://${master}` : "yarn",
  masterPage: `http://${page}`,
  conf: { ...conf, "spark.driver.bindAddress": ADDRESS },
});

const confFolder = (home: string): string => join(workFolder(home), "conf");

/** The properties that the cluster has too; its secret is in no argument, and YARN has one for each application. */
function writeConf({ conf, yarn }: SparkCluster, secret: string | undefined, lake: string, home: string): void {
  makeOwnFolder(lake, confFolder(home));
  const properties = { ...conf, ...(yarn === undefined && { "spark.authenticate.secret": secret ?? "" }) };
  const lines = Object.entries(properties).map(([name, value]) => `${name} ${value}\n`);
  writeOwn(join(confFolder(home), "spark-defaults.conf"), lines.join(""));
}

/** What steps have in their environment where Spark is a cluster: to HDFS they are who its services are. */
const clusterEnvironment = ({ yarn }: SparkCluster, home: string): NodeJS.ProcessEnv => ({
  SPARK_CONF_DIR: confFolder(home),
  HADOOP_USER_NAME: "oneoff",
  HADOOP_CONF_DIR: yarn,
  YARN_CONF_DIR: undefined,
});

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
    SPARK_LOCAL_IP: ADDRESS,
  };
}

function writeSecrets(lake: string, home: string, secrets: Readonly<Record<string, string>>): void {
  makeOwnFolder(lake, secretsFolder(home));
  for (const [name, text] of Object.entries(secrets)) writeOwn(join(secretsFolder(home), name), text);
}
