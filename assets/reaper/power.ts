/** Whether a fleet's machines are to run, by what its owner set and by the clock. */
import type { FleetPower, ReaperReport } from "../../core/fleet-lake.ts";
import { lastTurn, nextTurn, type Turn } from "../../core/schedule.ts";

/** What is to be done about it. */
export interface Demand {
  /** Since when its machines are to go, whoever works there. */
  readonly off: Date | undefined;
  /** Whether what is off is to come back. */
  readonly on: boolean;
  /** Whether that wasn't so when it was looked last. */
  readonly isNew: boolean;
  /** What the clock says next. */
  readonly clock: { readonly off: Date; readonly on: Date } | undefined;
  /** What of it is told, beside whether it is done. */
  readonly wish: { readonly state: Turn["to"]; readonly at?: string };
}

/**
 * The clock says so at its moments alone: who wakes a fleet later has it until the next. Those before a fleet was made don't count,
 * or its first run would be ended. A setting holds as long as it stands.
 *
 * @param last what was said of this fleet last. @throws for a time zone that isn't known here.
 */
export function demandOf(power: FleetPower, last: ReaperReport | undefined, now: Date): Demand {
  const before = last?.power ?? { state: "on", done: true };
  if (power.power !== "schedule") {
    const { power: state } = power;
    const isNew = before.state !== state;
    const isOn = state === "on" && (isNew || !before.done);
    return { off: state === "off" ? now : undefined, on: isOn, isNew, clock: undefined, wish: { state } };
  }
  const { to, at } = lastTurn(power, now) as Turn;
  const wish = { state: to, at: at.toISOString() };
  const isNew = last !== undefined && before.at !== wish.at;
  const isToDo = isNew || !before.done;
  return {
    off: isToDo && to === "off" ? at : undefined,
    on: isToDo && to === "on",
    isNew,
    clock: { off: (nextTurn(power, "off", now) as Turn).at, on: (nextTurn(power, "on", now) as Turn).at },
    wish,
  };
}
