import type { RunStatus } from "../core/run.ts";

/** What of a Spark log a person wants to see: the Java virtual machine's stack frames are left out. */
const lines = (log: string): readonly string[] =>
  log.split("\n").filter((line) => /\S/.test(line) && !/^\s+at |^\s+\.\.\. \d+ more$/.test(line));

/** The last lines of a log. */
export const tail = (log: string, count = 15): string => lines(log).slice(-count).join("\n");

/** How far a step says that it is: the line that assets/jobs/oneoff.py prints for it; undefined for any other line. */
export function progressOf(line: string): NonNullable<RunStatus["steps"][number]["progress"]> | undefined {
  const match = /^\[oneoff\] (\S+) (\d+)\/(\d+)\s*$/.exec(line);
  return match ? { what: match[1] as string, done: Number(match[2]), total: Number(match[3]) } : undefined;
}
