import { invalid } from "../../../core/errors.ts";

/** When a fleet is on, by two schedules of cron. */
export interface PowerSchedule {
  /** Minute, hour, day of the month, month, day of the week: "0 8 * * 1-5". */
  readonly on: string;
  readonly off: string;
  /** Such as "Europe/Berlin". */
  readonly timeZone: string;
}

const FIELDS = [
  ["minute", 0, 59],
  ["hour", 0, 23],
  ["day of the month", 1, 31],
  ["month", 1, 12],
  ["day of the week", 0, 7],
] as const;

/** @throws UsageError for what is no schedule of cron, and for a time zone that there is not. */
export function checkSchedule({ on, off, timeZone }: PowerSchedule): void {
  checkCron("power.on", on);
  checkCron("power.off", off);
  if (isTimeZone(timeZone)) return;
  throw invalid("power.timeZone", timeZone, 'expected a time zone, such as "Europe/Berlin" or "UTC"');
}

function checkCron(argument: string, cron: string): void {
  const fields = cron.trim().split(/\s+/);
  const wrong = FIELDS.find(([, least, most], i) => !isField(fields[i] ?? "", least, most));
  if (fields.length === FIELDS.length && wrong === undefined) return;
  const which =
    fields.length === FIELDS.length && wrong ? `its ${wrong[0]} isn't within ${wrong[1]} to ${wrong[2]}; ` : "";
  throw invalid(
    argument,
    cron,
    `${which}expected minute, hour, day of the month, month and day of the week in numbers, such as "0 8 * * 1-5"`,
  );
}

/** "*", "5", "1-5", with a step, or some of these joined by commas. */
const isField = (field: string, least: number, most: number): boolean =>
  field.split(",").every((part) => {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/([1-9]\d*))?$/.exec(part);
    if (match === null) return false;
    const from = Number(match[1] ?? least);
    const to = Number(match[2] ?? match[1] ?? most);
    return least <= from && from <= to && to <= most;
  });

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
