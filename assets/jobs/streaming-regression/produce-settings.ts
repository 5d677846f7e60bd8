import { resolve } from "node:path";
import { z } from "zod";
import { count, decimal, texts } from "../../../core/settings.ts";

/** What is sent to Kafka, in the words of `produce.py`. */
export const produceSettings = z.object({
  rate: decimal(0.01, 1_000_000).default(100).describe("Records a second that are sent"),
  burst: decimal(1, 1000).default(1).describe("Times as many, in one of ten seconds"),
  testShare: decimal(0, 1).default(0.2).describe("Part of the records that go to the topic of what is predicted alone"),
  drift: decimal(0, 1e9).default(0).describe("How far each weight of the truth wanders in a minute"),
  noise: decimal(0, 1e9).default(0.1).describe("Standard deviation of y about its truth"),
  malformed: decimal(0, 1).default(0).describe("Part of the records that are none"),
  seed: count().default(1).describe("Equal seeds make equal records"),
  csv: z
    .string()
    .regex(/\.csv$/i, "expected a CSV file")
    .transform((path) => resolve(path))
    .optional()
    .describe("A CSV with a header, whose rows are sent instead of what is made up"),
  columns: texts().optional().describe("Of the CSV: columns that are x, separated by commas"),
  target: z.string().optional().describe("Of the CSV: the column that is y"),
});
