import { quote, UsageError } from "../../core/errors.ts";
import { describeSettings } from "../../core/settings.ts";
import { programs } from "../../stacks/index.ts";
import { answerJson } from "../answer.ts";
import { jsonOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import type { StackFiles } from "../config.ts";
import { stackNamed } from "../meant-stack.ts";
import { programFiles, programOf } from "../program.ts";
import { settingsTable } from "../table.ts";

/** What can be set for a program of the user's own: only its author knows the rest. */
function tellOfOwn({ stack }: StackFiles, job: string | undefined): void {
  if (job !== undefined) {
    throw new UsageError(
      `--job is ${quote(job)}, and stack ${stack} is made by a program of your own, which has the job that it makes: leave it out`,
    );
  }
  const about = "Names the run, where the program gives its cluster no runId (`npx --no oneoff run` sets one)";
  console.log(settingsTable([{ key: "oneoff:runId", about, default: "1" }]));
  console.log(`
Stack ${stack} is made by a program of your own: all else is an argument of its components, or what the program itself
takes by new pulumi.Config(). Outside of a project "npx --no oneoff settings STACK" lists those of ${programs().join(", ")}.`);
}

interface Options extends StackOptions {
  readonly job?: string;
  readonly json?: boolean;
}

export const settings: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .option("--job <name>", "the job whose settings to list with them")
        .addOption(jsonOption())
        .action(async (word: string | undefined, { job, json, ...options }: Options) => {
          const files = programFiles(await stackNamed(word, options));
          if (!files.bundled) return tellOfOwn(files, job);
          const given = job === undefined ? files.config : { ...files.config, "oneoff:job": job };
          const settings = describeSettings((await programOf(files)).settings(given));
          const rows = settings.map((setting) => ({ ...setting, value: files.config[setting.key] }));
          if (json)
            answerJson("settings/1", { stack: files.stack, settings: rows.map((row) => ({ default: null, ...row })) });
          else console.log(settingsTable(settings));
        }),
      {
        "oneoff settings emr-oneoff": "with those of its job",
        "oneoff settings emr-oneoff --job london-power": "with those of another job",
      },
    ),
};
