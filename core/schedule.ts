/** When something is on and when it is off, by the clock of a place. */
import { invalid } from "./errors.ts";

/** Two schedules of cron. */
export interface PowerSchedule {
  /** Minute, hour, day of the month, month, day of the week: "0 8 * * 1-5". */
  readonly on: string;
  readonly off: string;
  /** Such as "Europe/Berlin". */
  readonly timeZone: string;
}

/** Whether a fleet's machines are to run: as it is set, or by the clock. */
export type FleetPower = { readonly power: "on" | "off" } | ({ readonly power: "schedule" } & PowerSchedule);

/** What the clock says at a moment. */
export interface Turn {
  readonly to: "on" | "off";
  readonly at: Date;
}

const FIELDS = [
  ["minute", 0, 59],
  ["hour", 0, 23],
  ["day of the month", 1, 31],
  ["month", 1, 12],
  ["day of the week", 0, 7],
] as const;

/** @throws UsageError for what is no schedule of cron, for one that never comes, and for a time zone that there is not. */
export function checkSchedule({ on, off, timeZone }: PowerSchedule): void {
  checkCron("power.on", on);
  checkCron("power.off", off);
  if (on.trim() === off.trim()) throw invalid("power.off", off, "expected another time than that of power.on");
  if (isTimeZone(timeZone)) return;
  throw invalid("power.timeZone", timeZone, 'expected a time zone, such as "Europe/Berlin" or "UTC"');
}

function checkCron(argument: string, cron: string): void {
  const fields = fieldsOf(cron);
  const wrong = FIELDS.find(([, least, most], i) => valuesOf(fields[i] ?? "", least, most) === undefined);
  const isWhole = fields.length === FIELDS.length;
  if (!isWhole || wrong !== undefined) {
    const which = isWhole && wrong ? `its ${wrong[0]} isn't within ${wrong[1]} to ${wrong[2]}; ` : "";
    throw invalid(
      argument,
      cron,
      `${which}expected minute, hour, day of the month, month and day of the week in numbers, such as "0 8 * * 1-5"`,
    );
  }
  if (momentOf(cron, "UTC", ANY_DATE, "before") !== undefined) return;
  throw invalid(argument, cron, "no month has such a day; expected one that comes");
}

/** What the clock said last; off where it says both at once. */
export const lastTurn = (schedule: PowerSchedule, now: Date): Turn | undefined =>
  turns(schedule, now, "before").sort((a, b) => Number(b.at) - Number(a.at))[0];

/** When it says so next. */
export const nextTurn = (schedule: PowerSchedule, to: Turn["to"], now: Date): Turn | undefined =>
  turns(schedule, now, "after").find((turn) => turn.to === to);

const turns = (schedule: PowerSchedule, now: Date, which: "before" | "after"): Turn[] =>
  (["off", "on"] as const).flatMap((to) => {
    const at = momentOf(schedule[to], schedule.timeZone, now, which);
    return at ? [{ to, at }] : [];
  });

const ANY_DATE = new Date("2026-01-01T00:00:00Z");
const DAY_MS = 86_400_000;
/** February has a 29th day every fourth year, but in 2100. */
const MOST_DAYS = 8 * 366;

/** The last moment up to `now`, or the first after it. Days are looked at as the place's calendar has them. */
function momentOf(cron: string, timeZone: string, now: Date, which: "before" | "after"): Date | undefined {
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = fieldsOf(cron).map((field, i) => {
    const [, least, most] = FIELDS[i] as (typeof FIELDS)[number];
    return valuesOf(field, least, most) ?? [];
  });
  const [, , dayField = "", , weekdayField = ""] = fieldsOf(cron);
  // As cron has it: where both are told, either will do.
  const isEither = !dayField.startsWith("*") && !weekdayField.startsWith("*");
  const isDay = (day: Date): boolean => {
    const byDate = days.includes(day.getUTCDate());
    const byWeek = weekdays.some((weekday) => weekday % 7 === day.getUTCDay());
    return months.includes(day.getUTCMonth() + 1) && (isEither ? byDate || byWeek : byDate && byWeek);
  };
  const today = Math.floor(wallOf(now, timeZone) / DAY_MS);
  for (let away = 0; away <= MOST_DAYS; away++) {
    const day = (which === "before" ? today - away : today + away) * DAY_MS;
    if (!isDay(new Date(day))) continue;
    const moments = hours
      .flatMap((hour) => minutes.map((minute) => instantOf(day + (hour * 60 + minute) * 60_000, timeZone)))
      .filter((moment) => (which === "before" ? moment <= now.getTime() : moment > now.getTime()));
    if (moments.length > 0) return new Date(which === "before" ? Math.max(...moments) : Math.min(...moments));
  }
  return undefined;
}

const fieldsOf = (cron: string): readonly string[] => cron.trim().split(/\s+/);

/** What "*", "5", "1-5", with a step, or some of these joined by commas stand for; undefined for what is none. */
function valuesOf(field: string, least: number, most: number): readonly number[] | undefined {
  const values: number[] = [];
  for (const part of field.split(",")) {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/([1-9]\d*))?$/.exec(part);
    if (match === null) return undefined;
    const [, first, last, step] = match;
    const from = Number(first ?? least);
    const to = Number(last ?? (step === undefined ? (first ?? most) : most));
    if (from < least || from > to || to > most) return undefined;
    for (let value = from; value <= to; value += Number(step ?? 1)) values.push(value);
  }
  return values;
}

/** What a clock there shows, as if it were UTC; in milliseconds. */
function wallOf(instant: Date, timeZone: string): number {
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    clockOf(timeZone)
      .formatToParts(instant)
      .map(({ type, value }) => [type, Number(value)]),
  ) as Record<string, number>;
  return Date.UTC(year as number, (month as number) - 1, day, hour, minute, second);
}

const CLOCK = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
const clockOf = (timeZone: string) =>
  new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", second: "numeric", ...CLOCK });

/** When a clock there shows that: an hour later where it is skipped, and once where it comes twice. */
function instantOf(wall: number, timeZone: string): number {
  const offset = (instant: number) => wallOf(new Date(instant), timeZone) - instant;
  return wall - offset(wall - offset(wall));
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
