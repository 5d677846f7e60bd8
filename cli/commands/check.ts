import { fail, type StackOptions, stackOption, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { stackNamed } from "../meant-stack.ts";
import { programFiles } from "../program.ts";

export const check: OneoffCommand = {
  describe: (command) =>
    withExamples(
      command
        .description("Look at the panels of a stack's job, without starting anything.")
        .addOption(stackOption())
        .action(async (options: StackOptions) => {
          const stack = await stackNamed(undefined, options);
          const [{ shownJobs }, { look }] = await Promise.all([import("../shown.ts"), import("../looked.ts")]);
          const jobs = await shownJobs(programFiles(stack));
          const looked = await Promise.all(jobs.map(look));
          if (jobs.length === 0) console.log(`Stack ${stack} shows no job: there is nothing to look at.`);
          for (const { lines } of looked) for (const line of lines) console.log(line);
          fail(looked.some(({ refused }) => refused));
        }),
      { "oneoff check": "the selected stack", "oneoff check --stack local": "another" },
      { 1: "something would be refused" },
    ),
};
