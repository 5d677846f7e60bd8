import { invalid, quote, UsageError } from "./errors.ts";
import type { Job } from "./job.ts";
import { mebibytes, type Size } from "./size.ts";

/** @throws UsageError for what is no whole number above zero. */
export function wholeNumber(argument: string, value: number, most = Number.POSITIVE_INFINITY): number {
  if (Number.isInteger(value) && value > 0 && value <= most) return value;
  throw invalid(
    argument,
    value,
    most === Number.POSITIVE_INFINITY
      ? "expected a whole number above zero"
      : `expected a whole number from 1 to ${most}`,
  );
}

/** Mebibytes. @throws UsageError with `cure` when they are fewer than `least`. */
export function mebibytesFrom(least: number, argument: string, size: Size, cure: string): number {
  const given = mebibytes(size, argument);
  if (given >= least) return given;
  throw invalid(argument, size, cure);
}

/** The first of so many ports that are used one after another. @throws UsageError when they go beyond the last. */
export function firstPort(argument: string, port: number, count: number): number {
  const last = 65_536 - count;
  if (Number.isInteger(port) && port > 0 && port <= last) return port;
  throw invalid(argument, port, `expected a whole number from 1 to ${last}, as the next ones are used too`);
}

/** Gibibytes of a disk. @throws UsageError when they aren't whole, or out of bounds. */
export function diskGibibytes(size: Size, least: Size, most: Size, argument = "disk"): number {
  const given = mebibytes(size, argument);
  if (given % 1024 === 0 && given >= mebibytes(least) && given <= mebibytes(most)) return given / 1024;
  throw invalid(argument, size, `expected whole gigabytes, "${least}" to "${most}"`);
}

/** Names of the secrets that a job's steps ask for, each once. */
export const neededSecrets = (job: Job): readonly string[] => [...new Set(job.steps.flatMap((step) => step.secrets))];

/** Names of the secrets that a job's steps ask for. @throws UsageError when one of them is not given. */
export function givenSecrets(job: Job, given: object = {}): readonly string[] {
  const needed = neededSecrets(job);
  const missing = needed.find((name) => !Object.hasOwn(given, name));
  if (missing === undefined) return needed;
  throw new UsageError(`secrets has no ${quote(missing)}, which job ${quote(job.name)} asks for`);
}
