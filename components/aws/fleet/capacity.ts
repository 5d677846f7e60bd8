import { type Duration, seconds } from "../../../core/duration.ts";
import { arg, invalid, refusal } from "../../../core/errors.ts";
import { FleetFallback, type FleetPlan, type FleetPlanArgs, type FleetSpot } from "./args.ts";

/** Spot workers, checked and with their defaults. @param count of all workers. */
export function spotOf(
  { fallback, onDemand = 0, wait = "10 minutes" }: FleetSpot,
  count: number,
): FleetPlan["workers"]["spot"] {
  if (!Object.values(FleetFallback).includes(fallback)) {
    throw invalid(
      "workers.spot.fallback",
      fallback,
      'say what is to happen when there are no spot instances: "on-demand" or "fewer"',
    );
  }
  if (!Number.isInteger(onDemand) || onDemand < 0 || onDemand > count) {
    throw invalid(
      "workers.spot.onDemand",
      onDemand,
      `expected a whole number up to ${count}, as many as there are workers`,
    );
  }
  return { fallback, onDemand, waitMinutes: minutesOf("workers.spot.wait", wait) };
}

/** How long a gang may take to be whole (ADR 22); undefined without one. */
export function gangMinutes({ capacity = "any", gangWait, workers }: FleetPlanArgs): number | undefined {
  if (capacity !== "any" && capacity !== "gang") throw invalid("capacity", capacity, "expected any or gang");
  const minutes = minutesOf("gangWait", gangWait ?? "10 minutes");
  if (capacity === "any") return undefined;
  if (!workers?.spot) return minutes;
  throw refusal`${arg("capacity")} is "gang" and ${arg("workers.spot")} is set: a gang is given back when one of it is missing, and any spot machine may be taken away; rent on demand, or take capacity any`;
}

/** A time to wait for machines: the reaper, which looks every five minutes, ends it. */
function minutesOf(argument: string, wait: Duration): number {
  const minutes = seconds(wait, argument) / 60;
  if (Number.isInteger(minutes) && minutes >= 5 && minutes <= 1440) return minutes;
  throw invalid(argument, wait, 'expected whole minutes from "5 minutes" to "1 day"');
}

/** How many workers may come on demand in the place of spot ones; 0 where they don't. */
export const spareWorkers = ({ count, spot }: FleetPlan["workers"]): number =>
  spot?.fallback === FleetFallback.onDemand ? count - spot.onDemand : 0;
