// What set-up needs of processes: run one quietly and end all of it, and let one set-up at a time make something.
import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";

/** Something only the user can mend: what is wrong and the cure, in one sentence. */
export class Failure extends Error {
  constructor(what, cure) {
    super(`${what}: ${cure}`);
    this.what = what;
    this.cure = cure;
  }
}

let signalled; // the signal that ends this set-up
let child; // what runs now
let heldLock;

/** The signal that ended the set-up, if one did. */
export const interruption = () => signalled;

/** From now on, or no longer, a signal ends the running child and then the set-up, which lets go of its lock. */
export function stopOnSignals(on) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process[on ? "on" : "off"](signal, stop);
}

function stop(signal) {
  signalled = signal;
  endGroup("SIGTERM");
  setTimeout(endGroup, 5000, "SIGKILL").unref();
}

function endGroup(signal) {
  if (child?.pid) killGroup(child.pid, signal);
}

function killGroup(leader, signal) {
  try {
    process.kill(-leader, signal);
  } catch {} // it has ended by itself
}

/**
 * Runs a command quietly and resolves to what it printed, which also goes to a log. The command gets a process group of
 * its own, so that its children end with it.
 * @throws Failure with the end of its output when it fails, takes too long, or can't be started.
 */
export function run(command, args, { cwd, env, log, minutes }) {
  if (signalled) throw new Error(signalled);
  const shown = [command, ...args].join(" ").split("\n")[0];
  fs.mkdirSync(dirname(log), { recursive: true });
  fs.appendFileSync(log, `$ ${shown}\n`);
  return new Promise((resolve, reject) => {
    let output = "";
    let ending;
    child = spawn(command, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
    noteChild(child.pid);
    const add = (data) => {
      output += data;
      try {
        fs.appendFileSync(log, data);
      } catch {} // the log is a help, not a need
    };
    child.stdout.on("data", add);
    child.stderr.on("data", add);
    const tooLong = () => {
      ending = `took more than ${minutes} minutes`;
      endGroup("SIGKILL");
    };
    const timer = minutes && setTimeout(tooLong, minutes * 60_000);
    const finish = (code, reason) => {
      clearTimeout(timer);
      child = undefined;
      noteChild();
      if (signalled) reject(new Error(signalled));
      else if (code === 0) resolve(output);
      else if (/ENOSPC|no space left on device/i.test(output)) reject(diskFull());
      else
        reject(
          Object.assign(new Failure(`${shown}: ${ending || reason}`, `see ${log}`), { output: lastLines(output) }),
        );
    };
    child.on("error", (error) => finish(undefined, error.message));
    child.on("close", (code, signal) => finish(code, signal || `exit code ${code}`));
  });
}

export const diskFull = () => new Failure("no space is left on the disk", "free a few gigabytes and run this again");

/** Not every program says so when the disk is full: better not to begin. */
export function needSpace(folder, gigabytes) {
  const { bavail, bsize } = fs.statfsSync(folder);
  const free = (bavail * bsize) / 1e9;
  if (free >= gigabytes) return;
  throw new Failure(
    `${gigabytes} GB are needed in ${folder} and ${free.toFixed(1)} GB are free`,
    "free the difference",
  );
}

const lastLines = (text) =>
  text
    .trimEnd()
    .split("\n")
    .slice(-12)
    .map((line) => `    ${line}\n`)
    .join("");

/** Does some work while holding a lock: a file that names its process, since a dead one's lock is none. */
export async function locked(path, work) {
  try {
    fs.mkdirSync(dirname(path), { recursive: true });
    for (let said = false; !take(path); said = true) {
      if (!said)
        console.log(`    waiting for another set-up, ${(readLock(path).holder || "").split(" since")[0]} (${path})`);
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (signalled) throw new Error(signalled);
    }
    heldLock = path;
    await work();
  } finally {
    if (heldLock) fs.rmSync(heldLock, { force: true });
    heldLock = undefined;
  }
}

/** Takes a lock that is free. One whose holder has died is freed, and what the dead one has left running is ended. */
function take(path) {
  try {
    fs.writeFileSync(path, lockText(), { flag: "wx" });
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  const { host, holder, orphan } = readLock(path);
  if (host ? host !== hostname() || isAlive(holder) : isNew(path)) return false;
  const grave = `${path}.${process.pid}`;
  try {
    fs.renameSync(path, grave); // of all who wait, one gets it
  } catch {
    return false;
  }
  if (readLock(grave).holder !== holder) {
    fs.renameSync(grave, path); // it was taken in between: give it back
  } else {
    fs.rmSync(grave);
    if (isAlive(orphan)) killGroup(Number(orphan.split(" ")[1]), "SIGKILL");
  }
  return false;
}

const lockText = (childPid) => [hostname(), identity(process.pid), childPid && identity(childPid)].join("\n");

/** Keeps the running child's name in the lock, for whoever has to clear up after this process. */
function noteChild(pid) {
  if (heldLock) fs.writeFileSync(heldLock, lockText(pid));
}

function readLock(path) {
  try {
    const [host, holder, orphan] = fs.readFileSync(path, "utf8").split("\n");
    return { host, holder, orphan };
  } catch {
    return {};
  }
}

/** Whether a lock without content is still being written, and not what a crash of the machine has left. */
function isNew(path) {
  try {
    return Date.now() - fs.statSync(path).mtimeMs < 10_000;
  } catch {
    return true; // it is gone: try again
  }
}

const isAlive = (name) => Boolean(name) && identity(name.split(" ")[1]) === name;

/** A process's number and when it began, since numbers come back; nothing when it has ended. */
function identity(pid) {
  try {
    if (process.platform !== "linux") {
      return `process ${pid} since ${execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], {
        env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
      })
        .toString()
        .trim()}`;
    }
    const fields = fs
      .readFileSync(`/proc/${pid}/stat`, "latin1")
      .replace(/^.*\) /s, "")
      .split(" ");
    if (fields[0] !== "Z") return `process ${pid} since tick ${fields[19]}`;
  } catch {}
}
