import { Exit, TransientError, UsageError } from "../../core/errors.ts";
import { type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { ask } from "../ask.ts";
import type { OneoffCommand } from "../command.ts";
import { stackFiles } from "../config.ts";
import { destroyAll } from "../destroy.ts";
import { Follower } from "../follow.ts";
import { describeStack, meantIfUp } from "../meant-stack.ts";
import type { StackContext } from "../platform.ts";
import { pulumi } from "../pulumi.ts";
import { attach, refreshFlags } from "../registry.ts";
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

/** The run that would be ended, in words. What can't be told keeps nobody from ending a stack. */
async function runsOn(stack: StackContext): Promise<readonly string[]> {
  try {
    const attached = await attach(stack);
    const status = await new Follower(attached).status(attached.run);
    return status?.state === "running" ? [`run ${status.run} (going on)`] : [];
  } catch {
    return [];
  }
}

/** All that a stack has, in words. @param stack undefined when it isn't up. */
async function allItHas(stack: StackContext | undefined): Promise<string> {
  if (!stack) return "all it has";
  const { lake } = stack.outputs;
  const parts = [
    ...(await runsOn(stack)),
    ...(stack.files.config["oneoff:removal"] === "retain" || !lake ? [] : [`the results in ${lake}`]),
  ];
  return `all it has${parts.length === 0 ? "" : `, with ${parts.join(" and ")}`}`;
}

async function takeDown(word: string | undefined, flags: readonly string[], options: Options): Promise<void> {
  // One that is there may have nothing that is up; one that isn't there is told of before anybody is asked.
  const { meant, stack } = await meantIfUp(word, options);
  const { name } = meant;
  const all = [...refreshFlags(stack?.outputs ?? {}), ...flags];
  if (options.dryRun) {
    console.error(`That would end ${describeStack(meant)} and ${await allItHas(stack)}.`);
    process.exitCode = await pulumi(name, ["destroy", "--preview-only", ...all]);
    return;
  }
  if (!options.yes)
    await ask(`End ${describeStack(meant)} and ${await allItHas(stack)}?`, "it ends all that the stack has");
  const code = await destroyAll(name, all);
  process.exitCode = code;
  if (code !== 0) return;
  try {
    if (!(await findLeftovers(name, { delete: false, yes: false, lake: [] }))) process.exitCode = Exit.no;
  } catch (error) {
    if (stackFiles(name).bundled || !(error instanceof UsageError || error instanceof TransientError)) throw error;
    console.error(`What is left was not looked for: ${error.message}`); // of a program that says nothing of where it is
    process.exitCode = Exit.no;
  }
}
