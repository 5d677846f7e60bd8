import { z } from "zod";
import { optionalText, runOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({ run: runOutput(), lake: z.string(), kafka: z.string(), dashboard: optionalText() });
export type PipelineOutputs = z.output<typeof outputs>;
