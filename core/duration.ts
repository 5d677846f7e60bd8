import { invalid } from "./errors.ts";

const SECONDS = { second: 1, minute: 60, hour: 3600, day: 86_400 } as const;

type Unit = keyof typeof SECONDS;

/** A span of time: a number and a unit, such as `"90 minutes"`, `"1.5 hours"` or `"7 days"`. */
export type Duration = `${number} ${Unit}` | `${number} ${Unit}s`;

/**
 * A duration in whole seconds.
 *
 * @param setting what to name in the error: the argument or setting that was given.
 * @throws UsageError when the text is not a duration, not positive, or not a whole number of seconds.
 */
export function seconds(duration: string, setting = "duration"): number {
  const match = /^(\d+(?:\.\d+)?) (second|minute|hour|day)s?$/.exec(duration);
  const total = match ? Number(match[1]) * SECONDS[match[2] as Unit] : Number.NaN;
  const whole = Math.round(total);
  if (!(whole > 0) || Math.abs(total - whole) > 1e-6 || !Number.isSafeInteger(whole)) {
    throw invalid(
      setting,
      duration,
      'expected a number and a unit that come to whole seconds above zero, such as "90 minutes", "1.5 hours" or "7 days"',
    );
  }
  return whole;
}

/** Seconds of a text that a tag or an output has; undefined where it is no duration. */
export function secondsIfAny(text: string | undefined): number | undefined {
  try {
    return text === undefined ? undefined : seconds(text as Duration);
  } catch {
    return undefined;
  }
}

/** Seconds as people read them: `"1 h 30 min"`, `"45 s"`. */
export function formatDuration(total: number): string {
  const s = Math.max(0, Math.round(total));
  const parts = [
    [Math.floor(s / 86_400), "d"],
    [Math.floor(s / 3600) % 24, "h"],
    [Math.floor(s / 60) % 60, "min"],
    [s % 60, "s"],
  ] as const;
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(" ");
}
