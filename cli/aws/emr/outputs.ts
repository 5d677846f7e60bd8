import { z } from "zod";
import { billOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: z.string(),
  lake: z.string(),
  clusterId: z.string().optional(),
  keepAlive: z.boolean().optional(),
  dashboardInstance: z.string().optional(),
  dashboardDeadline: z.string().optional(),
  bill: billOutput(),
});
export type EmrOutputs = z.output<typeof outputs>;
