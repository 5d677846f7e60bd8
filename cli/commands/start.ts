import { DEFAULT_STACK, portNumber } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { ensureStack, pulumiOutput } from "../pulumi.ts";
import { attachUp, up, watchRun } from "../up.ts";

/** `npm start`: the stack of this machine, made where there is none. */
export const start: OneoffCommand = {
  describe: (command) =>
    command.option("--port <port>", "the port of the dashboard, from now on", portNumber).action(async ({ port }) => {
      await ensureStack(DEFAULT_STACK);
      if (port !== undefined) await pulumiOutput(DEFAULT_STACK, ["config", "set", "oneoff:port", String(port)]);
      process.exitCode = await up(DEFAULT_STACK);
      if (process.exitCode !== 0) return;
      process.exitCode = await watchRun(DEFAULT_STACK, await attachUp(DEFAULT_STACK));
      console.log('What is there stays until "npm run destroy".');
    }),
};
