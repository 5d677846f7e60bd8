// assets/local/supervisor.ts
import { spawn as spawn2 } from "node:child_process";
import { createWriteStream, existsSync, mkdirSync as mkdirSync3, readFileSync as readFileSync3, rmSync } from "node:fs";
import { delimiter, dirname as dirname3, join as join4 } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath as fileURLToPath2 } from "node:url";

// components/core/duration.ts
function spoken(total) {
  const s = Math.max(0, Math.round(total));
  const parts = [
    [Math.floor(s / 86400), "d"],
    [Math.floor(s / 3600) % 24, "h"],
    [Math.floor(s / 60) % 60, "min"],
    [s % 60, "s"]
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return "0 s";
  return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(" ");
}

// components/job/job.ts
var fill = (text, value) => text.replace(/\{([^{}]*)\}/g, (_, name) => value(name));

// assets/local/cluster.ts
import { join as join3 } from "node:path";
import { z as z3 } from "zod";

// components/job/run.ts
import { z } from "zod";
var StepState = z.enum(["pending", "running", "succeeded", "failed"]);
var RunRecord = z.object({
  run: z.string(),
  job: z.string(),
  state: z.enum(["running", "succeeded", "failed"]),
  started: z.iso.datetime({ offset: true }),
  /** When its cluster ends whatever happens; a record that still says "running" after that was orphaned. */
  deadline: z.iso.datetime({ offset: true }).optional(),
  ended: z.iso.datetime({ offset: true }).optional(),
  /** Why it failed, in one line. */
  error: z.string().optional(),
  /** In the order they run. */
  steps: z.array(z.object({ name: z.string(), state: StepState })),
  /** Of each table once the run succeeded. Equal digests mean equal rows, whatever their order and number of files. */
  tables: z.record(z.string(), z.object({ rows: z.int(), digest: z.string() })).default({})
});
var Progress = z.object({ what: z.string(), done: z.int(), total: z.int() });
var ClusterState = z.object({
  state: z.string(),
  reason: z.string().optional(),
  /** When it ends by itself, if it stays after its last step. */
  stays: z.iso.datetime({ offset: true }).optional()
});
var RunStatus = RunRecord.omit({ tables: true }).extend({
  steps: z.array(
    RunRecord.shape.steps.element.extend({
      started: z.iso.datetime().optional(),
      ended: z.iso.datetime().optional(),
      progress: Progress.optional()
    })
  ),
  /** Where the cluster is rented. */
  cluster: ClusterState.optional(),
  /** What it has cost so far, in USD, about. */
  cost: z.number().optional()
});

// assets/local/json.ts
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return void 0;
  }
}
function writeJson(file, value) {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(value, void 0, 2)}
`, { mode: 384 });
  renameSync(temporary, file);
}

// assets/local/layout.ts
import { join } from "node:path";
var layout = (lake2) => ({
  /** Says that the folder is a lake, so that nothing else is ever taken for one and deleted. */
  marker: join(lake2, "_lake.json"),
  table: (table, run) => join(lake2, table, `run=${run}`),
  records: join(lake2, "_runs"),
  /** The run's record; see RunRecord. */
  record: (run) => join(lake2, "_runs", `${run}.json`),
  logs: join(lake2, "_logs"),
  log: (run, step) => join(lake2, "_logs", run, `${step}.log`),
  clusters: join(lake2, "_clusters"),
  /** The local cluster of a run: its specification, its process, its status, and scratch space while it lives. */
  cluster: (run) => join(lake2, "_clusters", run),
  dashboards: join(lake2, "_dashboards"),
  dashboard: (name) => join(lake2, "_dashboards", name),
  /** What was written in JupyterLab, beside copies of assets/notebooks. */
  notebooks: join(lake2, "_notebooks"),
  /** Spark's files of events, for the history server. */
  events: join(lake2, "_spark-events"),
  /** What the steps of a run keep for each other, one folder per run, gone when it ends. */
  scratch: join(lake2, "_scratch")
});

// assets/local/process.ts
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync as mkdirSync2, openSync, readdirSync, readFileSync as readFileSync2 } from "node:fs";
import { dirname as dirname2, extname, join as join2 } from "node:path";
import { z as z2 } from "zod";

// assets/local/log.ts
var lines = (log) => log.split("\n").filter((line) => /\S/.test(line) && !/^\s+at |^\s+\.\.\. \d+ more$/.test(line));
function lastProblem(log) {
  const candidates = lines(log).filter((line) => !/ (INFO|WARN) |^\[oneoff\]/.test(line));
  const exception = candidates.findLast((line) => /^[\w.]*(Error|Exception|Interrupt)\b: /.test(line));
  return (exception ?? candidates.at(-1) ?? "it printed nothing").trim();
}
function progressOf(line) {
  const match = /^\[oneoff\] (\S+) (\d+)\/(\d+)\s*$/.exec(line);
  return match ? { what: match[1], done: Number(match[2]), total: Number(match[3]) } : void 0;
}

// assets/local/process.ts
var ProcessId = z2.object({ pid: z2.int(), born: z2.string() });
function born(pid) {
  try {
    if (process.platform === "linux") {
      const fields = statFields(pid);
      if (!fields || fields[0] === "Z") return void 0;
      return `${readFileSync2("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[19]}`;
    }
    const line = ps("-o", "stat=,lstart=", "-p", String(pid));
    return line === "" || line.startsWith("Z") ? void 0 : line.replace(/^\S+\s+/, "");
  } catch {
    return void 0;
  }
}
var identify = (pid) => {
  const start = born(pid);
  return start === void 0 ? void 0 : { pid, born: start };
};
var registered = (folder2) => ProcessId.safeParse(readJson(registration(folder2))).data;
function killTree(leader) {
  const rows = processTable();
  const doomed = /* @__PURE__ */ new Set([leader]);
  for (let size = 0; size !== doomed.size; ) {
    size = doomed.size;
    for (const [pid, ppid, pgid] of rows) if (doomed.has(ppid) || pgid === leader) doomed.add(pid);
  }
  for (const pid of doomed) signal(pid, "SIGKILL");
}
function killGroup(leader) {
  try {
    signal(-leader, "SIGKILL");
  } catch (error) {
    if (error.code !== "EPERM") throw error;
  }
}
function processTable() {
  if (process.platform !== "linux") {
    return ps("-axo", "pid=,ppid=,pgid=").split("\n").map((line) => line.trim().split(/\s+/).map(Number));
  }
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const fields = statFields(pid);
    return fields ? [[Number(pid), Number(fields[1]), Number(fields[2])]] : [];
  });
}
function statFields(pid) {
  try {
    return readFileSync2(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  } catch {
    return void 0;
  }
}
var ps = (...args) => execFileSync("ps", args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C", TZ: "UTC" } }).trim();
function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
function register(folder2) {
  writeJson(registration(folder2), identify(process.pid));
}
var isRegistered = (folder2) => registered(folder2)?.pid === process.pid;
var registration = (folder2) => join2(folder2, "process.json");

// assets/local/cluster.ts
var Step = z3.object({
  name: z3.string(),
  script: z3.string().optional(),
  jar: z3.string().optional(),
  mainClass: z3.string().optional(),
  arguments: z3.array(z3.string()),
  files: z3.array(z3.string()),
  pyFiles: z3.array(z3.string()),
  packages: z3.array(z3.string()),
  requirements: z3.string().optional(),
  conf: z3.record(z3.string(), z3.string()),
  timeLimitSeconds: z3.int(),
  secrets: z3.array(z3.string())
});
var ClusterSpec = z3.object({
  run: z3.string(),
  job: z3.object({
    name: z3.string(),
    steps: z3.array(Step),
    tables: z3.array(
      z3.object({
        name: z3.string(),
        columns: z3.array(z3.object({ name: z3.string(), measured: z3.boolean().optional() }))
      })
    )
  }),
  /** Absolute path. */
  lake: z3.string(),
  deadlineSeconds: z3.int(),
  cores: z3.int(),
  memoryMebibytes: z3.int(),
  /** Absolute path of a Python interpreter with PySpark beside it. */
  python: z3.string()
});
var specFile = (folder2) => join3(folder2, "spec.json");
var statusFile = (folder2) => join3(folder2, "status.json");
var workFolder = (folder2) => join3(folder2, "work");
var scratchFolder = (folder2) => join3(workFolder(folder2), "scratch");
var secretsFolder = (folder2) => join3(folder2, "secrets");

// assets/local/record.ts
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
var script = fileURLToPath(new URL("../jobs/oneoff.py", import.meta.url));
async function keepRecord(spec2, status2) {
  const tables = spec2.job.tables.map(({ name, columns }) => {
    const digested = columns.filter((column) => !column.measured).map((column) => column.name);
    return `${name}=${digested.join(",")}`;
  });
  const { deadline: deadline2, error } = status2;
  try {
    await promisify(execFile)(spec2.python, [
      ...[script, "record", "--lake", spec2.lake, "--run", spec2.run, "--job", spec2.job.name, "--state", status2.state],
      ...deadline2 ? ["--deadline", deadline2] : [],
      ...error ? ["--error", error] : [],
      ...status2.steps.flatMap((step) => ["--step", `${step.name}=${step.state}`]),
      ...tables.flatMap((table) => ["--table", table])
    ]);
  } catch (failure2) {
    const printed = failure2.stderr?.trim();
    throw new Error(printed?.split("\n").at(-1) || failure2.message);
  }
}

// assets/local/supervisor.ts
var folder = process.argv[2];
var spec = ClusterSpec.parse(readJson(specFile(folder)));
var lake = layout(spec.lake);
var started = /* @__PURE__ */ new Date();
var deadline = new Date(started.getTime() + spec.deadlineSeconds * 1e3);
var status = {
  run: spec.run,
  job: spec.job.name,
  state: "running",
  started: started.toISOString(),
  deadline: deadline.toISOString(),
  steps: spec.job.steps.map(({ name }) => ({ name, state: "pending" }))
};
var reason;
var running;
var limit;
function end(why) {
  reason ??= why;
  if (running?.pid) killTree(running.pid);
}
function checkTime() {
  if (!isRegistered(folder)) end("its folder was removed");
  if (Date.now() > deadline.getTime()) end(`the deadline of ${spoken(spec.deadlineSeconds)} has passed`);
  if (limit && Date.now() > limit.ends) {
    end(`step "${limit.step.name}" took longer than its time limit of ${spoken(limit.step.timeLimitSeconds)}`);
  }
}
function publish() {
  if (isRegistered(folder)) writeJson(statusFile(folder), status);
}
var recorded = Promise.resolve();
function record() {
  const now = structuredClone(status);
  recorded = recorded.catch(() => {
  }).then(() => keepRecord(spec, now));
  return recorded;
}
async function main() {
  register(folder);
  process.on("SIGTERM", () => end("the cluster was destroyed before its run ended"));
  setInterval(checkTime, 500);
  publish();
  try {
    await record();
    const site = await installRequirements();
    for (const [index, step] of spec.job.steps.entries()) await runStep(step, index, site);
  } catch (error) {
    status.error = (reason ?? error.message).trim();
  }
  if (!isRegistered(folder)) return;
  rmSync(workFolder(folder), { recursive: true, force: true });
  rmSync(secretsFolder(folder), { recursive: true, force: true });
  status.ended = (/* @__PURE__ */ new Date()).toISOString();
  status.state = status.error === void 0 ? "succeeded" : "failed";
  try {
    await record();
  } catch (error) {
    status.state = "failed";
    status.error ??= `the record of the run could not be written: ${error.message}`;
  }
  publish();
}
async function runStep(step, index, site) {
  const mine = status.steps[index];
  mine.state = "running";
  mine.started = (/* @__PURE__ */ new Date()).toISOString();
  publish();
  record().catch(() => {
  });
  limit = { step, ends: Date.now() + step.timeLimitSeconds * 1e3 };
  try {
    const logFile = lake.log(spec.run, step.name);
    const submit = [join4(dirname3(spec.python), "spark-submit"), ...sparkArguments(step)];
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
    limit = void 0;
    mine.ended = (/* @__PURE__ */ new Date()).toISOString();
    publish();
  }
}
function execute(command, logFile, env, onLine = () => {
}) {
  if (reason) throw new Error(reason);
  for (const path of [dirname3(logFile), scratchFolder(folder)]) mkdirSync3(path, { recursive: true });
  const log = createWriteStream(logFile, { flags: "a" });
  const child = spawn2("/bin/sh", [fileURLToPath2(new URL("./step.sh", import.meta.url)), ...command], {
    detached: true,
    cwd: workFolder(folder),
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe"]
  });
  running = child;
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      log.write(`${line}
`);
      onLine(line);
    });
  }
  return new Promise((resolve, reject) => {
    log.once("error", reject);
    child.once("error", reject);
    child.once("exit", () => killGroup(child.pid));
    child.once("close", (code, signal2) => {
      running = void 0;
      log.end(() => resolve(code ?? signal2 ?? "unknown"));
    });
  });
}
function sparkArguments(step) {
  const conf = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "WARN",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.warehouse.dir": workFolder(folder),
    ...step.conf
  };
  const list = (flag, items) => items.length > 0 ? [flag, items.join(",")] : [];
  const value = (placeholder) => {
    if (placeholder === "run") return spec.run;
    if (placeholder === "lake") return spec.lake;
    if (placeholder === "scratch") return scratchFolder(folder);
    if (placeholder.startsWith("secret:")) return join4(secretsFolder(folder), placeholder.slice("secret:".length));
    return lake.table(placeholder, spec.run);
  };
  return [
    ...["--master", `local[${spec.cores}]`, "--driver-memory", `${spec.memoryMebibytes}m`],
    ...["--name", `${spec.job.name} ${spec.run} ${step.name}`],
    ...Object.entries(conf).flatMap(([key, text]) => ["--conf", `${key}=${text}`]),
    ...list("--files", step.files),
    ...list("--py-files", step.pyFiles),
    ...list("--packages", step.packages),
    ...step.mainClass ? ["--class", step.mainClass] : [],
    step.script ?? step.jar,
    ...step.arguments.map((argument) => fill(argument, value))
  ];
}
function environment(site) {
  const own = Object.entries(process.env).filter(([key]) => !key.startsWith("PULUMI_") && key !== "SPARK_HOME");
  return {
    ...Object.fromEntries(own),
    PYSPARK_PYTHON: spec.python,
    PYSPARK_DRIVER_PYTHON: spec.python,
    SPARK_LOCAL_DIRS: workFolder(folder),
    SPARK_SUBMIT_OPTS: `"-Djava.io.tmpdir=${workFolder(folder)}"`,
    TMPDIR: workFolder(folder),
    SPARK_LOCAL_IP: "127.0.0.1",
    ...site && { PYTHONPATH: [site, process.env.PYTHONPATH].filter(Boolean).join(delimiter) }
  };
}
async function installRequirements() {
  const files = [...new Set(spec.job.steps.flatMap((step) => step.requirements ?? []))];
  if (files.length === 0) return void 0;
  const site = join4(workFolder(folder), "site-packages");
  const script2 = fileURLToPath2(new URL("./requirements.py", import.meta.url));
  const logFile = lake.log(spec.run, "requirements");
  const code = await execute([spec.python, script2, "--into", site, ...files], logFile, environment(void 0));
  if (reason || code !== 0) throw new Error(reason ?? lastProblem(readFileSync3(logFile, "utf8")));
  return existsSync(site) ? site : void 0;
}
function failure(step, code) {
  const log = readFileSync3(lake.log(spec.run, step.name), "utf8");
  if (log.includes("No space left on device")) {
    return `step "${step.name}" failed: no space is left on the disk of ${spec.lake}; free some, or put the lake elsewhere`;
  }
  return `step "${step.name}" failed (exit ${code}): ${lastProblem(log)}`;
}
await main();
process.exit();
