/** What the page uses of Vega, which is nine tenths of its code. */
export { changeset, defaultLocale, parse, View } from "vega";
export { expressionInterpreter } from "vega-interpreter";
export { compile } from "vega-lite";

declare module "vega" {
  /** Exported, but not in Vega's typings. */
  export function defaultLocale(): { format(specifier: string): (value: number) => string };
}
