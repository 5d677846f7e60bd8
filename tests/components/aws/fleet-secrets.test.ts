import { unzipSync } from "fflate";
import { afterEach, beforeAll, expect, test } from "vitest";
import { GpuFleet, type GpuFleetArgs, Reaper, S3Lake } from "../../../components/aws/index.ts";
import { job } from "../../../core/job.ts";
import { RunSpec } from "../../../core/run-spec.ts";
import { fakeAws } from "../../stacks/fake-aws.ts";
import { isSecret, type Registered, record, settle } from "../mocks.ts";

process.env.AWS_REGION = "us-west-2";

let resources: Registered[];
beforeAll(() => {
  resources = record(fakeAws).resources;
});
afterEach(() => {
  resources.length = 0;
});

const secretive = job({
  name: "secretive",
  from: import.meta.url,
  steps: [{ name: "read", script: "../step.py", secrets: ["token"], arguments: ["--token", "{secret:token}"] }],
  tables: [{ name: "t", about: "A row", columns: [{ name: "n", type: "integer" }] }],
});
const args = { lifetime: { deadline: "8 hours", idle: "1 hour" }, region: "us-west-2" } as const;
const make = (secrets?: GpuFleetArgs["secrets"]) =>
  settle(() => {
    const lake = new S3Lake("lake", { job: secretive, bucket: "the-lake" });
    return new GpuFleet("fleet", { ...args, lake, reaper: new Reaper("reaper"), ...(secrets && { secrets }) });
  });
const named = (name: string) => resources.find((resource) => resource.name === name)?.inputs ?? {};

test("a secret is a parameter that the run's role alone reads, and nothing else has it", async () => {
  await make({ token: "hush" });
  const { name, type, value } = named("fleet-secret-token");
  expect([name, type, isSecret(value)]).toEqual(["/oneoff/oneoff/test/fleet/secrets/token", "SecureString", true]);
  const readers = resources.filter(({ type, inputs }) => {
    return type === "aws:iam/rolePolicy:RolePolicy" && JSON.stringify(inputs).includes("fleet-secret-token");
  });
  expect(readers.map(({ name }) => name)).toEqual(["fleet-run-policy"]);

  const files = unzipSync(Buffer.from(named("fleet-run-1").contentBase64 as string, "base64"));
  const spec = RunSpec.parse(JSON.parse(Buffer.from(files["run.json"] as Uint8Array).toString()));
  const script = "/opt/oneoff/scripts/fleet/job_secrets.py";
  expect(spec.secretsCommand).toEqual(["/opt/oneoff/python/bin/python", script, `token=${name}`]);
  expect(spec.steps[0]?.command.slice(-2)).toEqual(["--token", "/var/lib/oneoff/run/runs/1/secrets/token"]);
  const holders = resources.filter(({ inputs }) => JSON.stringify(inputs).includes("hush"));
  expect(holders.map(({ name }) => name)).toEqual(["fleet-secret-token"]);
});

test("a secret that the job needs and nobody gives is refused before anything is made, and so is its bill", async () => {
  const why = 'secrets has no "token", which job "secretive" asks for';
  await expect(make()).rejects.toThrow(why);
  expect(resources.filter(({ name }) => name.startsWith("fleet-"))).toEqual([]);
  expect(() => GpuFleet.bill({ ...args, job: secretive })).toThrow(why);
  expect(GpuFleet.bill({ ...args, job: secretive, secrets: { token: "hush" } }).length).toBeGreaterThan(0);
});

test.each([0, 4097])("a secret of %d bytes is refused", async (bytes) => {
  await expect(make({ token: "x".repeat(bytes) })).rejects.toThrow(
    `secrets.token has ${bytes} bytes: a fleet takes secrets of 1 to 4096 bytes`,
  );
});
