import { DEFAULT_STACK, fail } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { programFiles } from "../program.ts";

export const check: OneoffCommand = {
  describe: (command) =>
    command
      .description("look at the panels of a stack's job, without starting anything")
      .option("-s, --stack <name>", "the stack", DEFAULT_STACK)
      .action(async ({ stack }: { readonly stack: string }) => {
        const [{ shownJobs }, { look }] = await Promise.all([import("../shown.ts"), import("../looked.ts")]);
        const jobs = await shownJobs(programFiles(stack));
        const looked = await Promise.all(jobs.map(look));
        if (jobs.length === 0) console.log(`Stack ${stack} shows no job: there is nothing to look at.`);
        for (const { lines } of looked) for (const line of lines) console.log(line);
        fail(looked.some(({ refused }) => refused));
      }),
};
