import { UsageError } from "../../core/errors.ts";
import { DEFAULT_STACK } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { stackFiles } from "../config.ts";
import { destroyAll } from "../destroy.ts";
import { programOf } from "../program.ts";
import { ensureStack } from "../pulumi.ts";

/** `npm run destroy`. */
export const destroy: OneoffCommand = {
  describe: (command) =>
    command.argument("[stack]", "the stack", DEFAULT_STACK).action(async (stack: string) => {
      const files = stackFiles(stack);
      if (files.bundled && (await programOf(files)).rents)
        throw new UsageError(
          `stack ${stack} rents machines: "npx --no oneoff down ${stack}" ends it, and looks for what is left`,
        );
      if (files.bundled) await ensureStack(stack); // one of the user's own that isn't there may be a slip of the pen
      process.exitCode = await destroyAll(stack);
    }),
};
