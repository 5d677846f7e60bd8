import { checkRunId } from "../../core/run.ts";
import { fail, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { Follower } from "../follow.ts";
import { stackNamed } from "../meant-stack.ts";
import { attach } from "../registry.ts";
import { stackUp } from "../stack.ts";
import { watch as watchRun } from "../watch.ts";

export const watch: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .option("--run <runId>", "another run than the stack's")
        .option("--no-logs", "show progress without the steps' log lines")
        .action(async (word: string | undefined, { logs, run, ...options }: Options) => {
          const stack = await stackNamed(word, options);
          const attached = await attach(await stackUp(stack));
          const pages = await attached.pages();
          const width = Math.max(0, ...pages.map(({ title }) => title.length));
          for (const { title, address } of pages) console.log(`${title.padEnd(width)}  ${address}`);
          const id = checkRunId(run ?? attached.run, "--run");
          fail(!(await watchRun(new Follower(attached), id, { logs, output: process.stdout, stack })));
        }),
      {
        "oneoff watch": "the run of the selected stack",
        "oneoff watch emr-oneoff --run two --no-logs": "another run, without log lines",
      },
      { 1: "the run failed", 8: "the run was cancelled" },
    ),
};

interface Options extends StackOptions {
  readonly logs: boolean;
  readonly run?: string;
}
