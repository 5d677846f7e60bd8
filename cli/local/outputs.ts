import { z } from "zod";

/** What commands read of a stack's outputs. */
export const outputs = z.object({ run: z.string(), lake: z.string(), dashboard: z.string().optional() });
export type LocalOutputs = z.output<typeof outputs>;
