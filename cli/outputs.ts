import { z } from "zod";
import type { BillLine } from "../core/bill.ts";
import { quote, UsageError } from "../core/errors.ts";

/** The id of a run: a program of the user's own may say it as a number. */
export const runOutput = () => z.union([z.string(), z.number()]).transform(String);

/** A text that a stack may have. What is none is left out: who needs it says so. */
export const optionalText = () => z.string().optional().catch(undefined);

/** A stack's bill, as its components make it. What is none is left out: it is only shown. */
export const billOutput = () =>
  z
    .custom<readonly BillLine[]>((value) => Array.isArray(value))
    .optional()
    .catch(undefined);

/** @throws UsageError when an output is no address of a page, as what Pulumi shows in place of a secret. */
export function checkPageUrl(stack: string, output: string, url: string): string {
  if (/^https?:$/.test(URL.parse(url)?.protocol ?? "")) return url;
  throw new UsageError(
    `output "${output}" of stack ${stack} is ${quote(url)}: expected the address of a page, which is no secret: have its program return that`,
  );
}
