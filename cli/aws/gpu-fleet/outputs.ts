import { z } from "zod";
import { billOutput, optionalText, runOutput } from "../../outputs.ts";

/** What commands read of a stack's outputs. */
export const outputs = z.object({
  run: runOutput(),
  lake: z.string(),
  /** Name of the component. */
  fleet: z.string(),
  deadline: optionalText(),
  /** What a colleague's IAM identity must be allowed, as JSON. */
  colleaguePolicy: optionalText(),
  /** Where YARN's page is, as machines of the fleet reach it; not set where Spark's own master shares out the workers. */
  yarn: optionalText(),
  /** Where flows are scored, as machines of the fleet reach it; not set without `app`. */
  app: optionalText(),
  dashboardInstance: optionalText(),
  dashboardDeadline: optionalText(),
  bill: billOutput(),
});
export type FleetOutputs = z.output<typeof outputs>;
