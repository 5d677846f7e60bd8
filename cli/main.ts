#!/usr/bin/env node
/** `oneoff`: what one does with a stack beside `pulumi up` and `pulumi destroy`. */
import { Command } from "commander";
import { TransientError, UsageError } from "../core/errors.ts";
import * as commands from "./commands/index.ts";
import { platforms } from "./registry.ts";

const program = new Command("oneoff")
  .description("Throwaway Spark and ML infrastructure: what there is beside `pulumi up` and `pulumi destroy`")
  .showHelpAfterError()
  .version("0.1.0");
for (const [name, { isHidden = false, describe }] of Object.entries(commands)) {
  const command = new Command(name).copyInheritedSettings(program);
  describe(command);
  program.addCommand(command, { hidden: isHidden });
}

try {
  await program.parseAsync();
} catch (error) {
  const told = explain(error);
  if (told === undefined) throw error;
  process.stderr.write(`oneoff: ${told}\n`);
  process.exitCode = 1;
}

/** What is told in one line. */
function explain(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof UsageError || error instanceof TransientError) return error.message;
  return platforms.map((platform) => platform.explain?.(error)).find((told) => told !== undefined);
}
