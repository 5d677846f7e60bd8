import { type Output, output } from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import { cancelStatements } from "../../../components/aws/emr/cancel-policy.ts";
import { launcherStatements } from "../../../components/aws/emr/launcher-policy.ts";
import { readStatements } from "../../../components/aws/lake-statements.ts";
import { fleetReaperStatements, reaperStatements } from "../../../components/aws/reaper.ts";

const STACK = "oneoff/emr";
const launcher = launcherStatements({
  stack: STACK,
  bucket: "lake",
  bucketArn: output("arn:aws:s3:::lake"),
  roleArns: ["arn:aws:iam::1:role/oneoff/emr/service", "arn:aws:iam::1:role/oneoff/emr/nodes"],
});
const bucketArn = output("arn:aws:s3:::lake");
const canceller = cancelStatements(STACK, {
  bucket: output("lake"),
  bucketArn,
  statements: { read: (prefixes) => readStatements(bucketArn, prefixes) },
});
const known = (value: unknown): Promise<unknown> =>
  new Promise((resolve) => (output(value) as Output<unknown>).apply(resolve));
const ofActions = (action: string) => launcher.filter(({ Action }) => Action.includes(action));

describe.each([
  ["reaper", reaperStatements(STACK), {}],
  ["launcher", launcher, { "aws:ResourceTag/oneoff:lake": "lake" }],
  ["canceller", canceller, { "aws:ResourceTag/oneoff:lake": "lake" }],
])("the role of the %s", (_name, statements, more) => {
  test("names its actions, and only looks at or tags what may be anybody's", () => {
    for (const { Action, Resource, Condition } of statements) {
      for (const action of Action) expect(action).toMatch(/^[a-z0-9]+:[A-Za-z0-9]+$/);
      if (Resource !== "*" || Condition) continue;
      for (const action of Action) expect(action).toMatch(/:(Describe|List)/);
    }
  });

  test("ends nothing that hasn't the stack's tag, and the reaper alone of any lake", async () => {
    const ending = statements.filter(({ Action }) =>
      Action.some((action) => /:(Terminate|Delete|Set|Stop|Update)/.test(action)),
    );
    expect(ending.length).toBeGreaterThan(0);
    for (const { Condition } of ending) {
      expect(await known(Condition)).toEqual({ StringEquals: { "aws:ResourceTag/oneoff:stack": STACK, ...more } });
    }
  });
});

test("the reaper takes from machines of fleets, groups, volumes and endpoints no more than it must", () => {
  const ending = reaperStatements(STACK).filter(({ Resource }) => Resource !== "*");
  expect(ending.map(({ Action, Resource }) => [Resource, Action])).toEqual([
    [
      "arn:*:elasticmapreduce:*:*:cluster/*",
      ["elasticmapreduce:TerminateJobFlows", "elasticmapreduce:SetTerminationProtection"],
    ],
    [
      "arn:*:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/*",
      ["autoscaling:DeleteAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup"],
    ],
    ["arn:*:ec2:*:*:instance/*", ["ec2:TerminateInstances", "ec2:StopInstances", "ec2:StartInstances"]],
    ["arn:*:ec2:*:*:volume/*", ["ec2:DeleteVolume"]],
    ["arn:*:ec2:*:*:vpc-endpoint/*", ["ec2:DeleteVpcEndpoints"]],
  ]);
});

test("in a fleet's lake the reaper reads what machines say, takes it away, and writes its own report alone", async () => {
  expect(await known(fleetReaperStatements(bucketArn, "gpu") as never)).toEqual([
    { Action: ["s3:ListBucket"], Resource: "arn:aws:s3:::lake" },
    {
      Action: ["s3:GetObject"],
      Resource: ["nodes/*", "reaper.json", "power.json"].map((key) => `arn:aws:s3:::lake/_fleets/gpu/${key}`),
    },
    { Action: ["s3:PutObject"], Resource: "arn:aws:s3:::lake/_fleets/gpu/reaper.json" },
    { Action: ["s3:DeleteObject"], Resource: "arn:aws:s3:::lake/_fleets/gpu/nodes/*" },
  ]);
  expect(() => fleetReaperStatements(bucketArn, "../other")).toThrow('fleet is "../other"');
});

test("the launcher rents only with the stack's and the lake's tag, and writes only beside the tables", async () => {
  const tags = { "aws:RequestTag/oneoff:stack": STACK, "aws:RequestTag/oneoff:lake": "lake" };
  const renting = ofActions("elasticmapreduce:RunJobFlow");
  expect(renting.map(({ Condition }) => Condition)).toEqual([{ StringEquals: tags }]);
  const writing = ofActions("s3:PutObject");
  expect(writing).toHaveLength(1);
  const resources = await known(writing[0]?.Resource);
  expect(resources).toEqual(["arn:aws:s3:::lake/_launches/*", "arn:aws:s3:::lake/_wheels/*"]);
});

test("an idle limit can be put before the cluster is there, and so before it has tags", () => {
  const putting = ofActions("elasticmapreduce:PutAutoTerminationPolicy");
  expect(putting).toEqual([
    {
      Action: ["elasticmapreduce:PutAutoTerminationPolicy"],
      Resource: "arn:*:elasticmapreduce:*:*:cluster/*",
    },
  ]);
});

test("the launcher sees requests to cancel, and makes none", async () => {
  const seen = launcher.filter(({ Action }) => String(Action) === "s3:GetObject");
  expect(await known(seen.map(({ Resource }) => Resource))).toEqual(["arn:aws:s3:::lake/_cancels/*"]);
});

test("who may cancel makes requests, writes records by a condition alone, and rents nothing", async () => {
  const writing = canceller.filter(({ Action }) => /Put|Delete/.test(String(Action)));
  expect(await known(writing)).toEqual([
    {
      Action: ["s3:PutObject"],
      Resource: ["arn:aws:s3:::lake/_cancels/*", "arn:aws:s3:::lake/_runs/*"],
      Condition: { Null: { "s3:if-none-match": "false" } },
    },
    {
      Action: ["s3:PutObject"],
      Resource: ["arn:aws:s3:::lake/_runs/*"],
      Condition: { Null: { "s3:if-match": "false" } },
    },
  ]);
  expect(canceller.flatMap(({ Action }) => Action).filter((action) => /Run|PassRole|iam:|Create/.test(action))).toEqual(
    [],
  );
});
