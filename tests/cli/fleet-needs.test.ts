/** What a fleet asks of an account, known from its program alone. */
import type * as aws from "@pulumi/aws";
import { expect, test } from "vitest";
import { signed } from "../../cli/aws/free-plan.ts";
import { part } from "../../cli/aws/gpu-fleet/part.ts";
import { vcpusOf } from "../../cli/aws/needs.ts";
import { programOf } from "../../cli/program.ts";
import { rehearse } from "../../cli/rehearse.ts";
import { quotaOf } from "../../components/aws/fleet/quotas.ts";
import { filesOf } from "./attached.ts";

test("quotas that workers take are told by what the program asks for", async () => {
  const settings = {
    gpu: "L4",
    workers: "3",
    workerTypes: "g6.xlarge,g6.2xlarge",
    spot: "true",
    spotOnDemand: "1",
    spotWait: "20 minutes",
  };
  const own = Object.entries({ ...settings, spotFallback: "on-demand" }).map(([key, value]) => [
    `oneoff:${key}`,
    value,
  ]);
  const files = filesOf("gpu-fleet", { "aws:region": "us-west-2", ...Object.fromEntries(own) });
  const { resources } = await rehearse(await programOf(files), files);
  const needs = (found: typeof resources) => {
    const sums: Record<string, number> = {};
    for (const { code, vcpus } of part.quotas?.(found) ?? []) sums[code] = (sums[code] ?? 0) + vcpus;
    return sums;
  };
  // Without spot machines all may be on demand: those have a group of their own.
  expect(needs(resources)).toEqual({ "L-3819A6DF": 16, "L-DB2E81BA": 24 });
  const fewer = resources.filter(({ name }) => name !== "fleet-spare");
  expect(needs(fewer)).toEqual({ "L-3819A6DF": 16, "L-DB2E81BA": 8 });
  const groups = resources.filter(({ type }) => type === "aws:autoscaling/group:Group");
  const told = groups.map(({ name, inputs }) => {
    const { minSize, maxSize, desiredCapacity, tags, mixedInstancesPolicy } =
      inputs as unknown as aws.autoscaling.GroupArgs;
    const { instancesDistribution: share } = mixedInstancesPolicy as { instancesDistribution: object };
    const own = (tags as { key: string; value: string; propagateAtLaunch: boolean }[]).filter(
      (tag) => !tag.propagateAtLaunch,
    );
    return {
      name,
      sizes: [minSize, desiredCapacity, maxSize],
      share,
      own: own.map(({ key, value }) => `${key}=${value}`),
    };
  });
  expect(Object.fromEntries(told.map(({ name, ...rest }) => [name, rest]))).toMatchObject({
    "fleet-workers": {
      sizes: [0, 3, 3],
      own: [],
      share: { onDemandBaseCapacity: 1, onDemandPercentageAboveBaseCapacity: 0 },
    },
    "fleet-spare": {
      sizes: [0, 0, 2],
      own: ["oneoff:fallback=20 minutes"],
      share: { onDemandBaseCapacity: 0, onDemandPercentageAboveBaseCapacity: 100 },
    },
  });
  expect(groups).toHaveLength(2);
  // The head, three data nodes and the dashboard, of 2 vCPUs each, are instances of the program's own.
  expect(vcpusOf(resources)).toEqual({ onDemand: 10, spot: 0 });
  expect(part.roles(resources).map(({ role }) => role)).toEqual(["AWSServiceRoleForAutoScaling"]);
});

test("a program without a group asks for nothing", () => {
  expect([part.quotas?.([]), part.roles([]), part.checks?.("us-west-2", [])]).toEqual([[], [], []]);
});

test.each([
  [undefined, "24846b6d4857fff318b9b55c10789deebb57fc78771cba03e6ef98fd4054fd8a"],
  ["token", "aa1fda36063a1928897fa4ef2c5709ef4d11a69cc136fc3219ade73ddfcc851c"],
])(
  "who asks for the account's plan is known by the signature that botocore makes, with token %s",
  (sessionToken, is) => {
    const credentials = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" };
    const at = new Date("2026-11-30T22:40:05Z");
    const headers = signed("https://freetier.us-east-1.api.aws", "{}", { ...credentials, sessionToken }, at);
    expect(headers.authorization).toMatch(new RegExp(`, Signature=${is}$`));
    expect(headers).toMatchObject({ "x-amz-date": "20261130T224005Z" });
  },
);

test.each([
  ["m6i.large", false, "L-1216C47A"],
  ["t4g.small", true, "L-34B43A08"],
  ["g6.xlarge", false, "L-DB2E81BA"],
  ["p5.48xlarge", true, "L-7212CCBC"],
  ["inf2.xlarge", false, undefined],
  ["x2idn.16xlarge", false, undefined],
])("what runs counts against the quota of its family: %s", (type, isSpot, code) => {
  expect(quotaOf(type, isSpot)?.code).toBe(code);
});
