/** What several commands take. */
import { Argument, InvalidArgumentError } from "commander";

/** The stack that commands take when none is given. */
export const DEFAULT_STACK = "local";

export const stackArgument = (): Argument => new Argument("[stack]", "the stack").default(DEFAULT_STACK);

/** Gathers what may be given more than once. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

export function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("expected a number from 1 to 65535");
}

/** Has the command end with 1. */
export function fail(failed: boolean): void {
  if (failed) process.exitCode = 1;
}
