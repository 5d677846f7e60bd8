import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeAll, expect, test } from "vitest";
import { workerSchedules } from "../../../components/aws/fleet/power.ts";
import { checkSchedule, type PowerSchedule } from "../../../components/aws/fleet/schedule.ts";
import { fakeAws } from "../../stacks/fake-aws.ts";
import { type Registered, record, settle } from "../mocks.ts";

let resources: Registered[];
beforeAll(() => {
  resources = record(fakeAws).resources;
});
afterEach(() => {
  resources.length = 0;
});

const weekdays: PowerSchedule = { on: "0 8 * * 1-5", off: "30 18 * * *", timeZone: "Europe/Berlin" };

async function make(power: PowerSchedule) {
  checkSchedule(power);
  await settle(() => {
    const parent = new pulumi.ComponentResource("oneoff:index:Fleet", "fleet");
    const group = new aws.autoscaling.Group("fleet-workers", { minSize: 0, maxSize: 3, name: "the-group" }, { parent });
    return workerSchedules("fleet", group, 3, power, parent);
  });
  return resources.filter(({ type }) => type === "aws:autoscaling/schedule:Schedule");
}

test("workers come and go by the clock of a place, as many as the fleet has", async () => {
  const common = { autoscalingGroupName: "the-group", minSize: -1, maxSize: -1, timeZone: "Europe/Berlin" };
  expect((await make(weekdays)).map(({ name, inputs }) => [name, inputs])).toEqual([
    ["fleet-workers-on", { ...common, scheduledActionName: "on", recurrence: "0 8 * * 1-5", desiredCapacity: 3 }],
    ["fleet-workers-off", { ...common, scheduledActionName: "off", recurrence: "30 18 * * *", desiredCapacity: 0 }],
  ]);
});

test.each([
  ["7 7 7 7 7", "7 7 7 7 0"],
  [" 0  8 * *  5-7 ", "0 8 * * 0,5,6"],
  ["0 8 * * 1,7", "0 8 * * 0,1"],
  ["0 8 * * 1-7/2", "0 8 * * 0,1,3,5"],
  ["0 8 * * 0-7", "0 8 * * 0,1,2,3,4,5,6"],
  ["*/7 8 * * */2", "*/7 8 * * */2"],
])("Sunday is day 0: %s", async (on, recurrence) => {
  const [schedule] = await make({ ...weekdays, on });
  expect(schedule?.inputs.recurrence).toBe(recurrence);
});
