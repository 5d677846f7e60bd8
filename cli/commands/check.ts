import { UsageError } from "../../core/errors.ts";
import { fail, type StackOptions, stackOption, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import type { Looked } from "../looked.ts";
import { stackNamed } from "../meant-stack.ts";
import { programFiles } from "../program.ts";

export const check: OneoffCommand = {
  describe: (command) =>
    withExamples(
      command
        .description("Look at the panels of a stack's job, or at a file of a job, without starting anything.")
        .argument("[file]", "a step's script (.py), or a module that makes a job (.ts, .js)")
        .addOption(stackOption())
        .action(async (file: string | undefined, options: StackOptions) => {
          for (const { lines, refused } of await (file === undefined ? checkStack(options) : checkOf(file, options))) {
            for (const line of lines) console.log(line);
            if (refused) fail(true);
          }
        }),
      {
        "oneoff check": "the job of the selected stack; what is missing: oneoff doctor",
        "oneoff check job/count.py": "a step's script, as far as its --help",
        "oneoff check job/index.ts": "a job: its steps, tables and panels",
      },
      { 1: "something would be refused" },
    ),
};

async function checkStack(options: StackOptions): Promise<readonly Looked[]> {
  const stack = await stackNamed(undefined, options);
  const [{ shownJobs }, { look }] = await Promise.all([import("../shown.ts"), import("../looked.ts")]);
  const jobs = await shownJobs(programFiles(stack));
  if (jobs.length === 0) console.log(`Stack ${stack} shows no job: there is nothing to look at.`);
  return Promise.all(jobs.map(look));
}

async function checkOf(file: string, { stack }: StackOptions): Promise<readonly Looked[]> {
  if (stack !== undefined)
    throw new UsageError(`--stack is ${stack}, and a file is given, which is of no stack: leave one out`);
  return (await import("../check-file.ts")).checkFile(file);
}
