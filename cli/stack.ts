import { UsageError } from "../core/errors.ts";
import { type StackFiles, stackFiles } from "./config.ts";
import type { Outputs, StackContext } from "./platform.ts";
import { outputsOf } from "./pulumi.ts";
import { platforms } from "./registry.ts";

/**
 * A stack that is up.
 * @throws UsageError when it isn't.
 */
export async function stackUp(name: string): Promise<StackContext> {
  return stackContext(name, stackFiles(name), await outputsOf(name));
}

/** A stack as its settings have it, up or not. */
export const stackContext = (name: string, files: StackFiles, outputs: Outputs = {}): StackContext => {
  const stack: StackContext = {
    name,
    files,
    outputs,
    secrets: () => outputsOf(name, { secrets: true }),
    async openLake(address) {
      const lakes = platforms.map((platform) => platform.lakes).filter((lakes) => lakes !== undefined);
      const keeper = lakes.find(({ scheme }) => address.startsWith(scheme));
      if (keeper) return keeper.open(stack, address);
      const known = new Intl.ListFormat("en-GB", { type: "disjunction" }).format(lakes.map(({ title }) => title));
      throw new UsageError(`the lake of stack ${name} is ${address}: expected ${known}`);
    },
  };
  return stack;
};
