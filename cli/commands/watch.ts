import { DEFAULT_STACK, fail, stackArgument } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { Follower } from "../follow.ts";
import { attach } from "../registry.ts";
import { stackUp } from "../stack.ts";
import { watch as watchRun } from "../watch.ts";

export const watch: OneoffCommand = {
  describe: (command) =>
    command
      .description("follow the run of a stack to its end; exit with its outcome")
      .addArgument(stackArgument())
      .option("--no-logs", "show progress without the steps' log lines")
      .action(async (stack: string, { logs }: { readonly logs: boolean }) => {
        const attached = await attach(await stackUp(stack));
        const pages = await attached.pages();
        const width = Math.max(0, ...pages.map(({ title }) => title.length));
        for (const { title, address } of pages) console.log(`${title.padEnd(width)}  ${address}`);
        const options = { logs, output: process.stdout, ...(stack !== DEFAULT_STACK && { stack }) };
        fail(!(await watchRun(new Follower(attached), attached.run, options)));
      }),
};
