/** Times as answers have them: absolute, in UTC, to the minute. */

/** Such as "2026-11-29 19:11". */
export const minute = (time: string | Date): string => new Date(time).toISOString().slice(0, 16).replace("T", " ");

/** Such as "19:11", for a time that is near. */
export const clock = (time: string | Date): string => minute(time).slice("2026-11-29 ".length);

/** Seconds between two times, never less than none: two clocks may differ. */
export const secondsBetween = (from: string | Date, to: string | Date): number =>
  Math.max(0, (new Date(to).getTime() - new Date(from).getTime()) / 1000);

/** Seconds in the fewest letters, for a column: "38s", "11m", "1h 5m", "2d 3h". */
export function short(seconds: number): string {
  const s = Math.floor(seconds);
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${Math.floor(s / 60) % 60}m`;
  return `${Math.floor(s / 86_400)}d ${Math.floor(s / 3600) % 24}h`;
}
