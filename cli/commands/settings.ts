import { quote, UsageError } from "../../core/errors.ts";
import { describeSettings } from "../../core/settings.ts";
import { programs } from "../../stacks/index.ts";
import { stackArgument } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import type { StackFiles } from "../config.ts";
import { programFiles, programOf } from "../program.ts";
import { settingsTable } from "../table.ts";

/** What can be set for a program of the user's own: only its author knows the rest. */
function tellOfOwn({ stack }: StackFiles, job: string | undefined): void {
  if (job !== undefined) {
    throw new UsageError(
      `--job is ${quote(job)}, and stack ${stack} is made by a program of your own, which has the job that it makes: leave it out`,
    );
  }
  const about = "Names the run, where the program gives its cluster no runId (`npx oneoff run` sets one)";
  console.log(settingsTable([{ key: "oneoff:runId", about, default: "1" }]));
  console.log(`
Stack ${stack} is made by a program of your own: all else is an argument of its components, or what the program itself
takes by new pulumi.Config(). Outside of a project "npx oneoff settings STACK" lists those of ${programs().join(", ")}.`);
}

export const settings: OneoffCommand = {
  describe: (command) =>
    command
      .description("list the settings of a stack and their defaults")
      .addArgument(stackArgument())
      .option("--job <name>", "the job whose settings to list with them")
      .action(async (stack: string, { job }: { readonly job?: string }) => {
        const files = programFiles(stack);
        if (!files.bundled) return tellOfOwn(files, job);
        const given: Record<string, string> = job === undefined ? {} : { "oneoff:job": job };
        console.log(settingsTable(describeSettings((await programOf(files)).settings(given))));
      }),
};
