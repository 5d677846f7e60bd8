import { Exit } from "../../core/errors.ts";
import { answerJson } from "../answer.ts";
import { collect, fail, jsonOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { costOf, withSettings } from "../cost.ts";
import { stackNamed } from "../meant-stack.ts";
import { programFiles } from "../program.ts";

interface Options extends StackOptions {
  readonly set: readonly string[];
  readonly json?: boolean;
}

export const cost: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .option("--set <key=value>", "a setting, as if it were set; may be given more than once", collect, [])
        .addOption(jsonOption())
        .action(tellCost),
      { "oneoff cost emr-oneoff": "what is set", "oneoff cost emr-oneoff --set workers=8": "as if that were set" },
      { [Exit.refused]: "it may cost more than oneoff:maxCost allows" },
    ),
};

async function tellCost(word: string | undefined, { set, json, ...options }: Options): Promise<void> {
  const stack = await stackNamed(word, options);
  const { text, bill, ceiling, refusal } = await costOf(withSettings(programFiles(stack), set));
  if (json) answerJson("cost/1", { stack, usd: ceiling, lines: bill, refused: refusal });
  else console.log(text);
  fail(refusal !== undefined, Exit.refused);
}
