/**
 * Runs on Cloud Run as a job, once for each run: `index.mjs <launch file>` (boot.mjs, launch.ts). Asks Dataproc for the steps and
 * tells in the lake how they are doing. Cloud Run starts it again when it dies; what it ends by itself is ended.
 */
import { EventEmitter } from "node:events";
import { readFile } from "node:fs/promises";
import { GoogleApi, storageClient } from "../../clients/google.ts";
import { RunError } from "./context.ts";
import type { Launch } from "./launch.ts";
import { log } from "./log.ts";
import { orchestrate } from "./run.ts";
import { Lake } from "./store.ts";

const MINUTE = 60_000;
/** Cloud Run leaves 10 s between SIGTERM and SIGKILL, within which the last answer, the cancelling and the status fit. */
const TIMING = {
  pollMs: 5000,
  patienceMs: 10 * MINUTE,
  graceMs: MINUTE,
  absenceMs: 15 * MINUTE,
  writeMs: 1000,
  answerMs: 3000,
};

// Streams of the storage client have some more than the 10 that Node takes for a leak, and warns of.
EventEmitter.defaultMaxListeners = 30;

const stopping = new AbortController();
// Sent when the execution is cancelled or its job deleted, and when its time is over, which is a quarter of an hour after the
// run's deadline: that has ended the run by then, and said so.
process.on("SIGTERM", () =>
  stopping.abort(new RunError("the run was stopped: its stack was destroyed or its execution cancelled")),
);
// Maintenance moves the task to another machine as it is, and tells so by these, which would halt it otherwise
// (https://cloud.google.com/run/docs/configuring/task-timeout#maintenance-events).
for (const signal of ["SIGTSTP", "SIGCONT"] as const) process.on(signal, () => undefined);

try {
  const file = process.argv[2];
  if (file === undefined) throw new Error("expected one argument, the launch file");
  const launch: Launch = JSON.parse(await readFile(file, "utf8"));
  const lake = new Lake(storageClient(launch.project).bucket(launch.bucket));
  await orchestrate({ api: new GoogleApi(), lake, timing: TIMING, stopping: stopping.signal }, launch);
  // A run that failed is told of by its status: to try it again would change nothing.
  process.exit(0);
} catch (error) {
  log("ERROR", `the run can't be followed: ${(error as Error).stack}`);
  process.exit(stopping.signal.aborted ? 0 : 1);
}
