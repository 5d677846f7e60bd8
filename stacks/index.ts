import { existsSync, readdirSync } from "node:fs";
import type { StackProgram } from "../components/common/stack.ts";
import { MissingError, quote } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";

const here = new URL(".", import.meta.url);

// Once published all of them are JavaScript.
const ending = import.meta.url.endsWith(".js") ? "js" : "ts";

/** A program is a module beside this one, or a folder with an index. */
const moduleOf = (name: string): URL | undefined =>
  [`${name}.${ending}`, `${name}/index.${ending}`].map((file) => new URL(file, here)).find((url) => existsSync(url));

/** Names of the programs. */
export const programs = (): readonly string[] =>
  readdirSync(here)
    .map((file) => file.replace(/\.[jt]s$/, ""))
    .filter((name) => /^[a-z0-9-]+$/.test(name) && name !== "index" && moduleOf(name))
    .sort();

/** @throws UsageError when there is no such program. */
export async function loadProgram(name: string): Promise<StackProgram> {
  const module = programs().includes(name) ? moduleOf(name) : undefined;
  if (!module) {
    const meant = nearest(name, programs());
    throw new MissingError(
      `there is no program ${quote(name)} in stacks/${meant ? `; did you mean ${quote(meant)}? T` : "; t"}here are ${programs().join(", ")}: name the stack after one, or tell it which: pulumi config set oneoff:program NAME`,
    );
  }
  return (await import(module.href)).default;
}
