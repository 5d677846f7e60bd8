import { arg, invalid, refusal } from "./errors.ts";

/** One thing that costs money, at most. */
export interface BillLine {
  /** Such as "2 workers, m7g.xlarge". */
  readonly what: string;
  /** USD per hour while it is there; 0 for what is paid once or by use. */
  readonly usdPerHour: number;
  /** For how long at most. */
  readonly hours: number;
  /** USD at most: the hours, or what is paid once. */
  readonly usd: number;
}

/** How long after its deadline something may still be billed: until somebody looks, and the time that ending takes. */
const LAG_HOURS = 0.25;

/** How often an open page has the dashboard look whether there is something new, and an orchestrator tells its state. */
export const LOOKS_PER_HOUR = 720;

/** A line for what is paid by the hour. */
export const perHour = (what: string, usdPerHour: number, hours: number): BillLine => ({
  what,
  usdPerHour,
  hours,
  usd: usdPerHour * hours,
});

/** For how long something with a deadline may be billed. */
export const hoursUntilEnd = (deadlineSeconds: number): number => deadlineSeconds / 3600 + LAG_HOURS;

/** The most that lines come to, in USD, rounded up to the cent. */
export const ceiling = (lines: readonly BillLine[]): number =>
  Math.ceil(lines.reduce((sum, line) => sum + line.usd, 0) * 100 - 1e-6) / 100;

/**
 * @param maxCost USD; undefined for no limit.
 * @throws UsageError when the lines can come to more.
 */
export function refuseAbove(maxCost: number | undefined, lines: readonly BillLine[]): void {
  if (maxCost === undefined) return;
  if (!(maxCost > 0)) throw invalid("maxCost", maxCost, "expected USD above zero, such as 5 or 0.5");
  const most = ceiling(lines);
  if (most <= maxCost) return;
  const dearest = [...lines].sort((a, b) => b.usd - a.usd)[0] as BillLine;
  throw refusal`${arg("maxCost")} is ${maxCost} USD and this can cost up to ${most.toFixed(2)} USD, most of it for ${dearest.what} (${dearest.usd.toFixed(2)} USD): allow more, or shorten the deadline or take fewer or smaller machines`;
}
