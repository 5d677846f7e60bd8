import { z } from "zod";
import { billOutput, optionalText, runOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: runOutput(),
  lake: z.string(),
  /** Name of the Cloud Run job. */
  orchestrator: z.string(),
  mode: z.string().default("workflow"),
  /** Name of the cluster, in mode `cluster`. */
  clusterName: optionalText(),
  dataset: optionalText(),
  dashboard: optionalText(),
  dashboardInstance: optionalText(),
  dashboardZone: optionalText(),
  dashboardDeadline: optionalText(),
  bill: billOutput(),
});
export type DataprocOutputs = z.output<typeof outputs>;
