import { quote, UsageError } from "../errors.ts";

/** Placeholders that every step may use, so that no table can be called so. */
export const RESERVED: readonly string[] = ["run", "lake", "scratch"];
export const WORDS = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** @throws UsageError when two things have one name. */
export function unique(where: string, kind: string, things: readonly { readonly name: string }[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { name } of things) {
    need(!names.has(name), `${where}: two ${kind}s are called ${quote(name)}; names must differ`);
    names.add(name);
  }
  return names;
}

export function need(condition: boolean, message: string): asserts condition {
  if (!condition) throw new UsageError(message);
}
