import { z } from "zod";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: z.string(),
  /** Name of the job's service. */
  service: z.string(),
  lake: z.string(),
  // Addresses of pages, on the machine of the daemon.
  dashboard: z.string().optional(),
  spark: z.string().optional(),
  history: z.string().optional(),
  hdfs: z.string().optional(),
  notebook: z.string().optional(),
  mongo: z.string().optional(),
});
export type SwarmOutputs = z.output<typeof outputs>;
