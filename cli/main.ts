#!/usr/bin/env node
/** `oneoff`: everyday verbs for stacks, beside and by `pulumi`. */
import { Exit } from "../core/errors.ts";
import { carryOut } from "./command-line.ts";
import { tellError } from "./errors.ts";

const words = process.argv.slice(2);

// Whoever reads has seen enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(Exit.ok);
  });
}

try {
  await carryOut(words);
} catch (error) {
  process.exitCode = await tellError(error, words);
}
