import { invalid, quote } from "./errors.ts";

/** What becomes of the data when the stack is destroyed. */
export const Removal = {
  /** It goes with the stack. */
  delete: "delete",
  /** It stays where it is. */
  retain: "retain",
} as const;
export type Removal = (typeof Removal)[keyof typeof Removal];

/** @throws UsageError when `removal` is neither "delete" nor "retain". */
export function checkRemoval(removal: Removal = Removal.delete): Removal {
  if (Object.hasOwn(Removal, removal)) return removal;
  throw invalid("removal", removal, `expected ${Object.keys(Removal).map(quote).join(" or ")}`);
}
