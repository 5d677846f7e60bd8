import { z } from "zod";
import { pageOutput } from "../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({ run: z.string(), lake: z.string(), dashboard: pageOutput() });
export type LocalOutputs = z.output<typeof outputs>;
