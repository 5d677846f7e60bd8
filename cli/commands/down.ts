import { Exit, TransientError, UsageError } from "../../core/errors.ts";
import { type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { ask } from "../ask.ts";
import type { OneoffCommand } from "../command.ts";
import { stackFiles } from "../config.ts";
import { destroyAll } from "../destroy.ts";
import { Follower } from "../follow.ts";
import { describeStack, meantStack } from "../meant-stack.ts";
import type { Outputs } from "../platform.ts";
import { NotUpError, outputsOf, pulumi } from "../pulumi.ts";
import { attach, refreshFlags } from "../registry.ts";
import { stackContext } from "../stack.ts";
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

/** The run that would be ended, in words. What can't be told keeps nobody from ending a stack. */
async function runsOn(name: string, outputs: Outputs): Promise<readonly string[]> {
  try {
    const attached = await attach(stackContext(name, stackFiles(name), outputs));
    const status = await new Follower(attached).status(attached.run);
    return status?.state === "running" ? [`run ${status.run} (going on)`] : [];
  } catch {
    return [];
  }
}

async function takeDown(word: string | undefined, flags: readonly string[], options: Options): Promise<void> {
  const meant = await meantStack(word, options);
  const { name } = meant;
  const { bundled, config } = stackFiles(name);
  const outputs = await outputsOf(name).catch(ifNotUp);
  const { lake } = outputs;
  const all = [...refreshFlags(outputs), ...flags];
  const parts = [
    ...(await runsOn(name, outputs)),
    ...(config["oneoff:removal"] === "retain" || !lake ? [] : [`the results in ${lake}`]),
  ];
  const results = parts.length === 0 ? "" : `, with ${parts.join(" and ")}`;
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
