/**
 * What a command ends with: Pulumi's codes (https://www.pulumi.com/docs/iac/cli/exit-codes/), since some of them are passed on,
 * and the shell's.
 */
export const Exit = {
  ok: 0,
  /** The answer is no: a run failed, something is left, something is missing. */
  no: 1,
  usage: 2,
  /** Not logged in, or credentials are refused. */
  login: 3,
  /** A cloud, Docker, or a deployment failed. */
  failed: 4,
  /** A rule refuses it, such as the limit of costs. */
  refused: 5,
  /** There is no such stack, run or table. */
  missing: 6,
  /** It was cancelled, or not agreed to. */
  cancelled: 8,
  /** The time of a wait is over, and the run goes on. */
  timeout: 9,
  interrupted: 130,
  /** Somebody asked it to end, by SIGTERM. */
  terminated: 143,
  /** A fault of ours. */
  bug: 255,
} as const;
export type Exit = (typeof Exit)[keyof typeof Exit];

/** An argument, as an error message names it. */
export interface Argument {
  readonly argument: string;
  /** What the message calls it. */
  readonly text: string;
}

/** An argument within a message: a stack calls it what its user has set. */
export const arg = (argument: string, text = argument): Argument => ({ argument, text });

/**
 * The caller can cure it: one line that names the setting, the value and the cure. Pulumi and the command line show it
 * without a stack trace.
 */
export class UsageError extends Error {
  override readonly name: string = "UsageError";
  /** Pulumi tells by this field what it shows in one line (`RunError` of @pulumi/pulumi/errors), whoever made the class. */
  readonly __pulumiRunError = true;
  /** What a command ends with. */
  readonly exit: Exit = Exit.usage;
  readonly #parts: readonly (string | Argument)[];
  readonly #cure: string | undefined;

  /**
   * @param message text, or texts and arguments: see {@link refusal}.
   * @param cure the end of a message about one value: what was expected, or what to do.
   */
  constructor(message: string | readonly (string | Argument)[], cure?: string) {
    const parts = typeof message === "string" ? [message] : message;
    super(parts.map((part) => (typeof part === "string" ? part : part.text)).join(""));
    this.#parts = parts;
    this.#cure = cure;
  }

  /** What the message says after the argument and its value, where that is all it says. */
  get cure(): string | undefined {
    return this.#cure;
  }

  /** Whether the message names an argument, or what it is called there. */
  names(what: string): boolean {
    return this.#parts.some((part) => typeof part !== "string" && (part.argument === what || part.text === what));
  }

  /** The same about arguments that are called otherwise. @param names undefined for one that keeps its name */
  renamed(names: (argument: string) => string | undefined): UsageError {
    const rename = ({ argument, text }: Argument) => arg(argument, names(argument) ?? text);
    const parts = this.#parts.map((part) => (typeof part === "string" ? part : rename(part)));
    return new UsageError(parts, this.#cure);
  }
}

/** There is no such stack, run or table. */
export class MissingError extends UsageError {
  override readonly exit = Exit.missing;
}

/** Nobody is logged in, or the credentials are refused. */
export class LoginError extends UsageError {
  override readonly exit = Exit.login;
}

/** It is well said, and not allowed. */
export class RefusedError extends UsageError {
  override readonly exit = Exit.refused;
}

/** Ctrl-C was pressed: what became of it. */
export class InterruptedError extends UsageError {
  override readonly exit = Exit.interrupted;
}

/** An error about arguments: throw refusal`${arg("workers.upTo")} is ${upTo}: leave it out`. */
export const refusal = (texts: TemplateStringsArray, ...values: readonly (Argument | string | number)[]): UsageError =>
  new UsageError(
    texts.flatMap((text, i) => {
      const value = values[i] ?? "";
      return [text, typeof value === "number" ? String(value) : value];
    }),
  );

/** An error about the value of one argument: `disk is "1 GB": expected more`. */
export const invalid = (argument: string | Argument, value: unknown, cure: string): UsageError =>
  new UsageError([typeof argument === "string" ? arg(argument) : argument, ` is ${quote(value)}: `, cure], cure);

/** What can't be told now, and may be later: a service that is asked too often, a network that is gone. */
export class TransientError extends Error {
  override readonly name = "TransientError";
  /** What a command ends with. */
  readonly exit = Exit.failed;
}

/** `text` as it stands in an error message: quoted, so that an empty or blank value is seen too. */
export const quote = (value: unknown): string => JSON.stringify(value) ?? String(value);
