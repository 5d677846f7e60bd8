import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { readJson, writeJson } from "./json.ts";
import { tail } from "./log.ts";
import { ps, startTimeOf, statFields } from "./start-time.ts";

/**
 * A process that can't be mistaken for another one that got the same id later: `born` is when the kernel started it, so
 * it differs for a recycled id and after a restart of the machine.
 */
export const ProcessId = z.object({ pid: z.int(), born: z.string() });
export type ProcessId = z.infer<typeof ProcessId>;

export const identify = (pid: number): ProcessId | undefined => {
  const start = startTimeOf(pid);
  return start === undefined ? undefined : { pid, born: start };
};

export const isAlive = (id: ProcessId | undefined): id is ProcessId =>
  id !== undefined && startTimeOf(id.pid) === id.born;

/** The process registered in a folder, undefined when nobody is. */
export const registered = (folder: string): ProcessId | undefined =>
  ProcessId.safeParse(readJson(registration(folder))).data;

/** Ends a process: it is asked first, and killed with everything it started when it doesn't end within `graceMs`. */
export async function stop(id: ProcessId | undefined, graceMs = 5000): Promise<void> {
  if (!isAlive(id)) return;
  signal(id.pid, "SIGTERM");
  for (const end = Date.now() + graceMs; isAlive(id) && Date.now() < end; ) await sleep(25);
  if (isAlive(id)) killTree(id.pid);
  while (isAlive(id)) await sleep(10);
}

/** Kills a process, its descendants and whatever is in its process group. */
export function killTree(leader: number): void {
  const rows = processTable();
  const doomed = new Set([leader]);
  for (let size = 0; size !== doomed.size; ) {
    size = doomed.size;
    for (const [pid, ppid, pgid] of rows) if (doomed.has(ppid) || pgid === leader) doomed.add(pid);
  }
  for (const pid of doomed) signal(pid, "SIGKILL");
}

/** Kills what is left of a process group whose leader has ended; as long as something is, its id is not given anew. */
export const killGroup = (leader: number): void => signalGroup(leader, "SIGKILL");

/** Signals a process and what it started, but for what is in a group of its own. */
export function signalGroup(leader: number, name: NodeJS.Signals): void {
  try {
    signal(-leader, name);
  } catch (error) {
    // What macOS says of a group in which only zombies are left.
    if ((error as NodeJS.ErrnoException).code !== "EPERM") throw error;
  }
}

type Row = readonly [pid: number, parent: number, group: number];

function processTable(): readonly Row[] {
  if (process.platform !== "linux") {
    return ps("-axo", "pid=,ppid=,pgid=")
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number) as unknown as Row);
  }
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    const fields = statFields(pid);
    return fields ? [[Number(pid), Number(fields[1]), Number(fields[2])] as const] : [];
  });
}

/** Fields of /proc/PID/stat after the command's name, which may hold anything (proc(5)); undefined when it is gone. */

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * Starts a module of this package as a process that outlives this one and its process group, and waits until it has
 * registered itself in `folder`. It registers itself, rather than being registered here, so that it is known even if we
 * are killed in between.
 *
 * @param script path without its ending: it is TypeScript in a checkout and JavaScript in the published package. It is given
 * the folder, and what `more` says.
 * @throws Error when it ends before it is registered, with the last lines it printed.
 */
export async function startDetached(
  script: URL,
  folder: string,
  logFile: string,
  more: { readonly arguments?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<ProcessId> {
  const log = openSync(logFile, "a");
  const path = fileURLToPath(script) + extname(fileURLToPath(import.meta.url));
  const child = spawn(process.execPath, [path, folder, ...(more.arguments ?? [])], {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: folder,
    ...(more.env && { env: more.env }),
  });
  closeSync(log);
  child.unref();
  let ended = false;
  child.once("exit", () => {
    ended = true;
  });
  for (;;) {
    const id = registered(folder);
    if (id?.pid === child.pid && isAlive(id)) return id;
    if (ended) throw notStarted(logFile);
    await sleep(20);
  }
}

/** What to say of a process that ended before it did what it was started for. */
export const notStarted = (logFile: string): Error =>
  new Error(`it did not start; the last lines of ${logFile}:\n${tail(readFileSync(logFile, "utf8"))}`);

/** Our environment for what we start: without what is Pulumi's, its passphrase among it. */
export const ownEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith("PULUMI_")));

/** Makes this process the one registered in `folder`; ends it where that was taken away before we came to it. */
export function register(folder: string): void {
  if (!existsSync(folder)) process.exit();
  writeJson(registration(folder), identify(process.pid));
}

/** Whether this process is still the one registered in `folder`: it isn't once the folder is gone or taken over. */
export const isRegistered = (folder: string): boolean => registered(folder)?.pid === process.pid;

/** Where a process that belongs to a folder registers itself. */
export const registration = (folder: string): string => join(folder, "process.json");
