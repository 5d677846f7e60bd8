import { existsSync, readdirSync } from "node:fs";
import type { StackProgram } from "../components/common/stack.ts";
import { quote, UsageError } from "../core/errors.ts";

const here = new URL(".", import.meta.url);

/** Names of the programs: the modules beside this one. */
export const programs = (): readonly string[] =>
  readdirSync(here)
    .map((file) => /^([a-z0-9-]+)\.[jt]s$/.exec(file)?.[1])
    .filter((name) => name !== undefined && name !== "index")
    .sort() as string[];

/** @throws UsageError when there is no such program. */
export async function loadProgram(name: string): Promise<StackProgram> {
  if (!programs().includes(name)) {
    throw new UsageError(
      `there is no program ${quote(name)} in stacks/; there are ${programs().join(", ")}: name the stack after one, or tell it which: pulumi config set oneoff:program NAME`,
    );
  }
  const ending = existsSync(new URL(`${name}.ts`, here)) ? "ts" : "js";
  return (await import(new URL(`${name}.${ending}`, here).href)).default;
}
