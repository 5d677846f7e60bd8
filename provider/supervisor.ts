/** A local cluster: runs the steps of one run, one after another, within their time limits and its deadline, and ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { formatDuration } from "../core/duration.ts";
import { fill } from "../core/job.ts";
import { lakeLayout } from "../core/lake-layout.ts";
import type { RunStatus } from "../core/run.ts";
import {
  ClusterSpec,
  type ClusterStep,
  scratchFolder,
  secretsFolder,
  specFile,
  statusFile,
  workFolder,
} from "./cluster.ts";
import { readJson, writeJson } from "./json.ts";
import { lastProblem, progressOf } from "./log.ts";
import { isRegistered, killGroup, killTree, register } from "./process.ts";
import { keepRecord } from "./record.ts";

const folder = process.argv[2] as string;
const spec = ClusterSpec.parse(readJson(specFile(folder)));
const lake = lakeLayout(spec.lake);
const started = new Date();
const deadline = new Date(started.getTime() + spec.deadlineSeconds * 1000);
const status: RunStatus = {
  run: spec.run,
  job: spec.job.name,
  state: "running",
  started: started.toISOString(),
  deadline: deadline.toISOString(),
  steps: spec.job.steps.map(({ name }) => ({ name, state: "pending" })),
};

/** Why everything must end now, once there is a reason. */
let reason: string | undefined;
let running: ChildProcess | undefined;
/** The step that runs, and when its time is up. */
let limit: { readonly step: ClusterStep; readonly ends: number } | undefined;

function end(why: string): void {
  reason ??= why;
  if (running?.pid) killTree(running.pid);
}

/** Looks at the clock rather than setting timers for it: a machine that slept has not stopped the clock. */
function checkTime(): void {
  if (!isRegistered(folder)) end("its folder was removed");
  if (Date.now() > deadline.getTime()) end(`the deadline of ${formatDuration(spec.deadlineSeconds)} has passed`);
  if (limit && Date.now() > limit.ends) {
    end(`step "${limit.step.name}" took longer than its time limit of ${formatDuration(limit.step.timeLimitSeconds)}`);
  }
}

function publish(): void {
  if (isRegistered(folder)) writeJson(statusFile(folder), status);
}

/** Writes the record after those before it, as it is now: a late "running" must never follow the end. */
let recorded: Promise<void> = Promise.resolve();
function record(): Promise<void> {
  const now = structuredClone(status);
  recorded = recorded.catch(() => {}).then(() => keepRecord(spec, now));
  return recorded;
}

async function main(): Promise<void> {
  register(folder);
  process.on("SIGTERM", () => end("the cluster was destroyed before its run ended"));
  setInterval(checkTime, 500);
  publish();
  try {
    await record();
    const site = await installRequirements();
    for (const [index, step] of spec.job.steps.entries()) await runStep(step, index, site);
  } catch (error) {
    status.error = (reason ?? (error as Error).message).trim();
  }
  if (!isRegistered(folder)) return;
  // Scratch goes first: it makes room for the record where the disk is full.
  rmSync(workFolder(folder), { recursive: true, force: true });
  rmSync(secretsFolder(folder), { recursive: true, force: true });
  status.ended = new Date().toISOString();
  status.state = status.error === undefined ? "succeeded" : "failed";
  try {
    await record();
  } catch (error) {
    status.state = "failed";
    status.error ??= `the record of the run could not be written: ${(error as Error).message}`;
  }
  publish();
}

async function runStep(step: ClusterStep, index: number, site: string | undefined): Promise<void> {
  const mine = status.steps[index] as RunStatus["steps"][number];
  mine.state = "running";
  mine.started = new Date().toISOString();
  publish();
  record().catch(() => {}); // for those who watch; the record at the end is the one that counts
  limit = { step, ends: Date.now() + step.timeLimitSeconds * 1000 };
  try {
    const logFile = lake.log(spec.run, step.name);
    const submit = [join(dirname(spec.python), "spark-submit"), ...sparkArguments(step)];
    const code = await execute(submit, logFile, environment(site), (line) => {
      const progress = progressOf(line);
      if (!progress) return;
      mine.progress = progress;
      publish();
    });
    if (reason || code !== 0) throw new Error(reason ?? failure(step, code));
    mine.state = "succeeded";
  } catch (error) {
    mine.state = "failed";
    throw error;
  } finally {
    limit = undefined;
    mine.ended = new Date().toISOString();
    publish();
  }
}

/** Runs a command that dies with this process, keeps what it prints, and resolves to its exit code. */
function execute(
  command: readonly string[],
  logFile: string,
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void = () => {},
): Promise<number | string> {
  if (reason) throw new Error(reason);
  for (const path of [dirname(logFile), scratchFolder(folder)]) mkdirSync(path, { recursive: true });
  const log = createWriteStream(logFile, { flags: "a" });
  const child = spawn("/bin/sh", [fileURLToPath(new URL("../assets/steps/guard.sh", import.meta.url)), ...command], {
    detached: true,
    cwd: workFolder(folder),
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  running = child;
  for (const stream of [child.stdout, child.stderr] as NodeJS.ReadableStream[]) {
    createInterface({ input: stream }).on("line", (line) => {
      log.write(`${line}\n`);
      onLine(line);
    });
  }
  return new Promise((resolve, reject) => {
    log.once("error", reject);
    child.once("error", reject);
    child.once("exit", () => killGroup(child.pid as number)); // what it left behind
    child.once("close", (code, signal) => {
      running = undefined;
      log.end(() => resolve(code ?? signal ?? "unknown"));
    });
  });
}

function sparkArguments(step: ClusterStep): readonly string[] {
  const conf = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "WARN",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.warehouse.dir": workFolder(folder),
    ...step.conf,
  };
  const list = (flag: string, items: readonly string[]) => (items.length > 0 ? [flag, items.join(",")] : []);
  const value = (placeholder: string) => {
    if (placeholder === "run") return spec.run;
    if (placeholder === "lake") return spec.lake;
    if (placeholder === "scratch") return scratchFolder(folder);
    if (placeholder.startsWith("secret:")) return join(secretsFolder(folder), placeholder.slice("secret:".length));
    return lake.table(placeholder, spec.run);
  };
  return [
    ...["--master", `local[${spec.cores}]`, "--driver-memory", `${spec.memoryMebibytes}m`],
    ...["--name", `${spec.job.name} ${spec.run} ${step.name}`],
    ...Object.entries(conf).flatMap(([key, text]) => ["--conf", `${key}=${text}`]),
    ...list("--files", step.files),
    ...list("--py-files", step.pyFiles),
    ...list("--packages", step.packages),
    ...(step.mainClass ? ["--class", step.mainClass] : []),
    (step.script ?? step.jar) as string,
    ...step.arguments.map((argument) => fill(argument, value)),
  ];
}

/** The environment of a step: ours without what is Pulumi's (its passphrase among it) and without another Spark. */
function environment(site: string | undefined): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([key]) => !key.startsWith("PULUMI_") && key !== "SPARK_HOME");
  return {
    ...Object.fromEntries(own),
    PYSPARK_PYTHON: spec.python,
    PYSPARK_DRIVER_PYTHON: spec.python,
    SPARK_LOCAL_DIRS: workFolder(folder),
    SPARK_SUBMIT_OPTS: `"-Djava.io.tmpdir=${workFolder(folder)}"`,
    TMPDIR: workFolder(folder),
    SPARK_LOCAL_IP: "127.0.0.1",
    ...(site && { PYTHONPATH: [site, process.env.PYTHONPATH].filter(Boolean).join(delimiter) }),
  };
}

/** Installs what the steps require and the interpreter lacks; resolves to the folder to import it from, if any. */
async function installRequirements(): Promise<string | undefined> {
  const files = [...new Set(spec.job.steps.flatMap((step) => step.requirements ?? []))];
  if (files.length === 0) return undefined;
  const site = join(workFolder(folder), "site-packages");
  const script = fileURLToPath(new URL("../assets/driver/requirements.py", import.meta.url));
  const logFile = lake.log(spec.run, "requirements");
  const code = await execute([spec.python, script, "--into", site, ...files], logFile, environment(undefined));
  if (reason || code !== 0) throw new Error(reason ?? lastProblem(readFileSync(logFile, "utf8")));
  return existsSync(site) ? site : undefined;
}

/** Why a step failed, in one line: what its log says last. */
function failure(step: ClusterStep, code: number | string): string {
  const log = readFileSync(lake.log(spec.run, step.name), "utf8");
  if (log.includes("No space left on device")) {
    return `step "${step.name}" failed: no space is left on the disk of ${spec.lake}; free some, or put the lake elsewhere`;
  }
  return `step "${step.name}" failed (exit ${code}): ${lastProblem(log)}`;
}

await main();
process.exit();
