import { existsSync } from "node:fs";
import { Option } from "commander";
import { RefusedError } from "../../core/errors.ts";
import { answerJson } from "../answer.ts";
import { jsonOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { ask } from "../ask.ts";
import type { OneoffCommand } from "../command.ts";
import { settingsFile } from "../config.ts";
import { costOf } from "../cost.ts";
import { describeStack, meantStack } from "../meant-stack.ts";
import { programFiles } from "../program.ts";
import { ensureStack, pulumi } from "../pulumi.ts";
import { attach } from "../registry.ts";
import { stackUp } from "../stack.ts";
import { up as runPulumi, watchRun } from "../up.ts";

interface Options extends StackOptions {
  readonly yes: boolean;
  readonly detach: boolean;
  readonly dryRun: boolean;
  readonly json: boolean;
}

export const up: OneoffCommand = {
  describe: (command, flags) =>
    withExamples(
      takesStack(command)
        .option("-y, --yes", "don't ask", false)
        .option("-d, --detach", "leave as soon as the run was begun", false)
        .addOption(new Option("--dry-run", "say what it costs and would make: `pulumi preview`").default(false))
        .addOption(jsonOption().default(false))
        .action((word, options) => bringUp(word, flags, options)),
      {
        "oneoff up": "the stack that is selected",
        "oneoff up emr-oneoff --yes -d": "without a question, and without waiting",
        "oneoff up emr-oneoff -- --diff": "with an option of pulumi's",
      },
      {
        1: "the run failed",
        4: "Pulumi failed (its own codes are passed on)",
        5: "it may cost more than oneoff:maxCost",
        8: "it was not agreed to, or the run was cancelled",
      },
    ),
};

async function bringUp(word: string | undefined, flags: readonly string[], options: Options): Promise<void> {
  const meant = await meantStack(word, options);
  const { name } = meant;
  const files = programFiles(name);
  const { short, ceiling, refusal } = await costOf(files);
  if (refusal !== undefined) {
    throw new RefusedError(
      `refused: ${refusal}; "npx --no oneoff cost ${name} --set KEY=VALUE" says what would be cheaper`,
    );
  }
  const out = options.json ? process.stderr : process.stdout; // the answer alone is on standard output
  console.error(`To bring up ${describeStack(meant)}. ${short}`);
  if (files.bundled || existsSync(settingsFile(name))) await ensureStack(name, ["--no-select"]);
  if (options.dryRun) {
    process.exitCode = await pulumi(name, ["preview", ...flags], out);
    return;
  }
  if (ceiling > 0 && !options.yes) await ask("Bring it up?", "it rents machines");
  process.exitCode = await runPulumi(name, flags, out);
  if (process.exitCode !== 0) return;
  const { run } = await attach(await stackUp(name));
  if (options.json) answerJson("up/1", { stack: name, run });
  if (!options.detach && !options.json) {
    process.exitCode = await watchRun(name);
    return;
  }
  console.error(
    `Run ${run} goes on. Next: "npx --no oneoff watch ${name}" follows it, "npx --no oneoff cancel ${name}" ends it.`,
  );
}
