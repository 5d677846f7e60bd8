import { setTimeout as sleep } from "node:timers/promises";
import { createLogUpdate } from "log-update";
import { tail } from "../assets/local/log.ts";
import { spoken } from "../components/core/duration.ts";
import { UsageError } from "../components/core/errors.ts";
import type { RunStatus } from "../components/job/run.ts";
import type { ClusterCommands } from "./cluster.ts";

const POLL_MS = 250;

export interface WatchOptions {
  /** Whether to print the steps' log lines as they come. */
  readonly logs: boolean;
  readonly output: NodeJS.WriteStream;
}

/**
 * Shows a run until it ends: progress bars on a terminal, plain lines elsewhere; the last log lines of the step that
 * failed.
 *
 * @returns whether the run succeeded.
 */
export async function watch(cluster: ClusterCommands, run: string, options: WatchOptions): Promise<boolean> {
  const show = options.output.isTTY ? bars(options.output) : lines(options.output);
  const positions = new Map<string, number>();
  for (;;) {
    const status = await cluster.status(run);
    if (!status) throw new UsageError(`there is no run ${run}: "npx pulumi up" starts it`);
    if (options.logs) await followLogs(cluster, status, positions, show.print);
    show.status(status);
    if (status.state !== "running") return finish(cluster, status, show.print);
    await sleep(POLL_MS);
  }
}

async function followLogs(
  cluster: ClusterCommands,
  status: RunStatus,
  positions: Map<string, number>,
  print: (text: string) => void,
): Promise<void> {
  for (const { name, state } of status.steps) {
    if (state === "pending") continue;
    const { text, next } = await cluster.log(status.run, name, positions.get(name) ?? 0);
    positions.set(name, next);
    if (text.trim() !== "") print(text.trimEnd().replace(/^/gm, `${name} | `));
  }
}

async function finish(cluster: ClusterCommands, status: RunStatus, print: (text: string) => void): Promise<boolean> {
  const took = status.ended ? ` after ${spoken(secondsBetween(status.started, status.ended))}` : "";
  if (status.state === "succeeded") {
    print(`Run ${status.run} of ${status.job} succeeded${took}.`);
    return true;
  }
  const failed = status.steps.find((step) => step.state === "failed" || step.state === "running");
  const log = failed && (await cluster.log(status.run, failed.name, 0)).text;
  if (failed && log?.trim()) print(`The last lines of step ${failed.name}:\n${tail(log).replace(/^/gm, "  ")}`);
  print(`Run ${status.run} of ${status.job} failed${took}: ${status.error}`);
  print('Mend it, then "npx oneoff run" starts a new run; this one stays as it is.');
  return false;
}

interface Display {
  status(status: RunStatus): void;
  print(text: string): void;
}

/** One line whenever something has changed. */
function lines(output: NodeJS.WriteStream): Display {
  let last: readonly string[] = [];
  const print = (text: string) => void output.write(`${text}\n`);
  return {
    print,
    status(status) {
      const now = status.steps
        .filter((step) => step.state !== "pending")
        .map((step) => `${step.name}: ${step.state === "running" ? describe(step) : `${step.state}${took(step)}`}`);
      for (const line of now) if (!last.includes(line)) print(`[${elapsed(status)}] ${line}`);
      last = now;
    },
  };
}

/** A bar per step, and below them the time gone and the time left. */
function bars(output: NodeJS.WriteStream): Display {
  const update = createLogUpdate(output);
  return {
    print(text) {
      update.clear();
      output.write(`${text}\n`);
    },
    status(status) {
      const width = Math.max(...status.steps.map((step) => step.name.length));
      const rows = status.steps.map(
        (step) => `  ${step.name.padEnd(width)}  ${bar(fraction(step))}  ${describe(step)}${took(step)}`,
      );
      const left = status.deadline ? `, deadline in ${spoken(secondsBetween(new Date(), status.deadline))}` : "";
      const clock = `  ${elapsed(status)} elapsed${status.state === "running" ? left : ""}`;
      update([...rows, clock].join("\n"));
      if (status.state !== "running") update.done();
    },
  };
}

type Step = RunStatus["steps"][number];

const describe = ({ state, progress }: Step): string =>
  progress && state === "running" ? `${progress.what} ${progress.done}/${progress.total}` : state;

const fraction = ({ state, progress }: Step): number => {
  if (state === "succeeded") return 1;
  return progress ? progress.done / progress.total : 0;
};

const bar = (done: number, width = 24): string => "█".repeat(Math.round(done * width)).padEnd(width, "░");

const took = ({ started, ended }: Step): string =>
  started && ended ? ` in ${spoken(secondsBetween(started, ended))}` : "";

const elapsed = ({ started, ended }: RunStatus): string => spoken(secondsBetween(started, ended ?? new Date()));

const secondsBetween = (from: string | Date, to: string | Date): number =>
  Math.max(0, (new Date(to).getTime() - new Date(from).getTime()) / 1000);
