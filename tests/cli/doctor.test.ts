/** What `oneoff doctor` says of an AWS account. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { EC2Client, RunInstancesCommand } from "@aws-sdk/client-ec2";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { part } from "../../cli/aws/emr/index.ts";
import { part as fleetPart } from "../../cli/aws/gpu-fleet/index.ts";
import { accountChecks } from "../../cli/aws/index.ts";
import type { Check } from "../../cli/check.ts";
import { stackFiles } from "../../cli/config.ts";
import type { RehearsedResource } from "../../cli/platform.ts";
import { stackContext } from "../../cli/stack.ts";
import { type Moto, startMoto } from "../moto.ts";
import { makeProject } from "../project.ts";
import { type Front, Refusal, startFront } from "./front.ts";
import { STACK, type StackOnAws, stackOnAws } from "./stack.ts";

const CLI = fileURLToPath(new URL("../../cli/oneoff.mjs", import.meta.url));

let moto: Moto;
let front: Front;
let stack: StackOnAws;
const cwd = process.cwd();
const { PATH } = process.env;
const bin = mkdtempSync(join(tmpdir(), "oneoff-bin-"));

beforeAll(async () => {
  moto = await startMoto();
  front = await startFront(moto.url);
  process.env.AWS_ENDPOINT_URL = front.url;
  stack = await stackOnAws({ AWS_ENDPOINT_URL: front.url, PATH: [bin, PATH].join(delimiter) }, { cluster: "emr" });
  process.chdir(stack.folder);
}, 60_000);
afterAll(() => {
  process.chdir(cwd);
  process.env.PATH = PATH;
  rmSync(bin, { recursive: true });
  stack.remove();
  front.close();
  moto.close();
});
beforeEach(async () => {
  await moto.reset();
  process.env.PATH = [bin, PATH].join(delimiter);
});
afterEach(() => front.reset());

const quotas = (values: Readonly<Record<string, number>>) =>
  front.answer("GetServiceQuota", ({ ServiceCode, QuotaCode }) =>
    ServiceCode === "ec2" && String(QuotaCode) in values
      ? { Quota: { QuotaCode, Value: values[String(QuotaCode)] } }
      : new Refusal("NoSuchResourceException"),
  );
const LAUNCH = {
  ...{ type: "aws:lambda/invocation:Invocation", name: "run", id: "run-id" },
  inputs: { input: JSON.stringify({ request: { Instances: { InstanceFleets: [{}] } } }) },
};
/** Of a stack that launches a cluster, with so many vCPUs. */
const checks = async (onDemand: number, spot: number) => {
  const launches = { ...part, vcpus: () => ({ onDemand, spot }) };
  const found = await accountChecks(stackContext(STACK, stackFiles(STACK)), [LAUNCH], [launches]);
  return Object.fromEntries(found.map(({ name, ...check }) => [name, check]));
};

const plugin = join(bin, "session-manager-plugin");
const has = async (...roles: readonly string[]) => {
  const iam = new IAMClient({});
  for (const RoleName of roles) {
    await iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: "{}" }));
  }
};

test("an account that has all of it", async () => {
  quotas({ "L-1216C47A": 64, "L-34B43A08": 24 });
  await has("AWSServiceRoleForEMRCleanup", "AWSServiceRoleForEC2Spot");
  writeFileSync(plugin, "#!/bin/sh\necho 1.2.650.0\n", { mode: 0o755 });
  const found = await checks(30, 24);
  expect(Object.values(found).every(({ ok }) => ok)).toBe(true);
  expect(Object.entries(found).map(([name, { detail }]) => `${name}: ${detail}`)).toEqual([
    expect.stringMatching(/^AWS credentials: account 123456789012, as arn:aws:sts::123456789012:/),
    "AWS region: us-west-2",
    "on-demand quota: 30 vCPUs of standard instances are needed, 64 are allowed in us-west-2 for all that runs there",
    "spot quota: 24 vCPUs of standard instances are needed, 24 are allowed in us-west-2 for all that runs there",
    "role for EMR: service-linked role AWSServiceRoleForEMRCleanup",
    "role for spot: service-linked role AWSServiceRoleForEC2Spot",
    "session plugin: session-manager-plugin 1.2.650.0",
  ]);
});

test("what isn't used is not asked for", async () => {
  quotas({ "L-1216C47A": 64 });
  expect(Object.keys(await checks(30, 0))).toEqual([
    "AWS credentials",
    "AWS region",
    "on-demand quota",
    "role for EMR",
    "session plugin",
  ]);
});

test("what is missing has a cure", async () => {
  front.answer("GetServiceQuota", () => new Refusal("NoSuchResourceException"));
  front.answer("GetAWSDefaultServiceQuota", ({ QuotaCode }) =>
    QuotaCode === "L-34B43A08" ? { Quota: { Value: 5 } } : new Refusal("NoSuchResourceException"),
  );
  rmSync(plugin, { force: true });
  const found = await checks(30, 24);
  expect(found["spot quota"]).toEqual({
    ok: false,
    detail: "24 vCPUs of standard instances are needed, 5 are allowed in us-west-2 for all that runs there",
    cure: "Ask for more: aws service-quotas request-service-quota-increase --region us-west-2 --service-code ec2 --quota-code L-34B43A08 --desired-value 24; or take fewer or smaller machines.",
  });
  expect(found["on-demand quota"]).toEqual({
    ok: false,
    detail: "not known in us-west-2",
    cure: "See quota L-1216C47A of EC2 in the console.",
  });
  expect(found["role for EMR"]).toEqual({
    ok: false,
    later: true,
    detail: "no service-linked role AWSServiceRoleForEMRCleanup yet",
    cure: "The first cluster makes it; if that is not allowed: aws iam create-service-linked-role --aws-service-name elasticmapreduce.amazonaws.com",
  });
  expect(found["role for spot"]).toEqual({
    ok: false,
    later: true,
    detail: "no service-linked role AWSServiceRoleForEC2Spot yet",
    cure: "The first cluster with spot instances makes it; if that is not allowed: aws iam create-service-linked-role --aws-service-name spot.amazonaws.com",
  });
  expect(found["session plugin"]).toEqual({
    ok: false,
    later: true,
    detail: "session-manager-plugin is not on PATH",
    cure: expect.stringMatching(/^Only "oneoff open" and "oneoff fleet ssh" need it: install it: https:/),
  });
  writeFileSync(plugin, "#!/bin/sh\necho broken >&2\nexit 3\n", { mode: 0o755 });
  expect((await checks(30, 24))["session plugin"]).toEqual({
    ok: false,
    later: true,
    detail: expect.stringMatching(/^session-manager-plugin doesn't run: /),
  });
});

test("without a region or credentials nothing else is asked; a check that isn't allowed spares the others", async () => {
  front.answer(
    "GetServiceQuota",
    () => new Refusal("AccessDeniedException", "User x may not servicequotas:GetServiceQuota"),
  );
  const denied = await checks(30, 0);
  expect(denied["on-demand quota"]).toEqual({
    ok: false,
    detail: expect.stringContaining("AWS doesn't allow it: User x"),
  });
  expect(denied["role for EMR"]).toMatchObject({ later: true });

  front.answer("GetCallerIdentity", () => new Refusal("ExpiredToken", "expired"));
  expect(Object.keys(await checks(30, 24))).toEqual(["AWS credentials", "AWS region", "session plugin"]);

  const file = join(stack.folder, "stacks", `Pulumi.${STACK}.yaml`);
  const settings = readFileSync(file, "utf8");
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  writeFileSync(file, settings.replace(/.*aws:region.*\n/, ""));
  delete process.env.AWS_REGION;
  delete process.env.AWS_DEFAULT_REGION;
  try {
    const found = await checks(30, 24);
    expect(Object.keys(found)).toEqual(["AWS region", "session plugin"]);
    expect(found["AWS region"]?.detail).toBe(
      'stack emr-oneoff has no region: set one with "npx pulumi config set aws:region us-west-2 --stack emr-oneoff", or set AWS_REGION',
    );
  } finally {
    writeFileSync(file, settings);
    Object.assign(process.env, { AWS_REGION, AWS_DEFAULT_REGION });
  }
});

/** A group as a fleet's program asks for it. */
const GROUP = {
  ...{ type: "aws:autoscaling/group:Group", name: "workers", id: "workers-id" },
  inputs: {
    ...{ maxSize: 2, vpcZoneIdentifiers: ["subnet-1", "subnet-2"] },
    mixedInstancesPolicy: {
      launchTemplate: { overrides: [{ instanceType: "g6.xlarge" }] },
      instancesDistribution: { onDemandBaseCapacity: 0, onDemandPercentageAboveBaseCapacity: 100 },
    },
  },
};

test("a fleet: quotas of its GPUs with what runs besides, the zones that offer them, the plugin, ssh", async () => {
  quotas({ "L-DB2E81BA": 12 });
  front.answer("GetAccountPlanState", () => ({ accountPlanType: "FREE", accountPlanStatus: "ACTIVE" }));
  const run = (stackTag: string) =>
    new EC2Client({}).send(
      new RunInstancesCommand({
        ...{ MinCount: 1, MaxCount: 1, ImageId: "ami-12c6146b", InstanceType: "g6.2xlarge" },
        TagSpecifications: [{ ResourceType: "instance", Tags: [{ Key: "oneoff:stack", Value: stackTag }] }],
      }),
    );
  await run("oneoff/other");
  await run(`oneoff/${STACK}`);
  const fleet = (resource: RehearsedResource) =>
    accountChecks(stackContext(STACK, stackFiles(STACK)), [resource], [fleetPart]);
  const zonesCheck = (resource: RehearsedResource) => fleetPart.checks?.("us-west-2", [resource])[0] as Promise<Check>;
  const found = Object.fromEntries((await fleet(GROUP)).map(({ name, ...check }) => [name, check]));
  expect(Object.keys(found)).toEqual([
    ...["AWS credentials", "AWS region", "on-demand quota G", "role for scaling", "zones", "account plan", "ssh"],
    "session plugin",
  ]);
  expect(found["on-demand quota G"]).toEqual({
    ok: false,
    detail:
      "8 vCPUs of instances of families G and VT are needed, 8 are in use by other things, 12 are allowed in us-west-2 for all that runs there",
    cure: expect.stringContaining("--quota-code L-DB2E81BA --desired-value 16;"),
  });
  expect(found.zones).toMatchObject({ ok: true });
  expect(found.zones?.detail).toMatch(/^of us-west-2a and us-west-2b: g6\.xlarge in us-west-2[ab]/);
  expect(found.ssh?.detail).toMatch(/^OpenSSH/);

  const cure = "Upgrade the account to the paid plan (console, Billing, Free tier), or take oneoff:gpu none.";
  expect(found["account plan"]).toEqual({ ok: false, detail: "the free plan, which rents no GPUs", cure });
  const plan = () => fleetPart.checks?.("us-west-2", [GROUP])[1];
  front.answer("GetAccountPlanState", () => ({ accountPlanType: "PAID", accountPlanStatus: "ACTIVE" }));
  expect(await plan()).toMatchObject({ ok: true, detail: "not the free plan" });
  front.answer("GetAccountPlanState", () => new Refusal("ResourceNotFoundException"));
  expect(await plan()).toMatchObject({ ok: true });
  front.answer("GetAccountPlanState", () => new Refusal("AccessDeniedException", "no freetier:GetAccountPlanState"));
  expect(await plan()).toMatchObject({ ok: false, later: true, detail: expect.stringContaining("doesn't allow it") });

  const both = await Promise.all(fleetPart.checks?.("us-west-2", [GROUP, { ...GROUP, name: "spare" }]) ?? []);
  expect(both.map(({ name }) => name)).toEqual(["zones", "account plan", "ssh"]);

  const nowhere = structuredClone(GROUP);
  nowhere.inputs.mixedInstancesPolicy.launchTemplate.overrides = [{ instanceType: "g99.xlarge" }];
  expect((await zonesCheck(nowhere)).cure).toBe(
    "us-west-2 doesn't offer them: name other types or GPUs, or take another region.",
  );
});

test("the command: the program's own numbers, and 1 as exit code when something is missing", async () => {
  quotas({ "L-1216C47A": 1, "L-34B43A08": 1000 });
  const { code, output } = await stack.oneoff("doctor", STACK);
  expect(code).toBe(1);
  expect(output).toMatch(/^ok {7}settings {14}\d+ things cost money, at most \d+\.\d\d USD$/m);
  // 3 workers of 4 vCPUs and the primary node's 4; 2 of the dashboard.
  expect(output).toMatch(/^missing {2}on-demand quota {7}18 vCPUs of standard instances are needed, 1 are allowed/m);
  expect(output).toMatch(/^later {4}role for EMR {10}no service-linked role/m);
  expect(output).toMatch(/^ok {7}stack {17}emr-oneoff$/m);
  await stack.mustPulumi("config", "set", "oneoff:deadline", "soon", "--stack", STACK);
  const broken = await stack.oneoff("doctor", STACK);
  await stack.mustPulumi("config", "rm", "oneoff:deadline", "--stack", STACK);
  expect(broken).toMatchObject({
    code: 1,
    output: expect.stringMatching(/^missing {2}settings {14}oneoff:deadline is "soon": expected a number and a unit/m),
  });
}, 60_000);

test("what only runs on this machine need is not asked of a stack that rents", async () => {
  const env = { ...stack.env, JAVA_HOME: "/nowhere" };
  const doctor = (name: string) =>
    promisify(execFile)(process.execPath, [CLI, "doctor", name], { cwd: stack.folder, env }).then(
      ({ stdout }) => stdout,
      ({ stdout }) => stdout as string,
    );
  const local = await doctor("local");
  expect(local).toMatch(/^missing {2}Java {18}Java 17 or newer was not found/m);
  expect(local).toMatch(/^\w+ +Python {2}.*\n(.*\n)*\w+ +PySpark {2}/m);
  const rents = await doctor(STACK);
  expect(rents).not.toMatch(/^\w+ +(Java|Python|PySpark) {2}/m);
  expect(rents).not.toContain("Java 17");
  for (const name of ["npm packages", "Pulumi CLI", "Node language host", "dashboard page", "bundles"]) {
    expect(rents).toMatch(new RegExp(`^\\w+ +${name} {2}`, "m"));
  }
}, 60_000);

test("a stack must be made once; who is not logged in is told of that first", async () => {
  const { output } = await stack.oneoff("doctor", "emr-oneoff-large");
  expect(output).toMatch(
    /^later {4}stack {17}there is no stack emr-oneoff-large yet\n {9}Make it, once: npx pulumi stack init emr-oneoff-large$/m,
  );
  const project = makeProject({ AWS_ENDPOINT_URL: front.url, PULUMI_CREDENTIALS_PATH: "/nowhere" });
  try {
    const { code, output } = await project.oneoff("doctor", STACK);
    expect(code).toBe(1);
    expect(output).toMatch(/^missing {2}Pulumi backend {8}you are not logged in$/m);
    expect(output).not.toContain("stack init");
  } finally {
    project.remove();
  }
}, 60_000);

test("a backend that can't be used is one of the things that are missing", async () => {
  const project = makeProject({ PULUMI_BACKEND_URL: "file:///dev/null/state" });
  try {
    const { code, output } = await project.oneoff("doctor");
    expect(code).toBe(1);
    expect(output).toMatch(
      /^missing {2}Pulumi backend {8}the Pulumi backend file:\/\/\/dev\/null\/state can't be used: .*$/m,
    );
    expect(output).toMatch(/^ok {7}Pulumi CLI/m);
  } finally {
    project.remove();
  }
}, 60_000);
