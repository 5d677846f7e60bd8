import { DEFAULT_STACK } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { stackFiles } from "../config.ts";
import { destroyAll } from "../destroy.ts";
import { ensureStack } from "../pulumi.ts";

/** `npm run destroy`. */
export const destroy: OneoffCommand = {
  describe: (command) =>
    command.argument("[stack]", "the stack", DEFAULT_STACK).action(async (stack: string) => {
      if (stackFiles(stack).bundled) await ensureStack(stack); // one of the user's own that isn't there may be a slip of the pen
      process.exitCode = await destroyAll(stack);
    }),
};
