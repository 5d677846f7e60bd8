import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Watches process trees and keeps the largest memory of each, in MB; pages that processes share are counted once. */
export function peakMemory<Name extends string>(roots: Readonly<Record<Name, () => number | undefined>>) {
  const names = Object.keys(roots) as Name[];
  const peaks = Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;
  const timer = setInterval(() => {
    const parents = processes();
    for (const name of names) {
      const root = roots[name]();
      if (root !== undefined) peaks[name] = Math.max(peaks[name], Math.round(memoryOf(root, parents) / 1024));
    }
  }, 250);
  return {
    stop() {
      clearInterval(timer);
      return peaks;
    },
  };
}

interface Process {
  readonly parent: number;
  readonly kilobytes: number;
}

function processes(): ReadonlyMap<number, Process> {
  const rows = execFileSync("ps", ["-axo", "pid=,ppid=,rss="], { encoding: "utf8" }).trim().split("\n");
  return new Map(
    rows.map((row) => {
      const [pid, parent, kilobytes] = row.trim().split(/\s+/).map(Number) as [number, number, number];
      return [pid, { parent, kilobytes }];
    }),
  );
}

function memoryOf(root: number, all: ReadonlyMap<number, Process>): number {
  let total = share(root) ?? all.get(root)?.kilobytes ?? 0;
  for (const [pid, { parent }] of all) if (parent === root) total += memoryOf(pid, all);
  return total;
}

/** The process's proportional share of memory on Linux, in kB. */
function share(pid: number): number | undefined {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}
