import { createInterface } from "node:readline/promises";
import { Exit, UsageError } from "../core/errors.ts";

/** Somebody said no. */
export class DeclinedError extends UsageError {
  override readonly exit = Exit.cancelled;
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
  const answer = await new Promise<string>((resolve) => {
    terminal.once("close", () => resolve("")); // Ctrl-D
    terminal.question(`${question} (y/N) `).then(resolve, () => resolve(""));
  });
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new DeclinedError("nothing was done");
}
