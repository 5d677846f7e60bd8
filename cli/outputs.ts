import { z } from "zod";
import type { BillLine } from "../core/bill.ts";

/** A stack's bill, as its components make it. What is none is left out: it is only shown. */
export const billOutput = () =>
  z
    .custom<readonly BillLine[]>((value) => Array.isArray(value))
    .optional()
    .catch(undefined);

/** The address of a page that a stack may have. */
export const pageOutput = () => z.url("expected the address of a page").optional();
