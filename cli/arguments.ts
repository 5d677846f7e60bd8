/** What several commands take. */
import { Argument, type Command, InvalidArgumentError, Option } from "commander";
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
export const stackOption = (): Option => new Option("-s, --stack <name>", STACK);

/**
 * The stack that was given; undefined when none was.
 * @throws UsageError when there are two.
 */
export function givenStack(word: string | undefined, { stack }: StackOptions): string | undefined {
  if (word !== undefined && stack !== undefined && word !== stack)
    throw new UsageError(`two stacks are given, ${quote(word)} and --stack ${stack}: leave one out`);
  return word ?? stack;
}

/** An option for what answers: one JSON document on standard output, and nothing else there. */
export const jsonOption = (): Option => new Option("--json", "the answer as JSON");

/** Examples of a command, and codes that it ends with beside 0 and 2, below its help. */
export const withExamples = (
  command: Command,
  examples: Readonly<Record<string, string>>,
  exits: Readonly<Record<number, string>> = {},
): Command => {
  const width = Math.max(...Object.keys(examples).map(({ length }) => length));
  const lines = Object.entries(examples).map(([line, about]) => `  ${line.padEnd(width)}  ${about}`.trimEnd());
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
