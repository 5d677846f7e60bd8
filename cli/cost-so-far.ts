import type { BillLine } from "../core/bill.ts";

/** What lines of a bill come to after some hours; what is paid once or by use is left out. */
export const costSoFar = (bill: readonly BillLine[], hours: number): number =>
  bill.reduce((sum, line) => sum + line.usdPerHour * Math.min(hours, line.hours), 0);

/** Never less than none: two clocks may differ. */
export const hoursBetween = (from: string, to: string | Date): number =>
  Math.max(0, new Date(to).getTime() - new Date(from).getTime()) / 3_600_000;
