import { z } from "zod";
import { optionalText, runOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs: addresses of pages among it. */
export const outputs = z.object({
  run: runOutput(),
  lake: z.string(),
  spark: optionalText(),
  yarn: optionalText(),
  hdfs: z.url(),
  history: optionalText(),
  jupyter: optionalText(),
  app: optionalText(),
  dashboard: optionalText(),
});
export type FleetOutputs = z.output<typeof outputs>;
