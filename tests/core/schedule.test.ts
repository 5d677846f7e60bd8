import { expect, test } from "vitest";
import { checkSchedule, lastTurn, nextTurn, type PowerSchedule } from "../../core/schedule.ts";

const NEVER = "59 23 29 2 *";
const of = (on: string, timeZone = "UTC", off = NEVER): PowerSchedule => ({ on, off, timeZone });
const next = (schedule: PowerSchedule, from: string) => nextTurn(schedule, "on", new Date(from))?.at.toISOString();

/** Every minute of a span at which a clock there shows such a day and time, by looking at all of them. */
function seen(timeZone: string, from: string, days: number, is: (text: string) => boolean): readonly string[] {
  const clock = new Intl.DateTimeFormat("en-GB", {
    ...{ timeZone, weekday: "short", day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit" },
  });
  return Array.from({ length: days * 1440 }, (_, i) => new Date(Date.parse(from) + i * 60_000))
    .filter((moment) => is(clock.format(moment)))
    .map((moment) => moment.toISOString());
}

test.each<[cron: string, timeZone: string, from: string, is: RegExp]>([
  ["0 8 * * 1-5", "Europe/Berlin", "2026-03-25T12:00:00Z", /^(Mon|Tue|Wed|Thu|Fri) .* 08:00$/],
  ["0 8 * * 1-5", "America/New_York", "2026-10-29T12:00:00Z", /^(Mon|Tue|Wed|Thu|Fri) .* 08:00$/],
  ["*/20 22-23 1,31 * 5", "Asia/Kolkata", "2026-07-28T00:00:00Z", /^(Fri .*|\w+ (01|31)\/.*), 2[23]:[024]0$/],
  ["5/30 0 * 8,9 *", "Australia/Lord_Howe", "2026-07-30T00:00:00Z", /\/0[89], 00:[03]5$/],
  ["15 12 * * 7", "Pacific/Kiritimati", "2026-01-01T00:00:00Z", /^Sun .* 12:15$/],
  ["15 12 1-7 * */6", "UTC", "2026-01-01T00:00:00Z", /^(Sun|Sat) 0[1-7]\/.* 12:15$/],
])("%s in %s comes when a clock there shows it, and no other time", (cron, timeZone, from, is) => {
  const expected = seen(timeZone, from, 9, (text) => is.test(text));
  expect(expected.length).toBeGreaterThan(0);
  const schedule = of(cron, timeZone);
  const found: string[] = [];
  for (let at = from; ; ) {
    at = next(schedule, at) as string;
    if (Date.parse(at) >= Date.parse(from) + 9 * 86_400_000) break;
    found.push(at);
    expect(lastTurn(schedule, new Date(at))).toEqual({ to: "on", at: new Date(at) });
    expect(lastTurn(schedule, new Date(Date.parse(at) - 1))?.at.toISOString()).not.toBe(at);
  }
  expect(found.filter((at) => at !== new Date(from).toISOString())).toEqual(
    expected.filter((at) => at !== new Date(from).toISOString()),
  );
});

test("what a clock skips comes an hour later, and what it shows twice comes once", () => {
  const half = of("30 2 * * *", "Europe/Berlin");
  expect(next(half, "2026-03-28T12:00:00Z")).toBe("2026-03-29T01:30:00.000Z");
  expect(next(half, "2026-03-29T01:30:00Z")).toBe("2026-03-30T00:30:00.000Z");
  expect(next(half, "2026-10-24T12:00:00Z")).toBe("2026-10-25T01:30:00.000Z");
  expect(next(half, "2026-10-25T01:30:00Z")).toBe("2026-10-26T01:30:00.000Z");
  // West of Greenwich too, and where midnight is skipped.
  const west = of("30 1,2 * * *", "America/New_York");
  expect(next(west, "2026-03-08T06:30:00Z")).toBe("2026-03-08T07:30:00.000Z");
  expect(next(west, "2026-11-01T04:00:00Z")).toBe("2026-11-01T06:30:00.000Z");
  expect(next(west, "2026-11-01T06:30:00Z")).toBe("2026-11-01T07:30:00.000Z");
  const havana = of("0 0 * * *", "America/Havana");
  expect(next(havana, "2026-03-07T12:00:00Z")).toBe("2026-03-08T05:00:00.000Z");
  expect(lastTurn(havana, new Date("2026-03-08T04:59:00Z"))?.at.toISOString()).toBe("2026-03-07T05:00:00.000Z");
});

test("a day that comes every fourth year is found before and after", () => {
  const leap = of("0 8 29 2 *");
  expect(next(leap, "2096-03-01T00:00:00Z")).toBe("2104-02-29T08:00:00.000Z");
  expect(lastTurn(of("0 8 29 2 *", "UTC", "0 0 29 2 *"), new Date("2104-02-28T00:00:00Z"))).toEqual({
    to: "on",
    at: new Date("2096-02-29T08:00:00Z"),
  });
});

test("where both come at once it is off", () => {
  const schedule = of("0 8 * * *", "UTC", "0 8,20 * * *");
  expect(lastTurn(schedule, new Date("2026-01-01T09:00:00Z"))?.to).toBe("off");
});

test.each([
  [of("0 8 31 2 *"), 'power.on is "0 8 31 2 *": no month has such a day; expected one that comes'],
  [of("0 8 30 2,2 *", "UTC"), 'power.on is "0 8 30 2,2 *": no month has such a day; expected one that comes'],
  [of("0 8 * * *", "UTC", " 0 8 * * *"), 'power.off is " 0 8 * * *": expected another time than that of power.on'],
  [of("0 8 * * *", "UTC", "0  8 * * *"), 'power.off is "0  8 * * *": expected another time than that of power.on'],
  [of("0 8 * * 1-5", "UTC", "0 */4 * * *"), 'power.off is "0 */4 * * *": expected another time than that of power.on'],
])("what never comes, or is the same, is refused", (schedule, message) => {
  expect(() => checkSchedule(schedule)).toThrow(message);
  expect(() => checkSchedule(of("0 8 31 2 1"))).not.toThrow();
  expect(() => checkSchedule(of("0 8 1 * 1", "UTC", "0 8 * * 1"))).not.toThrow();
});
