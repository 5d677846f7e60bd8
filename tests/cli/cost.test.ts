/** What a stack would cost and what it needs, told by its program without making anything. */
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { z } from "zod";
import { part } from "../../cli/aws/emr/index.ts";
import { sumOf, vcpusOf } from "../../cli/aws/needs.ts";
import { bundledCost, withSettings } from "../../cli/cost.ts";
import { rehearse } from "../../cli/rehearse.ts";
import { pricesAsOf } from "../../components/aws/prices-data.ts";
import { stackProgram } from "../../components/common/stack.ts";
import { ceiling, refuseAbove } from "../../core/bill.ts";
import { count, inSettingsOf } from "../../core/settings.ts";

class Thing extends pulumi.CustomResource {
  declare readonly arn: pulumi.Output<string>;
  declare readonly answer: pulumi.Output<string>;
  constructor(type: string, name: string, inputs: object) {
    super(type, name, { ...inputs, arn: undefined, answer: undefined });
  }
}

const fleet = (type: string, types: readonly string[], onDemand: number, spot: number, TimeoutAction?: string) => ({
  InstanceFleetType: type,
  TargetOnDemandCapacity: onDemand,
  TargetSpotCapacity: spot,
  InstanceTypeConfigs: types.map((InstanceType) => ({ InstanceType })),
  ...(TimeoutAction && { LaunchSpecifications: { SpotSpecification: { TimeoutAction } } }),
});

const program = stackProgram({
  about: "A program for the tests",
  rents: true,
  settings: () =>
    z.object({
      workers: count().default(2).describe("How many"),
      maxCost: z.coerce.number().optional().describe("USD"),
      password: z.string().optional().describe("A secret"),
      token: z.string().describe("A secret that must be given"),
    }),
  run({ workers, maxCost }) {
    const bill = [
      { what: `${workers} workers, m7g.xlarge`, usdPerHour: workers * 0.2, hours: 1.75, usd: workers * 0.35 },
      { what: "Athena", usdPerHour: 0, hours: 0, usd: 0.5 },
      { what: "reaper", usdPerHour: 0.0001, hours: 168, usd: 0.02 },
    ];
    refuseAbove(maxCost, bill);
    pulumi.log.info("not for the table");
    const role = new Thing("aws:iam/role:Role", "role", {});
    role.answer.apply((answer) => {
      throw new Error(`nothing is known of what only AWS can tell, but there was ${answer}`);
    });
    const fleets = [
      fleet("MASTER", ["m6g.xlarge"], 1, 0),
      fleet("CORE", ["m7g.xlarge", "m7g.2xlarge"], 0, workers, "SWITCH_TO_ON_DEMAND"),
    ];
    const request = { Instances: { InstanceFleets: fleets }, ServiceRole: role.arn };
    new Thing("aws:lambda/invocation:Invocation", "run", { input: pulumi.jsonStringify({ request }) });
    const template = new Thing("aws:ec2/launchTemplate:LaunchTemplate", "template", { instanceType: "t4g.small" });
    new Thing("aws:ec2/instance:Instance", "dashboard", { launchTemplate: { id: template.id } });
    return { bill, ceiling: ceiling(bill), region: pulumi.output(new pulumi.Config("aws").get("region")) };
  },
});

const files = (config: Readonly<Record<string, string>>, secret: readonly string[] = []) => ({
  project: "oneoff",
  stack: "test",
  others: [],
  secret,
  bundled: true,
  config: { "oneoff:token": "t", ...config },
});

test("a stack's bill is a table with its ceiling and the date of the prices", async () => {
  const { text, refusal } = await bundledCost(program, files({ "oneoff:workers": "4", "aws:region": "eu-west-1" }));
  expect(refusal).toBeUndefined();
  expect(text.split("\n")).toEqual([
    "what                    USD/h   hours     USD",
    "4 workers, m7g.xlarge   0.800    1.75    1.40",
    "Athena                                   0.50",
    "reaper                 <0.001     168    0.02",
    "",
    `At most 1.92 USD, by AWS's list prices of ${pricesAsOf}, without tax and free tier.`,
  ]);
});

test("a bill above maxCost is shown with the refusal; other refusals are errors", async () => {
  const { text, refusal } = await bundledCost(program, files({ "oneoff:maxCost": "1" }));
  expect(refusal).toBeDefined();
  expect(text).toContain("At most 1.22 USD");
  expect(text).toContain('"pulumi up" refuses it: maxCost is 1 USD and this can cost up to 1.22 USD');
  await expect(bundledCost(program, files({ "oneoff:workers": "0" }))).rejects.toThrow(
    'oneoff:workers is "0": expected a number above zero',
  );
  await expect(bundledCost(program, files({ "oneoff:rows": "0" }))).rejects.toThrow(
    "oneoff:rows is a setting of job xo",
  );
});

test("a refusal may name the setting as it is set", async () => {
  const named = stackProgram({
    ...program,
    run: (settings) => inSettingsOf(program.settings({}), {})(() => program.run(settings)),
  });
  const { text, refusal } = await bundledCost(named, files({ "oneoff:maxCost": "1" }));
  expect(refusal).toBeDefined();
  expect(text).toContain("At most 1.22 USD");
  expect(text).toContain('"pulumi up" refuses it: oneoff:maxCost is 1 USD and this can cost up to 1.22 USD');
});

test("--set puts settings over those of the file; a secret that is needed has to be given so", async () => {
  const set = withSettings(files({ "oneoff:workers": "2" }), ["workers=5", "aws:region=us-east-1", "token=a=b"]);
  expect(set.config).toEqual({ "oneoff:workers": "5", "aws:region": "us-east-1", "oneoff:token": "a=b" });
  expect(() => withSettings(files({}), ["workers"])).toThrow('--set is "workers": expected key=value');
  const { "oneoff:token": _, ...config } = files({}).config;
  const secret = { ...files({}, ["oneoff:token"]), config };
  await expect(bundledCost(program, secret)).rejects.toThrow(
    "oneoff:token is a secret, and those are left out: give another value with --set oneoff:token=VALUE",
  );
  expect((await bundledCost(program, withSettings(secret, ["token=x"]))).refusal).toBeUndefined();
});

const vcpus = (resources: Parameters<typeof vcpusOf>[0]) => sumOf([vcpusOf(resources), part.vcpus(resources)]);

test("the vCPUs of its machines are told by what it asks for", async () => {
  const { resources } = await rehearse(program, files({ "oneoff:workers": "3" }));
  expect(resources.map(({ type }) => type).sort()).toEqual([
    "aws:ec2/instance:Instance",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:iam/role:Role",
    "aws:lambda/invocation:Invocation",
  ]);
  // 4 of the primary node, 2 of the dashboard, and 3 times the larger of the workers' types, should there be no spot.
  expect(vcpus(resources)).toEqual({ onDemand: 4 + 2 + 24, spot: 24 });
  const terminates = JSON.stringify({
    request: { Instances: { InstanceFleets: [fleet("CORE", ["m7g.xlarge"], 0, 3)] } },
  });
  const asked = (type: string, inputs: object) => [{ type, name: "x", id: "x-id", inputs: { ...inputs } }];
  const input = (text: string) => asked("aws:lambda/invocation:Invocation", { input: text });
  expect(vcpus(asked("aws:ec2/instance:Instance", { instanceType: "m7g.2xlarge" }))).toEqual({
    onDemand: 8,
    spot: 0,
  });
  expect(vcpus(input(terminates))).toEqual({ onDemand: 0, spot: 12 });
  expect(vcpus(input("not JSON"))).toEqual({ onDemand: 0, spot: 0 });
});
