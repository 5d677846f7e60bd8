/** What others write of a fleet, as it is told. Auto Scaling's texts are those that users of it have seen. */
import type { Activity } from "@aws-sdk/client-auto-scaling";
import { expect, test } from "vitest";
import { whyNoWorkers } from "../../cli/aws/gpu-fleet/capacity.ts";
import { newLines } from "../../cli/aws/gpu-fleet/requests.ts";

const LAUNCH = "Launching a new EC2 instance";
const FAILED = "Launching EC2 instance failed.";
let minute = 0;
/** Later than all before. */
const activity = (more: Partial<Activity>): Activity => ({
  ActivityId: String(++minute),
  AutoScalingGroupName: "workers",
  Cause:
    "At 2026-11-30T19:11:43Z an instance was started in response to a difference between desired and actual capacity",
  StartTime: new Date(Date.UTC(2026, 10, 30, 19, minute)),
  StatusCode: "Failed",
  Description: `${LAUNCH}.  Status Reason: ${more.StatusMessage ?? ""}`,
  ...more,
});
const failed = (StatusMessage: string, zone?: string): Activity =>
  activity({
    StatusMessage,
    ...(zone && { Details: JSON.stringify({ "Subnet ID": "subnet-1", "Availability Zone": zone }) }),
  });
const launched = () => activity({ StatusCode: "Successful", Description: `${LAUNCH}: i-0123456789abcdef0` });

const no = (zone: string, others: string) =>
  failed(
    `Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient g4dn.xlarge capacity in the Availability Zone you requested (${zone}). Our system will be working on provisioning additional capacity. You can currently get g4dn.xlarge capacity by not specifying an Availability Zone in your request or choosing ${others}. ${FAILED}`,
    zone,
  );
const UNFULFILLABLE = `Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request configuration. Please adjust your request and try again. ${FAILED}`;
const VCPUS = `Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit. ${FAILED}`;
const SPOT_QUOTA = `Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded. ${FAILED}`;

test.each<[what: string, activities: () => readonly Activity[], why: string]>([
  [
    "no capacity in two zones",
    () => [no("us-west-2a", "us-west-2b, us-west-2c"), no("us-west-2b", "us-west-2c")],
    "there is no on-demand machine to be had for g4dn.xlarge in us-west-2a and us-west-2b just now: name more types or GPUs, or more zones (EC2 names us-west-2c)",
  ],
  [
    "no spot machines",
    () => [failed(UNFULFILLABLE, "us-west-2a")],
    "there is no spot machine to be had for these types in us-west-2a just now: name more types or GPUs, or more zones, or take on-demand workers",
  ],
  [
    "no spot machines, as it was said before",
    () => [failed(`There is no Spot capacity available that matches your request. ${FAILED}`)],
    "there is no spot machine to be had for these types just now: name more types or GPUs, or more zones, or take on-demand workers",
  ],
  [
    "a quota that is zero",
    () => [failed(VCPUS)],
    'the account\'s quota for on-demand machines of that family is 0 vCPUs in all: "npx --no oneoff doctor" says which one, and has the command that asks for more; or take fewer workers',
  ],
  [
    "the quota of spot machines",
    () => [failed(SPOT_QUOTA)],
    'the account\'s quota for spot machines of that family is used up: "npx --no oneoff doctor" says which one, and has the command that asks for more; or take on-demand workers',
  ],
  [
    "the same without its code",
    () => [failed(`Max spot instance count exceeded. ${FAILED}`)],
    'the account\'s quota for spot machines of that family is used up: "npx --no oneoff doctor" says which one, and has the command that asks for more; or take on-demand workers',
  ],
  [
    "a type that the zone doesn't offer",
    () => [
      failed(
        `Could not launch Spot Instances. InvalidFleetConfiguration - Your requested instance type (g6.xlarge) is not supported in your requested Availability Zone (us-east-2c). ${FAILED}`,
      ),
    ],
    "g6.xlarge in us-east-2c is not offered: name other types, or more zones",
  ],
  [
    "the free plan",
    () => [
      failed(
        `Could not launch On-Demand Instances. InvalidParameterCombination - The specified instance type is not eligible for Free Tier. For a list of Free Tier instance types, run 'describe-instance-types' with the filter 'free-tier-eligible=true'. ${FAILED}`,
      ),
    ],
    "the account is on AWS's free plan, which rents none of these types: upgrade it to the paid plan (console, Billing, Free tier)",
  ],
  [
    "the role that spot takes",
    () => [
      failed(
        `Could not launch Spot Instances. AuthFailure.ServiceLinkedRoleCreationNotPermitted - The provided credentials do not have permission to create the service-linked role for EC2 Spot Instances. ${FAILED}`,
      ),
    ],
    'the account has no role for spot machines, and may not make it: "aws iam create-service-linked-role --aws-service-name spot.amazonaws.com", once',
  ],
  [
    "what nobody knew of",
    () => [failed("Client.InternalError: Client error on launch.")],
    "Auto Scaling could not start a worker (Client.InternalError: Client error on launch.): if that stays so, its group's activities in the console of EC2 have more",
  ],
  [
    "a spot machine that was taken away",
    () => [
      launched(),
      activity({
        StatusCode: "Successful",
        Description: "Terminating EC2 instance: i-0123456789abcdef0",
        Cause:
          "At 2026-11-30T19:40:35Z an instance was taken out of service in response to a EC2 health check indicating it has been terminated or stopped.",
        StartTime: new Date("2026-11-30T20:40:00Z"),
      }),
    ],
    "i-0123456789abcdef0 was taken away at 20:40 UTC, as EC2 does with spot machines, and the group asks for another",
  ],
  [
    "a spot machine that was taken away, and there is no other",
    () => [
      launched(),
      activity({ StatusCode: "Successful", Description: "Terminating EC2 instance: i-0", Cause: "interruption" }),
      failed(UNFULFILLABLE),
    ],
    "there is no spot machine to be had for these types just now: name more types or GPUs, or more zones, or take on-demand workers",
  ],
])("%s", (_, activities, why) => {
  expect(whyNoWorkers(activities().toReversed())).toBe(why);
});

test("what can be cured is said before what may pass, in whatever order it happened", () => {
  expect(whyNoWorkers([failed(VCPUS), no("us-west-2a", "us-west-2b")])).toContain("quota for on-demand machines");
  expect(whyNoWorkers([no("us-west-2a", "us-west-2b"), failed(VCPUS)])).toContain("quota for on-demand machines");
});

test("what came since, what is going on and what nobody asked for is no reason", () => {
  expect(whyNoWorkers([])).toBeUndefined();
  expect(whyNoWorkers([failed(VCPUS), launched()])).toBeUndefined();
  expect(whyNoWorkers([failed(VCPUS), launched(), activity({ StatusCode: "InProgress" })])).toBeUndefined();
  const shrunk = "At 2026-11-30T19:11:43Z a user request update of AutoScalingGroup constraints to min: 0, desired: 0";
  expect(
    whyNoWorkers([activity({ StatusCode: "Successful", Description: "Terminating EC2 instance: i-0", Cause: shrunk })]),
  ).toBeUndefined();
});

test.each([
  [[], ["a"], ["a"]],
  [["a", "b"], ["a", "b", "c"], ["c"]],
  [["a", "b", "c"], ["b", "c", "d"], ["d"]],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [["a", "a"], ["a", "a"], []],
])("of lines %j that became %j, %j are new", (before, now, fresh) => {
  expect(newLines(before, now)).toEqual(fresh);
});
