import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** When the process with this id was started, or undefined when there is none (a zombie counts as none). */
export function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform === "linux") {
      const fields = statFields(pid); // state is the 1st of them, start time the 20th
      if (!fields || fields[0] === "Z") return undefined;
      return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${fields[19]}`;
    }
    const line = ps("-o", "stat=,lstart=", "-p", String(pid));
    return line === "" || line.startsWith("Z") ? undefined : line.replace(/^\S+\s+/, "");
  } catch {
    return undefined;
  }
}

/** What Linux says of a process after its name; undefined when there is none. */
export function statFields(pid: number | string): readonly string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /s, "")
      .split(" ");
  } catch {
    return undefined;
  }
}

/** What ps prints, the same in every time zone and language: start times are compared as text. */
export const ps = (...args: readonly string[]): string =>
  execFileSync("ps", args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C", TZ: "UTC" } }).trim();
