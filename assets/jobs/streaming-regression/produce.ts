import { closeSync, openSync, readSync } from "node:fs";
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
 * @throws UsageError when an argument is out of its range, or a CSV is given without its columns, or with others than `features` many.
 */
export function produceOptions(args: ProduceArgs = {}): readonly string[] {
  const { trainTopic = "train", testTopic = "test", features = 2, ...own } = args;
  const { csv, columns, target, ...made } = checkArgs("produceOptions", produceSettings, own);
  if ((csv === undefined) !== (columns === undefined) || (csv === undefined) !== (target === undefined)) {
    throw invalid("csv", csv ?? "", "give csv, columns and target together, or none of them");
  }
  if (columns && columns.length !== Number(features)) {
    throw invalid("columns", columns.join(","), `expected ${features} of them, as features is ${features}`);
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

/** Bytes that a header has at most. */
const HEADER_BYTES = 65_536;

/**
 * Looks whether the CSV is on this machine and has its columns, for a producer that runs here.
 *
 * @throws UsageError when it hasn't.
 */
export function checkCsv({ csv, columns = [], target = "" }: ProduceArgs): void {
  if (csv === undefined) return;
  const header = headerOf(csv);
  if (header === undefined) throw invalid("csv", csv, "there is no such file");
  const there = header.split(",").map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
  for (const [argument, names] of [["columns", columns] as const, ["target", [target]] as const]) {
    const missing = names.find((name) => !there.includes(name));
    if (missing === undefined) continue;
    throw invalid(argument, names.join(","), `${csv} has no column ${missing}; there are ${there.join(", ")}`);
  }
}

function headerOf(csv: string): string | undefined {
  try {
    const file = openSync(csv, "r");
    try {
      const bytes = Buffer.alloc(HEADER_BYTES);
      const text = bytes.toString("utf8", 0, readSync(file, bytes));
      return text.replace(/^\ufeff/, "").split(/\r?\n/)[0] ?? "";
    } finally {
      closeSync(file);
    }
  } catch {
    return undefined;
  }
}
