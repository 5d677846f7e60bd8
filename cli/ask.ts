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
  if (!process.stdin.isTTY) throw new UsageError(`${what}, and nobody can be asked here: say --yes`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  let exit: Exit = Exit.cancelled;
  const answer = await new Promise<string>((resolve) => {
    const leave = () => resolve("\n"); // what is said next begins a line
    terminal.once("SIGINT", () => {
      exit = Exit.interrupted;
      leave();
    });
    terminal.once("close", leave); // Ctrl-D
    terminal.question(`${printableOn(process.stderr, question)} (y/N) `).then(resolve, leave);
  });
  terminal.close();
  if (answer === "\n") process.stderr.write(answer);
  if (!/^y(es)?$/i.test(answer.trim())) throw new DeclinedError(exit);
}
