import { resolve } from "node:path";
import { z } from "zod";
import { invalid } from "../../../core/errors.ts";
import { checkArgs, count, decimal, texts } from "../../../core/settings.ts";

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

export interface ProduceArgs {
  /** Topics and features, as the job has them. @default "train" */
  readonly trainTopic?: string;
  /** @default "test" */
  readonly testTopic?: string;
  /** @default 2 */
  readonly features?: number;
  /** Records a second. @default 100 */
  readonly rate?: number;
  /** Times as many, in one of ten seconds. @default 1 */
  readonly burst?: number;
  /** Part of the records that go to the topic of what is predicted alone. @default 0.2 */
  readonly testShare?: number;
  /** How far each weight of the truth wanders in a minute, as a standard deviation. @default 0 */
  readonly drift?: number;
  /** Standard deviation of y about its truth. @default 0.1 */
  readonly noise?: number;
  /** Part of the records that are none. @default 0 */
  readonly malformed?: number;
  /** Equal seeds make equal records. @default 1 */
  readonly seed?: number;
  /** A CSV with a header, whose rows are sent instead of what is made up; goes with `columns` and `target`. @default none */
  readonly csv?: string;
  /** Of the CSV: columns that are x. */
  readonly columns?: readonly string[];
  /** Of the CSV: the column that is y. */
  readonly target?: string;
}

/**
 * Options of what sends records to Kafka, but for the broker: what a pipeline's `producer` takes.
 *
 * @throws UsageError when an argument is out of its range, or a CSV is given without its columns.
 */
export function produceOptions(args: ProduceArgs = {}): readonly string[] {
  const { trainTopic = "train", testTopic = "test", features = 2, ...own } = args;
  const { csv, columns, target, ...made } = checkArgs("produceOptions", produceSettings, own);
  if ((csv === undefined) !== (columns === undefined) || (csv === undefined) !== (target === undefined)) {
    throw invalid("csv", csv ?? "", "give csv, columns and target together, or none of them");
  }
  const numbers = { ...made, features };
  return [
    ...["--train-topic", trainTopic, "--test-topic", testTopic],
    ...Object.entries(numbers).flatMap(([name, value]) => [
      `--${name === "testShare" ? "test-share" : name}`,
      String(value),
    ]),
    ...(csv === undefined ? [] : ["--csv", csv, "--columns", (columns ?? []).join(","), "--target", target ?? ""]),
  ];
}
