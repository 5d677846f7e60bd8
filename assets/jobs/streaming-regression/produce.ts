import { invalid } from "../../../core/errors.ts";
import { checkArgs } from "../../../core/settings.ts";
import { produceSettings } from "./produce-settings.ts";

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
