import { existsSync } from "node:fs";
import { MissingError } from "../../core/errors.ts";
import { localBackendEnv, ownBackend } from "../../engine/backend.ts";
import { DEFAULT_STACK } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { type StackFiles, settingsFile, stackFiles } from "../config.ts";
import { checkName } from "../meant-stack.ts";
import { programOf } from "../program.ts";
import { ensureOwnStacks, ensureStack } from "../pulumi.ts";

/** @throws MissingError for a name that may be a slip of the pen: other stacks have settings here, and it has none. */
function knownName(stack: string, { bundled, others }: StackFiles): string {
  if (bundled || others.length === 0 || existsSync(settingsFile(stack))) return stack;
  throw new MissingError(
    `stack ${stack} has no settings here, and ${others.join(", ")} have: if it is a new one, "npx pulumi stack init ${stack}" makes it`,
  );
}

export const env: OneoffCommand = {
  describe: (command) =>
    command
      .description('Print the environment of stacks that rent nothing, for: eval "$(npx --no oneoff env)"; make them.')
      .argument(
        "[stack]",
        "the stack to make where there is none; when not given, all of this package that rent nothing",
      )
      .action(async (stack: string | undefined) => {
        const files = stackFiles(stack === undefined ? DEFAULT_STACK : checkName(stack));
        if (files.bundled)
          await programOf(files); // one that there is no program for is none of ours
        else localBackendEnv(); // asked for, it is kept here
        if (stack !== undefined) await ensureStack(knownName(stack, files));
        else if (files.bundled) await ensureOwnStacks(); // which a program of the user's own is for isn't known
        const env = Object.entries(localBackendEnv());
        for (const [key, value] of env) console.log(`export ${key}='${value.replaceAll("'", "'\\''")}'`);
        if (env.length === 0) console.log(`# your own Pulumi backend is used: ${ownBackend()}`);
      }),
};
