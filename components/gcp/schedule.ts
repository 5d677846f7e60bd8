import { invalid } from "../../core/errors.ts";

const DAYS = "(?:sun|mon|tue|wed|thu|fri|sat|sunday|monday|tuesday|wednesday|thursday|friday|saturday)";
const MONTHS =
  "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|january|february|march|april|june|july|august|september|october|november|december)";
const listed = (item: string) => `${item}(?:,${item})*`;
const TIME = "(?:[01]\\d|2[0-3]):[0-5]\\d";
const OF = ` of (?:month|quarter|${listed(MONTHS)})`;
const ORDINALS = "(?:1st|2nd|3rd|4th|5th|first|second|third|fourth|fifth)";

/** Of the App Engine cron format, what BigQuery takes: https://cloud.google.com/appengine/docs/flexible/scheduling-jobs-with-cron-yaml#schedule_format */
const FORMS = [
  `every day ${TIME}`,
  `every ${listed(DAYS)} ${TIME}`,
  `every ${listed(DAYS)}${OF} ${TIME}`,
  `(?:every )?${listed(ORDINALS)} (?:day|${listed(DAYS)})(?:${OF})? ${TIME}`,
  `${listed("(?:[1-9]|[12]\\d|3[01])")}${OF} ${TIME}`,
].map((form) => new RegExp(`^${form}$`));

const INTERVAL = new RegExp(`^every (\\d+) (minutes|mins|hours)(?: from ${TIME} to ${TIME}| synchronized)?$`);

/** BigQuery runs a query no more often. */
const LEAST_MINUTES = 5;

/**
 * A schedule as BigQuery writes it, times in UTC: "every 24 hours", "every day 09:00", "every mon,thu 09:00", "1st monday
 * of month 06:30".
 *
 * @throws UsageError for a text that BigQuery could not read.
 */
export function checkSchedule(setting: string, schedule: string): string {
  const interval = INTERVAL.exec(schedule);
  if (interval) {
    const minutes = Number(interval[1]) * (interval[2] === "hours" ? 60 : 1);
    if (minutes >= LEAST_MINUTES) return schedule;
    throw invalid(setting, schedule, `BigQuery runs a query every ${LEAST_MINUTES} minutes at most`);
  }
  if (FORMS.some((form) => form.test(schedule))) return schedule;
  throw invalid(
    setting,
    schedule,
    'expected a schedule in UTC such as "every 24 hours", "every day 09:00", "every mon,thu 09:00" or "1st monday of month 06:30"',
  );
}
