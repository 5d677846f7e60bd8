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
  if (isWithin(on, off)) throw invalid("power.off", off, "expected another time than that of power.on");
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

/** Whether one of two schedules comes whenever the other does, as far as its fields tell: then nothing is ever on. */
function isWithin(on: string, off: string): boolean {
  const [inner, outer] = [cronOf(on), cronOf(off)];
  if (inner.isEither && !outer.isEither) return false;
  return inner.fields.every((values, i) => values.every((value) => outer.fields[i]?.includes(value)));
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

interface Cron {
  readonly fields: readonly (readonly number[])[];
  /** Whether either of the two days will do, as cron has it where both are told. */
  readonly isEither: boolean;
}

function cronOf(cron: string): Cron {
  const texts = fieldsOf(cron);
  const fields = FIELDS.map(([, least, most], i) => valuesOf(texts[i] ?? "", least, most) ?? []);
  const [, , day = "", , weekday = ""] = texts;
  return {
    fields: [...fields.slice(0, 4), (fields[4] ?? []).map((weekday) => weekday % 7)],
    isEither: !day.startsWith("*") && !weekday.startsWith("*"),
  };
}

/** The last moment up to `now`, or the first after it. Days are looked at as the place's calendar has them. */
function momentOf(cron: string, timeZone: string, now: Date, which: "before" | "after"): Date | undefined {
  const { fields, isEither } = cronOf(cron);
  const [minutes = [], hours = [], days = [], months = [], weekdays = []] = fields;
  const isDay = (day: Date): boolean => {
    const byDate = days.includes(day.getUTCDate());
    const byWeek = weekdays.includes(day.getUTCDay());
    return months.includes(day.getUTCMonth() + 1) && (isEither ? byDate || byWeek : byDate && byWeek);
  };
  const clock = clockOf(timeZone);
  const today = Math.floor(wallOf(now, clock) / DAY_MS);
  for (let away = 0; away <= MOST_DAYS; away++) {
    const day = (which === "before" ? today - away : today + away) * DAY_MS;
    if (!isDay(new Date(day))) continue;
    const moments = hours
      .flatMap((hour) => minutes.map((minute) => instantOf(day + (hour * 60 + minute) * 60_000, clock)))
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
function wallOf(instant: Date, clock: Intl.DateTimeFormat): number {
  const { year, month, day, hour, minute, second } = Object.fromEntries(
    clock.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
  ) as Record<string, number>;
  return Date.UTC(year as number, (month as number) - 1, day, hour, minute, second);
}

const CLOCK = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric" } as const;
const clockOf = (timeZone: string) =>
  new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", second: "numeric", ...CLOCK });

/** When a clock there shows that: an hour later where it is skipped, and the second time where it comes twice. */
function instantOf(wall: number, clock: Intl.DateTimeFormat): number {
  const shown = (instant: number) => wallOf(new Date(instant), clock);
  const offset = (instant: number) => shown(instant) - instant;
  const late = wall - offset(wall + DAY_MS);
  return shown(late) === wall ? late : wall - offset(wall - DAY_MS);
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
