import { type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { BRING_UP_EXITS, type BringUpOptions, bringUp, takesBringUpOptions } from "../bring-up.ts";
import type { OneoffCommand } from "../command.ts";
import { meantStack } from "../meant-stack.ts";

export const up: OneoffCommand = {
  describe: (command, flags) =>
    withExamples(
      takesBringUpOptions(takesStack(command)).action(async (word, options: BringUpOptions & StackOptions) =>
        bringUp(await meantStack(word, options), { ...options, flags }),
      ),
      {
        "oneoff up": "the stack that is selected",
        "oneoff up emr-oneoff --yes -d": "without a question, and without waiting",
        "oneoff up emr-oneoff -- --diff": "with an option of pulumi's",
      },
      BRING_UP_EXITS,
    ),
};
