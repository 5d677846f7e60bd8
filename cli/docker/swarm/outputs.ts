import { z } from "zod";
import { optionalText, runOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: runOutput(),
  /** Name of the job's service. */
  service: z.string(),
  lake: z.string(),
  // Addresses of pages, on the machine of the daemon.
  dashboard: optionalText(),
  spark: optionalText(),
  history: optionalText(),
  hdfs: optionalText(),
  notebook: optionalText(),
  mongo: optionalText(),
});
export type SwarmOutputs = z.output<typeof outputs>;
