/** What several commands take. */
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { secondsIfAny } from "../core/duration.ts";
import { Exit, quote, UsageError } from "../core/errors.ts";

/** The stack of `npm start`. */
export const DEFAULT_STACK = "local";

/** Which stack is meant, where a command is about one: by --stack, or by its name alone. */
export interface StackOptions {
  readonly stack?: string;
}

const STACK = "the stack; the one that is selected when none is given";

/** Has a command take a stack, as a word or by --stack. */
export const takesStack = (command: Command): Command =>
  command.addArgument(new Argument("[stack]", STACK)).addOption(stackOption());

/** For commands whose words are about something else. */
export const stackOption = (): Option => new Option("-s, --stack <name>", STACK).argParser(once("stacks", "--stack"));

/** Of an option that is given twice the last would count, which whoever typed it may not know. */
const once =
  (things: string, option: string) =>
  (value: string, before: string | undefined): string => {
    if (before === undefined || before === value) return value;
    throw new UsageError(`two ${things} are given, ${option} ${before} and ${option} ${value}: leave one out`);
  };

/**
 * The stack that was given; undefined when none was.
 * @throws UsageError when there are two.
 */
export function givenStack(word: string | undefined, { stack }: StackOptions): string | undefined {
  if (word !== undefined && stack !== undefined && word !== stack)
    throw new UsageError(`two stacks are given, ${quote(word)} and --stack ${stack}: leave one out`);
  return word ?? stack;
}

/** An option for what answers: one JSON document on standard output, or one a line, and nothing else there. */
export const jsonOption = (about = "the answer as JSON"): Option => new Option("--json", about);

/** The run that is meant. */
export const runOption = (about = "the run, by its id or the beginning of it; the stack's when not given"): Option =>
  new Option("--run <id>", about).argParser(once("runs", "--run"));

/** Seconds of a span of time: "90s", "10m", "1h", or as settings have it, "10 minutes". */
export function spanOfTime(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?) ?([smhd])$/.exec(text) ?? [];
  const inSeconds = unit === undefined ? secondsIfAny(text) : Number(number) * SPANS[unit as keyof typeof SPANS];
  if (inSeconds !== undefined && inSeconds > 0 && inSeconds <= MOST_SECONDS) return inSeconds;
  throw new InvalidArgumentError('expected a time up to 20 days, such as "90s", "10m" or "1h"');
}

const SPANS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
/** A timer takes no more. */
const MOST_SECONDS = 20 * SPANS.d;

/** A whole number above zero. */
export function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError("expected a whole number from 1");
}

const COLUMNS = 80;

/** Examples of a command, and codes that it ends with beside 0 and 2, below its help. */
export const withExamples = (
  command: Command,
  examples: Readonly<Record<string, string>>,
  exits: Readonly<Record<number, string>> = {},
): Command => {
  const all = Object.entries(examples);
  const width = Math.max(...all.map(([line]) => line.length));
  const isWide = all.some(([, about]) => width + about.length + 4 > COLUMNS);
  const lines = all.map(([line, about]) =>
    isWide ? `  ${line}\n      ${about}` : `  ${line.padEnd(width)}  ${about}`,
  );
  const codes = Object.entries(exits).map(([code, about]) => `  ${code.padStart(3)}  ${about}`);
  return command
    .addHelpText("before", `Examples:\n${lines.join("\n")}\n`)
    .addHelpText(
      "after",
      codes.length === 0 ? "" : `\nEnds with, beside 0 (done) and 2 (wrong usage):\n${codes.join("\n")}`,
    );
};

/** Gathers what may be given more than once. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("expected a number from 1 to 65535");
}

/** Has the command end with 1, or another code. */
export function fail(failed: boolean, exit: Exit = Exit.no): void {
  if (failed) process.exitCode = exit;
}
