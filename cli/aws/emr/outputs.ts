import { z } from "zod";
import { billOutput, optionalText, runOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: runOutput(),
  lake: z.string(),
  clusterId: optionalText(),
  keepAlive: z.boolean().optional().catch(undefined),
  dashboardInstance: optionalText(),
  dashboardDeadline: optionalText(),
  bill: billOutput(),
});
export type EmrOutputs = z.output<typeof outputs>;
