import { z } from "zod";
import { DeclaredTable, declaredTable } from "./declared-table.ts";
import type { Job } from "./job.ts";

/** What assets/steps/step.py is told of a job, by a file beside it: job.json. */
export const JobFile = z.strictObject({
  job: z.string(),
  /** In their order. */
  steps: z.array(z.strictObject({ name: z.string(), leaves: z.array(z.string()), endless: z.boolean() })),
  tables: z.array(DeclaredTable),
});
export type JobFile = z.infer<typeof JobFile>;

export const jobFile = ({ name, steps, tables }: Job): JobFile => ({
  job: name,
  steps: steps.map((step) => ({ name: step.name, leaves: [...step.leaves], endless: step.endless ?? false })),
  tables: tables.map(declaredTable),
});
