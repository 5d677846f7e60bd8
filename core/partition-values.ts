import { quote, UsageError } from "./errors.ts";
import { type Column, ColumnType, type DateRange, type IntegerRange, type PartitionValues } from "./table.ts";

/** What a listed value must look like to be one of a type; of the others none can be listed. */
const FORMS: Partial<Readonly<Record<ColumnType, { readonly form: RegExp; readonly expected: string }>>> = {
  string: { form: /^/, expected: "text" },
  integer: { form: /^(0|-?[1-9]\d*)$/, expected: 'whole numbers, such as "7"' },
  double: { form: /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/, expected: 'numbers, such as "0.5"' },
  boolean: { form: /^(true|false)$/, expected: '"true" and "false"' },
};

const KINDS = "{ values: [...] } or { from, to }";

/**
 * @param where the partition, as an error names it.
 * @throws UsageError for what are no values of a partition, or none that its column's type has.
 */
export function checkPartitionValues(where: string, column: Column, values: PartitionValues): void {
  const given: Readonly<Record<string, unknown>> = { ...(values as object | null | undefined) };
  const known = "values" in given ? ["values"] : ["from", "to", "digits"];
  const surplus = Object.keys(given).find((key) => !known.includes(key));
  if (surplus !== undefined && !Array.isArray(values)) {
    throw new UsageError(`${where}: its partitionValues have ${quote(surplus)}: expected ${KINDS}`);
  }
  const areEnds = (type: "number" | "string") => typeof given.from === type && typeof given.to === type;
  if (Array.isArray(given.values)) checkListed(where, column, given.values);
  else if (areEnds("number")) checkIntegers(where, column, values as IntegerRange);
  else if (areEnds("string") && given.digits === undefined) checkDates(where, column, values as DateRange);
  else {
    throw new UsageError(
      `${where}: its partitionValues are ${quote(values)}: expected ${KINDS}, both ends numbers or both dates`,
    );
  }
}

function checkListed(where: string, { type }: Column, values: readonly unknown[]): void {
  if (values.length === 0) throw new UsageError(`${where}: values is empty: give at least one`);
  const { form, expected } = FORMS[type] ?? {};
  if (!form) {
    throw new UsageError(`${where} is of type ${quote(type)}, whose values can't be listed: give { from, to }`);
  }
  for (const [at, value] of values.entries()) {
    if (typeof value !== "string") {
      throw new UsageError(
        `${where}: value ${quote(value)} is no text: give it as it stands in the folder's name, ${quote(String(value))}`,
      );
    }
    if (value === "" || /[,/]/.test(value)) {
      throw new UsageError(`${where}: value ${quote(value)} can't be listed: it is empty, or has a comma or a slash`);
    }
    if (!form.test(value)) {
      throw new UsageError(`${where}: value ${quote(value)} is none of type ${quote(type)}: expected ${expected}`);
    }
    if (values.indexOf(value) !== at) throw new UsageError(`${where}: value ${quote(value)} is listed twice`);
  }
}

function checkIntegers(where: string, { type }: Column, { from, to, digits }: IntegerRange): void {
  checkFits(where, type, [ColumnType.integer], "whole numbers");
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) {
    throw new UsageError(`${where}: from ${quote(from)} to ${quote(to)} is no range of whole numbers`);
  }
  checkForward(where, from, to);
  const least = Math.max(...[from, to].map((end) => String(Math.abs(end)).length));
  if (digits !== undefined && !(Number.isInteger(digits) && digits >= least)) {
    throw new UsageError(`${where}: digits is ${quote(digits)}: expected a whole number, ${least} or more, or none`);
  }
}

function checkDates(where: string, { type }: Column, { from, to }: DateRange): void {
  const isMonths = [from, to].every((date) => /^\d{4}-\d{2}$/.test(date));
  const day = (date: string) => (isMonths ? `${date}-01` : date);
  // A date that the calendar doesn't have would be taken for another.
  const isReal = (date: string) =>
    /^\d{4}-\d{2}-\d{2}$/.test(day(date)) &&
    !Number.isNaN(Date.parse(day(date))) &&
    new Date(day(date)).toISOString().startsWith(day(date));
  if (!isReal(from) || !isReal(to)) {
    throw new UsageError(
      `${where}: from ${quote(from)} to ${quote(to)} is no range of months ("2012-01") or days ("2012-01-31")`,
    );
  }
  checkForward(where, from, to);
  const fits = isMonths ? [ColumnType.string] : [ColumnType.date, ColumnType.string];
  checkFits(where, type, fits, isMonths ? "months" : "days");
}

function checkForward<T extends number | string>(where: string, from: T, to: T): void {
  if (from <= to) return;
  throw new UsageError(`${where}: from ${quote(from)} to ${quote(to)} goes backwards: swap them`);
}

function checkFits(where: string, type: ColumnType, fits: readonly ColumnType[], what: string): void {
  if (fits.includes(type)) return;
  throw new UsageError(
    `${where} is of type ${quote(type)}, which its partitionValues are not: ${what} are for ${fits.map(quote).join(" or ")}`,
  );
}
