import { arg, quote, UsageError } from "../../../core/errors.ts";
import { type Job, job } from "../../../core/job.ts";
import { checkArgs, flag } from "../../../core/settings.ts";
import type { SparkStepArgs } from "../../../core/step.ts";
import { tried } from "../../../core/tried.ts";
import { isGranted } from "../input.ts";
import { panels } from "./panels.ts";
import { londonPowerSettings } from "./settings.ts";
import { tables } from "./tables.ts";

export interface LondonPowerArgs {
  /**
   * Half-hourly readings as Low Carbon London published them, with Acorn or, as today, without: a CSV file, or a folder with
   * CSV files in it or below, by an absolute path or an address that begins with `s3://`, `gs://` or `webhdfs://`. An archive
   * is to be unpacked first. A path and an address in S3 are among the job's
   * `reads`, so clusters mount and grant them. A bucket of Google's that is neither public nor of the cluster's project is to
   * be named in `DataprocCluster`'s `reads`.
   * @default readings are made up, with the quirks of the published ones
   */
  readonly input?: string;
  /**
   * The households' Acorn groups, for an `input` that was published without: a CSV file with the columns `LCLid`, `Acorn` and
   * `Acorn_grouped`, such as `informations_households.csv`. It is where `input` is, by a path or an address that begins as that
   * does, and may lie among the readings; a path and an address in S3 are among the job's `reads`.
   * @default of readings without Acorn it is "unknown"
   */
  readonly acorn?: string;
  /** Households to make up. Unused with `input`, as are `days` and `start`. @default 100 */
  readonly households?: number;
  /** Days to make up. @default 60 */
  readonly days?: number;
  /** First day to make up. @default "2012-10-01", so that the clocks go back within the 60 days */
  readonly start?: string;
  /** Seed of what is made up and of the models: the same seed gives the same results on any cluster. @default 1 */
  readonly seed?: number;
  /**
   * Readings and results go into MongoDB too. The cluster must be given a secret `mongo-uri`: a connection string with
   * a database, whose user may read and write there.
   * @default false
   */
  readonly mongo?: boolean;
}

const args = londonPowerSettings.extend({ mongo: flag().default(false) });

/**
 * What London's households used in each half hour: the published CSV (or a made-up twin of it) as Parquet, consumption
 * by month, Acorn group, tariff and time of day, and models that predict it for households they have not seen.
 *
 * @throws UsageError when a number is not whole and above zero, `start` is not a day, `input` or `acorn` is not an address, or
 * `acorn` is not of `input`'s kind.
 */
export function londonPower(given: LondonPowerArgs = {}): Job {
  const { input, acorn, households, days, start, seed, mongo } = checkArgs("londonPower", args, given);
  if (acorn) checkAcorn(acorn, input);
  const csv = "{scratch}/csv";
  const generate = step("generate", {
    arguments: [
      ...["--csv", csv, "--households", String(households), "--days", String(days)],
      ...["--start", start, "--seed", String(seed)],
    ],
  });
  const convert = step("convert", {
    arguments: [
      ...["--from", "csv", "--to", "parquet", "--input", input ?? csv, ...(acorn ? ["--acorn", acorn] : [])],
      ...["--readings", "{readings}", "--rejected", "{rejected}"],
    ],
    timeLimit: "3 hours",
  });
  const load = step("load", {
    script: "convert.py",
    arguments: ["--from", "parquet", "--to", "mongo", "--input", "{readings}", "--run", "{run}", ...MONGO.arguments],
    secrets: MONGO.secrets,
    timeLimit: "6 hours",
  });
  const results = ["summary", "monthly", "tariffs", "load_curve", "days"];
  const analyze = step("analyze", {
    arguments: [
      ...["--readings", "{readings}"],
      ...results.flatMap((table) => [`--${table.replace("_", "-")}`, `{${table}}`]),
      ...(mongo ? MONGO.arguments : []),
    ],
    ...(mongo && { secrets: MONGO.secrets }),
  });
  const model = step("model", {
    arguments: [
      ...["--readings", "{readings}", "--models", "{models}", "--seed", String(seed)],
      ...(mongo ? MONGO.arguments : []),
    ],
    ...(mongo && { secrets: MONGO.secrets }),
  });
  const made = job({
    name: "london-power",
    from: import.meta.url,
    steps: [...(input ? [] : [generate]), convert, ...(mongo ? [load] : []), analyze, model],
    tables,
    panels,
    reads: [input, acorn].filter((address) => address !== undefined).filter(isGranted),
  });
  return tried(made);
}

/** It is read by whoever reads the readings, in the same way. */
function checkAcorn(acorn: string, input: string | undefined): void {
  const is = [arg("acorn"), ` is ${quote(acorn)}: `];
  if (input === undefined) {
    const cure = "as readings that are made up have Acorn; set that too, or leave it out";
    throw new UsageError([...is, "it goes with ", arg("input"), `, ${cure}`]);
  }
  if (kindOf(acorn) !== kindOf(input)) {
    const wanted = kindOf(input) ? `an address that begins with ${kindOf(input)}` : "an absolute path";
    throw new UsageError([...is, `expected ${wanted}, as `, arg("input"), ` is ${quote(input)}: put it there`]);
  }
}

/** How an address begins; "" for a path. */
const kindOf = (address: string): string => /^\w+:\/\//.exec(address)?.[0] ?? "";

const MONGO = { arguments: ["--mongo-uri", "{secret:mongo-uri}"], secrets: ["mongo-uri"] };

/** A step whose script has its name, with what all of them import. */
const step = (name: string, own: Omit<SparkStepArgs, "name">): SparkStepArgs => ({
  name,
  script: `${name}.py`,
  pyFiles: ["lcl.py", "london_input.py", "london_load.py", "london_mongo.py", "london_readings.py"],
  requirements: "requirements.txt",
  ...own,
});
