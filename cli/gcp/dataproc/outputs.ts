import { z } from "zod";
import { billOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: z.string(),
  lake: z.string(),
  /** Name of the Cloud Run job. */
  orchestrator: z.string(),
  mode: z.string().default("workflow"),
  /** Name of the cluster, in mode `cluster`. */
  clusterName: z.string().optional(),
  dataset: z.string().optional(),
  dashboard: z.string().optional(),
  dashboardInstance: z.string().optional(),
  dashboardZone: z.string().optional(),
  dashboardDeadline: z.string().optional(),
  bill: billOutput(),
});
export type DataprocOutputs = z.output<typeof outputs>;
