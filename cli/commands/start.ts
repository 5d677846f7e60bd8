import { DEFAULT_STACK, fail } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { ensureStack } from "../pulumi.ts";
import { up, watchRun } from "../up.ts";

/** `npm start`: the stack of this machine, made where there is none. */
export const start: OneoffCommand = {
  isHidden: true,
  describe: (command) =>
    command.description("npm start: bring up the stack of this machine and watch its run").action(async () => {
      await ensureStack(DEFAULT_STACK);
      fail(!(await up(DEFAULT_STACK)) || !(await watchRun(DEFAULT_STACK)));
      console.log('What is there stays until "npm run destroy".');
    }),
};
