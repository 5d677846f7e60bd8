import { z } from "zod";
import { pageOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: z.string(),
  /** Name of the job's service. */
  service: z.string(),
  lake: z.string(),
  // Addresses of pages, on the machine of the daemon.
  dashboard: pageOutput(),
  spark: pageOutput(),
  history: pageOutput(),
  hdfs: pageOutput(),
  notebook: pageOutput(),
  mongo: pageOutput(),
});
export type SwarmOutputs = z.output<typeof outputs>;
