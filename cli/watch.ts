import { setTimeout as sleep } from "node:timers/promises";
import { createLogUpdate } from "log-update";
import { formatDuration } from "../core/duration.ts";
import { Exit, MissingError, TransientError } from "../core/errors.ts";
import { retry } from "../core/retry.ts";
import { isEndless, type RunStatus } from "../core/run.ts";
import { tail } from "../provider/log.ts";
import type { JsonLines } from "./answer.ts";
import { isScreen } from "./columns.ts";
import { describeStep, number } from "./described.ts";
import type { Follower } from "./follow.ts";
import { printable, printableOn } from "./printable.ts";
import { Rates } from "./rates.ts";
import { runJson } from "./runs.ts";
import { type StreamFigures, streamJson, streamLine } from "./stream.ts";
import { secondsBetween } from "./when.ts";

const SLOWEST_POLL_MS = 60_000;

interface WatchOptions {
  /** Whether to print the steps' log lines as they come. */
  readonly logs: boolean;
  readonly output: NodeJS.WriteStream;
  /** Where it is told to a program instead. @default to people, on `output` */
  readonly json?: JsonLines | undefined;
  /** Whether it may cost anything. @default true */
  readonly isBilled?: boolean;
  /** Whether to leave once the run does what it does without an end. @default false */
  readonly leavesEndless?: boolean;
  /** How the stream does that the run reads, as it stands. @default it reads none, or nobody tells */
  readonly stream?: { figures(): StreamFigures | undefined } | undefined;
  /** Named in what to type next. @default the stack that commands take when none is given */
  readonly stack?: string;
}

/** What is watched. */
export type Watched = Pick<Follower, "pollMs" | "status" | "log" | "evidence">;

/**
 * Shows a run until it ends: progress bars on a terminal, plain lines elsewhere; the last log lines of the step that
 * failed.
 *
 * @returns what a command ends with that waited for it.
 */
export async function watch(cluster: Watched, run: string, options: WatchOptions): Promise<Exit> {
  const show = displayOf(options);
  const positions = new Map<string, number>();
  const rates = new Rates();
  const once = async (): Promise<RunStatus> => {
    const status = await cluster.status(run);
    if (!status) throw new MissingError(`there is no run ${run}: "npx pulumi up${toStack(options)}" starts it`);
    if (options.logs) await followLogs(cluster, status, positions, show.log);
    return status;
  };
  for (;;) {
    const status = await patiently(once, cluster.pollMs, show.print);
    rates.note(status);
    const figures = isEndless(status) ? options.stream?.figures() : undefined;
    if (figures) show.stream(status, figures);
    else show.status(status, rates);
    if (options.leavesEndless && isEndless(status)) {
      show.print(goesOn(status, options));
      return Exit.ok;
    }
    if (status.state !== "running") {
      await finish(cluster, status, show.print, options);
      const exit = exitOf(status.state);
      options.json?.end(status.state, exit);
      return exit;
    }
    await sleep(cluster.pollMs);
  }
}

function goesOn({ run, job, deadline }: RunStatus, { stack }: WatchOptions): string {
  const until = deadline === undefined ? "" : `, or until ${clock(deadline)}`;
  return `Run ${run} of ${job} goes on until "npx --no oneoff cancel${stack === undefined ? "" : ` ${stack}`}" asks it to end${until}.`;
}

/** What a command ends with that waited for a run. */
export function exitOf(state: RunStatus["state"]): Exit {
  if (state === "succeeded") return Exit.ok;
  return state === "cancelled" ? Exit.cancelled : Exit.no;
}

/** Asks again, at longer and longer intervals, while there is no answer to be had. Says so when it begins and ends. */
export async function patiently<T>(
  ask: () => Promise<T>,
  pollMs: number,
  print: (text: string) => void,
  what = "the run",
): Promise<T> {
  let silent = false;
  const answer = await retry(ask, {
    isTransient: (error) => error instanceof TransientError,
    pauseMs: (failed) => Math.min(pollMs * 2 ** (failed - 1), SLOWEST_POLL_MS),
    onRetry({ message }) {
      if (!silent) print(`${message}; ${what} goes on, and so does this command: trying again`);
      silent = true;
    },
  });
  if (silent) print("It answers again.");
  return answer;
}

async function followLogs(
  cluster: Watched,
  status: RunStatus,
  positions: Map<string, number>,
  show: (step: string, text: string) => void,
): Promise<void> {
  for (const { name, state } of status.steps) {
    if (state === "pending") continue;
    const { text, next } = await cluster.log(status.run, name, positions.get(name) ?? 0);
    positions.set(name, next);
    if (text.trim() !== "") show(name, text.trimEnd());
  }
}

async function finish(
  cluster: Watched,
  status: RunStatus,
  print: (text: string) => void,
  options: WatchOptions,
): Promise<void> {
  if (status.state === "failed") {
    const failed = status.steps.find((step) => step.state === "failed" || step.state === "running");
    const evidence = failed
      ? { what: `step ${failed.name}`, text: (await cluster.log(status.run, failed.name, 0)).text }
      : await cluster.evidence(status.run);
    if (evidence?.text.trim())
      print(`The last lines of ${evidence.what}:\n${tail(evidence.text).replace(/^/gm, "  ")}`);
  }
  print(outcome(status));
  if (status.cluster?.stays) print(stays(status.cluster.stays));
  if (status.state === "succeeded" || status.error === ENDED_WITH_STACK) return;
  const name = options.stack === undefined ? "" : ` ${options.stack}`;
  const first = status.state === "failed" ? "Mend it, then " : "";
  print(`${first}"npx --no oneoff run${name}" starts a new run; this one stays as it is.`);
}

/** What assets/driver/run.py says of a run that `pulumi destroy` ended: nothing is to be mended, and nothing stays. */
const ENDED_WITH_STACK = "the cluster was destroyed before its run ended";

/** What became of a run, in a sentence. */
export function outcome(status: RunStatus): string {
  const took = status.ended ? ` after ${formatDuration(secondsBetween(status.started, status.ended))}` : "";
  const became = status.state === "cancelled" ? "was cancelled" : status.state;
  const why = status.state === "failed" ? `: ${status.error ?? "nothing says why"}` : ".";
  return `Run ${status.run} of ${status.job} ${became}${took}${spent(status)}${why}`;
}

const toStack = ({ stack }: WatchOptions): string => (stack === undefined ? "" : ` --stack ${stack}`);

const stays = (until: string): string => `The cluster stays, and costs, until ${clock(until)} if nobody uses it.`;

const spent = ({ cost }: RunStatus): string => (cost === undefined ? "" : `, for about ${cost.toFixed(2)} USD`);

interface Display {
  status(status: RunStatus, rates: Rates): void;
  /** In the place of the status, where the run reads a stream. */
  stream(status: RunStatus, figures: StreamFigures): void;
  print(text: string): void;
  /** Lines that a step has printed. */
  log(step: string, text: string): void;
}

function displayOf({ json, output, isBilled = true }: WatchOptions): Display {
  if (json) return events(json, isBilled);
  return isScreen(output) ? bars(output) : lines(output);
}

/** Each line of a text with a step's name before it. */
export const ofStep = (step: string, text: string): string => text.replace(/^/gm, `${step} | `);

/** For programs: a line whenever something has changed; what is for people alone is on standard error. */
function events(json: JsonLines, isBilled: boolean): Display {
  let last = "";
  const isDue = every(JSON_MS);
  return {
    print: (text) => console.error(text),
    stream(_, figures) {
      if (isDue()) json.write("stream", streamJson(figures));
    },
    log: (step, text) => json.write("log", { step, text }),
    status(status) {
      const now = runJson({ status, state: status.state, usd: isBilled ? status.cost : 0 });
      const { seconds: _, usd: __, tables: ___, ...changes } = now;
      if (JSON.stringify(changes) !== last) json.write("status", { ...changes, usd: now.usd });
      last = JSON.stringify(changes);
    },
  };
}

/** One line whenever something has changed. */
function lines(output: NodeJS.WriteStream): Display {
  let last: readonly string[] = [];
  const print = (text: string) => void output.write(`${printableOn(output, text)}\n`);
  const isDue = every(LINE_MS);
  return {
    print,
    stream(status, figures) {
      if (isDue()) print(`[${elapsed(status)}${cost(status)}] ${streamLine(figures)}`);
    },
    log: (step, text) => print(ofStep(step, text)),
    status(status, rates) {
      const steps = status.steps.filter((step) => step.state !== "pending");
      const now = steps.map((step) => `${step.name}: ${describeStep(step)}${took(step)}`);
      const speed = new Map(steps.map((step, index) => [now[index], rate(step, rates)]));
      if (waiting(status)) now.unshift(`cluster: ${machines(status)}`);
      if (last.length === 0 && status.cluster && status.deadline && status.state === "running")
        print(`The cluster has until ${clock(status.deadline)}.`);
      for (const line of now) {
        if (!last.includes(line)) print(`[${elapsed(status)}${cost(status)}] ${line}${speed.get(line) ?? ""}`);
      }
      last = now;
    },
  };
}

/** A bar per step, and below them the time gone and the time left. */
function bars(output: NodeJS.WriteStream): Display {
  const update = createLogUpdate(output);
  const print = (text: string) => {
    update.clear();
    output.write(`${printable(text)}\n`);
  };
  return {
    print,
    log: (step, text) => print(ofStep(step, text)),
    status(status, rates) {
      const width = Math.max(...status.steps.map((step) => step.name.length));
      const rows = status.steps.map(
        (step) =>
          `  ${step.name.padEnd(width)}  ${bar(fraction(step))}  ${describeStep(step)}${rate(step, rates)}${took(step)}`,
      );
      if (waiting(status)) rows.unshift(`  cluster ${machines(status)}`);
      update(printable([...rows, `  ${time(status)}`].join("\n")));
      if (status.state !== "running") update.done();
    },
    stream: (status, figures) => update(printable(`  ${streamLine(figures)}; ${time(status)}`)),
  };
}

/** The time gone and, while it goes on, the time left. */
function time(status: RunStatus): string {
  const { state, deadline } = status;
  const isLimited = state === "running" && deadline !== undefined;
  const left = isLimited ? `, deadline in ${formatDuration(secondsBetween(new Date(), deadline))}` : "";
  return `${elapsed(status)} elapsed${left}${cost(status)}`;
}

/** From one line about a stream to the next: figures change all the time. */
const LINE_MS = 10_000;
const JSON_MS = 1000;

/** Whether so much time has gone since it last was. */
function every(ms: number): () => boolean {
  let next = 0;
  return () => {
    const now = Date.now();
    if (now < next) return false;
    next = now + ms;
    return true;
  };
}

/** Whether nothing is to be seen but the cluster: it starts, or ends. */
const waiting = ({ cluster, state, steps }: RunStatus): boolean =>
  cluster !== undefined && state === "running" && !steps.some((step) => step.state === "running");

const machines = ({ cluster }: RunStatus): string => [cluster?.state, cluster?.reason].filter(Boolean).join(": ");

const cost = (status: RunStatus): string =>
  status.cost === undefined ? "" : `, about ${status.cost.toFixed(2)} USD so far`;

const clock = (time: string): string => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;

type Step = RunStatus["steps"][number];

/** How fast a step is, where it does at least one of what it counts in a second. */
function rate({ name, state }: Step, rates: Rates): string {
  const speed = rates.of(name) ?? 0;
  return state === "running" && speed >= 1 ? ` (${number(speed, 2)}/s)` : "";
}

const fraction = ({ state, progress }: Step): number => {
  if (state === "succeeded") return 1;
  return progress?.total ? progress.done / progress.total : 0;
};

const bar = (done: number, width = 24): string => "█".repeat(Math.round(done * width)).padEnd(width, "░");

const took = ({ started, ended }: Step): string =>
  started && ended ? ` in ${formatDuration(secondsBetween(started, ended))}` : "";

const elapsed = ({ started, ended }: RunStatus): string => formatDuration(secondsBetween(started, ended ?? new Date()));
