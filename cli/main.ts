#!/usr/bin/env node
/** `oneoff`: everyday verbs for stacks, beside and by `pulumi`. */
import { Exit } from "../core/errors.ts";
import { carryOut } from "./command-line.ts";
import { tellError } from "./errors.ts";
import { guardTerminal } from "./printable.ts";

const words = process.argv.slice(2);

process.stdout.on("error", ({ code, message }: NodeJS.ErrnoException) => {
  if (code === "EPIPE") process.exit(Exit.ok); // whoever reads has seen enough
  process.stderr.write(`oneoff: standard output can't be written: ${message}\n`);
  process.exit(Exit.failed);
});
process.stderr.on("error", () => {}); // there is nobody to tell, and no reason to leave what was begun
guardTerminal();

try {
  await carryOut(words);
} catch (error) {
  process.exitCode = await tellError(error, words);
}
