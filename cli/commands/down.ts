import { Exit, TransientError, UsageError } from "../../core/errors.ts";
import { type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { ask } from "../ask.ts";
import type { OneoffCommand } from "../command.ts";
import { stackFiles } from "../config.ts";
import { destroyAll } from "../destroy.ts";
import { describeStack, meantStack } from "../meant-stack.ts";
import type { Outputs } from "../platform.ts";
import { NotUpError, outputsOf, pulumi } from "../pulumi.ts";
import { refreshFlags } from "../registry.ts";
import { findLeftovers } from "./leftovers.ts";

interface Options extends StackOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export const down: OneoffCommand = {
  describe: (command, flags) =>
    withExamples(
      takesStack(command)
        .option("-y, --yes", "don't ask")
        .option("--dry-run", "say what would end: `pulumi destroy --preview-only`")
        .action((word, options) => takeDown(word, flags, options)),
      { "oneoff down": "the stack that is selected", "oneoff down emr-oneoff --yes": "without a question" },
      { 1: "something is left", 4: "Pulumi failed (its own codes are passed on)", 8: "it was not agreed to" },
    ),
};

/** One that is there may have nothing that is up; one that isn't there is told of before anybody is asked. */
function ifNotUp(error: unknown): Outputs {
  if (error instanceof NotUpError) return {};
  throw error;
}

async function takeDown(word: string | undefined, flags: readonly string[], options: Options): Promise<void> {
  const meant = await meantStack(word, options);
  const { name } = meant;
  const { bundled, config } = stackFiles(name);
  const outputs = await outputsOf(name).catch(ifNotUp);
  const { lake } = outputs;
  const all = [...refreshFlags(outputs), ...flags];
  const results =
    config["oneoff:removal"] === "retain" || !lake ? "" : `, with the results in ${lake} that it doesn't retain`;
  if (options.dryRun) {
    console.error(`That would end ${describeStack(meant)} and all it has${results}.`);
    process.exitCode = await pulumi(name, ["destroy", "--preview-only", ...all]);
    return;
  }
  if (!options.yes)
    await ask(`End ${describeStack(meant)} and all it has${results}?`, "it ends all that the stack has");
  const code = await destroyAll(name, all);
  process.exitCode = code;
  if (code !== 0) return;
  try {
    if (!(await findLeftovers(name, { delete: false, yes: false, lake: [] }))) process.exitCode = Exit.no;
  } catch (error) {
    if (bundled || !(error instanceof UsageError || error instanceof TransientError)) throw error;
    console.error(`What is left was not looked for: ${error.message}`); // of a program that says nothing of where it is
    process.exitCode = Exit.no;
  }
}
