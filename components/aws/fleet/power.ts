import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { PowerSchedule } from "./schedule.ts";

/**
 * Has a fleet's workers come and go by the clock. Somebody may be at work when they go.
 *
 * @param workers how many come.
 */
export function workerSchedules(
  name: string,
  group: aws.autoscaling.Group,
  workers: number,
  { on, off, timeZone }: PowerSchedule,
  parent: pulumi.Resource,
): readonly aws.autoscaling.Schedule[] {
  const schedule = (what: "on" | "off", recurrence: string, desiredCapacity: number) =>
    new aws.autoscaling.Schedule(
      `${name}-workers-${what}`,
      {
        autoscalingGroupName: group.name,
        scheduledActionName: what,
        recurrence: withSunday0(recurrence),
        timeZone,
        // What is left out would be 0; -1 leaves it as it is.
        ...{ minSize: -1, maxSize: -1, desiredCapacity },
      },
      { parent },
    );
  return [schedule("on", on, workers), schedule("off", off, 0)];
}

/** Sunday is day 0 for Auto Scaling, and for cron also 7. */
function withSunday0(cron: string): string {
  const fields = cron.trim().split(/\s+/);
  const days = fields.pop() as string;
  return [...fields, days.includes("7") ? daysOf(days).join(",") : days].join(" ");
}

/** Of what `checkSchedule` lets pass. */
function daysOf(field: string): readonly number[] {
  const days = field.split(",").flatMap((part) => {
    const [range = "", step = "1"] = part.split("/");
    const [from, to = from] = range === "*" ? [0, 7] : range.split("-").map(Number);
    const last = part.includes("/") && from === to ? 7 : (to as number);
    return Array.from({ length: 8 }, (_, day) => day).filter(
      (day) => day >= (from as number) && day <= last && (day - (from as number)) % Number(step) === 0,
    );
  });
  return [...new Set(days.map((day) => day % 7))].sort();
}
