import { createInterface } from "node:readline/promises";
import { Exit, UsageError } from "../core/errors.ts";
import { printableOn } from "./printable.ts";

/** Somebody said no, or pressed Ctrl-C. */
export class DeclinedError extends UsageError {
  override readonly exit: Exit;

  constructor(exit: Exit) {
    super("nothing was done");
    this.exit = exit;
  }
}

/**
 * Asks on standard error, with no as the default.
 *
 * @param question without its "(y/N)".
 * @param what is asked about, for whoever can't be: "it rents machines".
 * @throws DeclinedError when the answer is no, and UsageError where nobody can answer.
 */
export async function ask(question: string, what: string): Promise<void> {
  const { answer, exit } = await answerTo(`${question} (y/N) `, `${what}, and nobody can be asked here: say --yes`);
  if (!/^y(es)?$/i.test(answer)) throw new DeclinedError(exit);
}

/**
 * The same, for what is not to be agreed to by habit: the answer is a stack's name.
 * @param what is asked about, and the option that says it elsewhere.
 */
export async function askForName(stack: string, what: string): Promise<void> {
  const nobody = `${what}: nobody can be asked here, so say --confirm ${stack}`;
  const { answer, exit } = await answerTo("Type the stack's name to go on: ", nobody);
  if (answer !== stack) throw new DeclinedError(exit);
}

/** @throws UsageError with `nobody` where nobody can answer. */
async function answerTo(question: string, nobody: string): Promise<{ readonly answer: string; readonly exit: Exit }> {
  if (!process.stdin.isTTY) throw new UsageError(nobody);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  let exit: Exit = Exit.cancelled;
  const answer = await new Promise<string>((resolve) => {
    const leave = () => resolve("\n"); // what is said next begins a line
    terminal.once("SIGINT", () => {
      exit = Exit.interrupted;
      leave();
    });
    terminal.once("close", leave); // Ctrl-D
    terminal.question(printableOn(process.stderr, question)).then(resolve, leave);
  });
  terminal.close();
  if (answer === "\n") process.stderr.write(answer);
  return { answer: answer.trim(), exit };
}
