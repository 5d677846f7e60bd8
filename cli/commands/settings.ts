import { describeSettings } from "../../core/settings.ts";
import { stackArgument } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { programFiles, programOf } from "../program.ts";
import { settingsTable } from "../table.ts";

export const settings: OneoffCommand = {
  describe: (command) =>
    command
      .description("list the settings of a stack and their defaults")
      .addArgument(stackArgument())
      .option("--job <name>", "the job whose settings to list with them")
      .action(async (stack: string, { job }: { readonly job?: string }) => {
        const given: Record<string, string> = job === undefined ? {} : { "oneoff:job": job };
        console.log(settingsTable(describeSettings((await programOf(programFiles(stack))).settings(given))));
      }),
};
