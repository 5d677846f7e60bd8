/** What a stack would cost and what it needs, told by its program without making anything. */
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { z } from "zod";
import { cost, withSettings } from "../../cli/cost.ts";
import { vcpusOf } from "../../cli/needs.ts";
import { rehearse } from "../../cli/rehearse.ts";
import { pricesAsOf } from "../../components/aws/prices-data.ts";
import { stackProgram } from "../../components/common/stack.ts";
import { ceiling, refuseAbove } from "../../core/bill.ts";
import { UsageError } from "../../core/errors.ts";
import { count } from "../../core/settings.ts";
import { makeProject, type Project } from "../project.ts";

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
  const { text, refused } = await cost(program, files({ "oneoff:workers": "4", "aws:region": "eu-west-1" }));
  expect(refused).toBe(false);
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
  const { text, refused } = await cost(program, files({ "oneoff:maxCost": "1" }));
  expect(refused).toBe(true);
  expect(text).toContain("At most 1.22 USD");
  expect(text).toContain('"pulumi up" refuses it: maxCost is 1 USD and this can cost up to 1.22 USD');
  await expect(cost(program, files({ "oneoff:workers": "0" }))).rejects.toThrow(
    'oneoff:workers is "0": expected a number above zero',
  );
  await expect(cost(program, files({ "oneoff:rows": "0" }))).rejects.toThrow("oneoff:rows is not a setting");
});

test("a refusal may name the setting as it is set", async () => {
  const named = stackProgram({
    ...program,
    run(settings) {
      try {
        return program.run(settings);
      } catch (error) {
        throw new UsageError(`oneoff:${(error as Error).message}`);
      }
    },
  });
  const { text, refused } = await cost(named, files({ "oneoff:maxCost": "1" }));
  expect(refused).toBe(true);
  expect(text).toContain("At most 1.22 USD");
  expect(text).toContain('"pulumi up" refuses it: oneoff:maxCost is 1 USD and this can cost up to 1.22 USD');
});

test("--set puts settings over those of the file; a secret that is needed has to be given so", async () => {
  const set = withSettings(files({ "oneoff:workers": "2" }), ["workers=5", "aws:region=us-east-1", "token=a=b"]);
  expect(set.config).toEqual({ "oneoff:workers": "5", "aws:region": "us-east-1", "oneoff:token": "a=b" });
  expect(() => withSettings(files({}), ["workers"])).toThrow('--set is "workers": expected key=value');
  const { "oneoff:token": _, ...config } = files({}).config;
  const secret = { ...files({}, ["oneoff:token"]), config };
  await expect(cost(program, secret)).rejects.toThrow(
    "oneoff:token is a secret, and those are left out: give another value with --set oneoff:token=VALUE",
  );
  expect((await cost(program, withSettings(secret, ["token=x"]))).refused).toBe(false);
});

test("the vCPUs of its machines are told by what it asks for", async () => {
  const { resources } = await rehearse(program, files({ "oneoff:workers": "3" }));
  expect(resources.map(({ type }) => type).sort()).toEqual([
    "aws:ec2/instance:Instance",
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:iam/role:Role",
    "aws:lambda/invocation:Invocation",
  ]);
  // 4 of the primary node, 2 of the dashboard, and 3 times the larger of the workers' types, should there be no spot.
  expect(vcpusOf(resources)).toEqual({ onDemand: 4 + 2 + 24, spot: 24 });
  const terminates = JSON.stringify({
    request: { Instances: { InstanceFleets: [fleet("CORE", ["m7g.xlarge"], 0, 3)] } },
  });
  const asked = (type: string, inputs: object) => [{ type, name: "x", id: "x-id", inputs: { ...inputs } }];
  const input = (text: string) => asked("aws:lambda/invocation:Invocation", { input: text });
  expect(vcpusOf(asked("aws:ec2/instance:Instance", { instanceType: "m7g.2xlarge" }))).toEqual({
    onDemand: 8,
    spot: 0,
  });
  expect(vcpusOf(input(terminates))).toEqual({ onDemand: 0, spot: 12 });
  expect(vcpusOf(input("not JSON"))).toEqual({ onDemand: 0, spot: 0 });
});

test("the command: no credentials, no backend; every stack by its own program", async () => {
  const project = makeProject({
    AWS_REGION: "us-west-2",
    AWS_ACCESS_KEY_ID: "",
    AWS_SECRET_ACCESS_KEY: "",
    HOME: "/nowhere",
  });
  try {
    expect(await project.oneoff("cost", "local")).toEqual({
      code: 0,
      output: "Stack local rents nothing: it costs nothing.\n",
    });
    const real = await project.oneoff("cost", "emr-oneoff");
    expect(real.code).toBe(0);
    expect(real.output).toMatch(/^what .* USD\/h .*\nprimary node, m6g.xlarge: EC2 and EMR /);
    expect(real.output).toMatch(/\nAt most \d+\.\d\d USD, by AWS's list prices of /);
    const refused = await project.oneoff("cost", "emr-oneoff", "--set", "maxCost=0.1", "--set", "workers=1");
    expect(refused).toMatchObject({
      code: 1,
      output: expect.stringContaining('"pulumi up" refuses it: oneoff:maxCost is 0.1 USD'),
    });
    expect(refused.output).toContain("1 worker, m7g.xlarge");
    const google = await project.oneoff("cost", "dataproc", "--set", "gcp:region=europe-west1");
    expect(google.code).toBe(0);
    expect(google.output).toMatch(/\nAt most \d+\.\d\d USD, by Google's list prices of \d{4}-\d\d-\d\d, without tax/);
    expect(await project.oneoff("cost", "nope")).toMatchObject({
      code: 1,
      output: expect.stringContaining('oneoff: there is no program "nope" in stacks/'),
    });
  } finally {
    project.remove();
  }
}, 60_000);

const withProject = async (file: string | undefined, check: (project: Project) => Promise<void>) => {
  // Nobody is logged in.
  const project = makeProject({
    AWS_REGION: "us-west-2",
    PULUMI_BACKEND_URL: undefined,
    PULUMI_CREDENTIALS_PATH: "/nowhere",
  });
  const at = join(project.folder, "Pulumi.yaml");
  try {
    rmSync(join(project.folder, ".oneoff", "state"), { recursive: true });
    if (file === undefined) rmSync(at);
    else writeFileSync(at, file);
    await check(project);
  } finally {
    project.remove();
  }
};

test("outside of a project the programs that come with the package are told of with their defaults", async () => {
  await withProject(undefined, async ({ folder, oneoff }) => {
    rmSync(join(folder, "stacks"), { recursive: true });
    for (const [name, setting] of [
      ["local", "cores"],
      ["emr-oneoff", "workers"],
    ]) {
      const { code, output } = await oneoff("settings", name as string);
      expect(code).toBe(0);
      expect(output).toContain(`| \`oneoff:${setting}\``);
    }
    const bill = await oneoff("cost", "emr-oneoff", "--set", "workers=5");
    expect(bill.code).toBe(0);
    expect(bill.output).toMatch(/^5 workers, /m);
    for (const command of ["settings", "cost", "doctor"]) {
      expect(await oneoff(command, "nope")).toEqual({
        code: 1,
        output:
          'oneoff: there is no program "nope", and no Pulumi.yaml here or above: give this command in the folder of the project, or for one of dataproc, emr-oneoff, local, swarm\n',
      });
    }
    for (const command of ["watch", "open", "run", "env"]) {
      const refused = await oneoff(...(command === "env" ? ["env"] : [command, "local"]));
      expect(refused).toMatchObject({
        code: 1,
        output: expect.stringContaining("oneoff: there is no Pulumi.yaml in "),
      });
    }
    expect(existsSync(join(folder, ".oneoff", "state"))).toBe(false);
  });
}, 120_000);

test("a stack of a program of the user's own is not taken for one of ours because of its name", async () => {
  await withProject("name: oneoff\nruntime: nodejs\nstackConfigDir: stacks\n", async ({ folder, oneoff }) => {
    for (const command of ["settings", "cost", "doctor"]) {
      expect(await oneoff(command, "emr-oneoff")).toEqual({
        code: 1,
        output:
          "oneoff: stack emr-oneoff is made by a program of your own, and this command is for those that come with pulumi-oneoff (dataproc, emr-oneoff, local, swarm): outside of your project it tells of them\n",
      });
    }
    const lost = await oneoff("watch", "emr-oneoff");
    expect(lost).toEqual({
      code: 1,
      output:
        'oneoff: you are not logged in to a Pulumi backend, where stack emr-oneoff would be: log in with "pulumi login" (or set PULUMI_BACKEND_URL); if it rents nothing, eval "$(npx oneoff env)" keeps it in .oneoff/state\n',
    });
    expect(existsSync(join(folder, ".oneoff", "state"))).toBe(false);
    const { code, output } = await oneoff("env");
    expect(code).toBe(0);
    expect(output).toContain("export PULUMI_BACKEND_URL=");
    expect(await oneoff("watch", "emr-oneoff")).toEqual({
      code: 1,
      output: "oneoff: no stack named 'emr-oneoff' found\n",
    });
  });
}, 120_000);

test("our programs are told by the project's main, whatever it is called; another project's stack is not of it", async () => {
  await withProject(
    "name: mine\nruntime: nodejs\nmain: ./engine/program.mjs\nstackConfigDir: stacks\n",
    async ({ oneoff }) => {
      expect(await oneoff("cost", "local")).toMatchObject({ code: 0 });
      expect(await oneoff("cost", "me/mine/emr-oneoff")).toMatchObject({ code: 0 });
      expect(await oneoff("cost", "me/other/emr-oneoff")).toMatchObject({
        code: 1,
        output: expect.stringContaining("is made by a program of your own"),
      });
      expect(await oneoff("watch", "emr-oneoff")).toMatchObject({
        code: 1,
        output: expect.stringContaining(
          "stack emr-oneoff rents machines and you are not logged in to a Pulumi backend",
        ),
      });
    },
  );
}, 60_000);
