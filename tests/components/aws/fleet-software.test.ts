import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Contents } from "../../../assets/fleet-stager/event.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { type FleetSoftware, type FleetSoftwareArgs, fleetSoftware } from "../../../components/aws/fleet/software.ts";
import { S3Lake } from "../../../components/aws/index.ts";
import type { Job } from "../../../core/job.ts";
import { fakeAws } from "../../stacks/fake-aws.ts";
import { type Registered, record, result, settle } from "../mocks.ts";

process.env.AWS_REGION = "us-west-2";

let resources: Registered[];
const folder = mkdtempSync(join(tmpdir(), "oneoff-software-"));
beforeAll(() => {
  resources = record(fakeAws).resources;
});
afterEach(() => {
  resources.length = 0;
});
afterAll(() => rmSync(folder, { recursive: true }));

const job = xo({ rows: 100 });

class Fleet extends pulumi.ComponentResource {
  readonly software: FleetSoftware;

  constructor(args: Partial<FleetSoftwareArgs>, given: Job) {
    super("test:index:Fleet", "fleet");
    const lake = new S3Lake("lake", { job: given, bucket: "the-lake" });
    this.software = fleetSoftware("fleet", { lake, ...args }, this);
  }
}

const make = async (args: Partial<FleetSoftwareArgs> = {}, given: Job = job) =>
  (await settle(() => new Fleet(args, given))).software;
const named = (name: string) => {
  const found = resources.filter((resource) => resource.name === name);
  expect(found.map(({ name }) => name)).toEqual([name]);
  return found[0]?.inputs ?? {};
};
const uploads = () => resources.filter(({ type, name }) => /BucketObjectv2/.test(type) && name.startsWith("fleet-"));
const input = () => JSON.parse(named("fleet-staged").input as string);
const nodes = (): Readonly<Record<string, Contents>> => input().manifests.nodes;

test("what nodes install is staged from what is uploaded, all of it at its SHA-256", async () => {
  const software = await make();
  expect(input()).toMatchObject({
    bucket: "the-lake",
    packageIndex: "https://pypi.org/simple",
    maven: "https://repo1.maven.org/maven2",
  });
  expect(Object.keys(nodes())).toEqual(["scripts", "python", "hadoop", "jupyter"]);
  const byKey = new Map(uploads().map(({ inputs }) => [inputs.key as string, inputs]));
  expect(byKey.size).toBe(uploads().length);
  for (const [key, { source, bucket, tags }] of byKey) {
    const content = readFileSync(await (source as pulumi.asset.FileAsset).path);
    expect(key.split("/").slice(0, 2)).toEqual(["_software", createHash("sha256").update(content).digest("hex")]);
    expect({ bucket, tags }).toEqual({ bucket: "the-lake", tags: { "oneoff:stack": "oneoff/test" } });
  }
  const { scripts, python, hadoop, jupyter } = nodes();
  const files = Object.entries(scripts?.files ?? {});
  expect(files.map(([to]) => to)).toEqual(
    expect.arrayContaining([
      ...["fleet/software.py", "fleet/job_python.py", "fleet/run-python", "fleet/users.py", "fleet/sshd.conf"],
      ...["hdfs/entrypoint", "hdfs/healthy", "hdfs/java-options", "hdfs/conf/core-site.xml"],
      ...["spark/entrypoint", "spark/healthy", "spark/gpus", "spark/spark-defaults.conf"],
    ]),
  );
  const used = [...files.map(([, key]) => key), python?.requirements, hadoop?.jars, jupyter?.requirements];
  expect(used.filter((key) => !byKey.has(key as string))).toEqual([]);
  expect(python?.sources).toBe(true);
  expect(software.loader.key).toBe(scripts?.files?.["fleet/software.py"]);
  expect(software.loader.key).toBe(`_software/${software.loader.sha256}/software.py`);
  const manifest = await result(software.manifest);
  expect(manifest).toMatch(/^[0-9a-f]{64}$/);
  expect(await result(software.manifestKey)).toBe(`_software/manifests/${manifest}.json`);
});

test("a fleet without HDFS or notebooks has nothing of them", async () => {
  await make({ hdfs: false, notebook: false });
  expect(Object.keys(nodes())).toEqual(["scripts", "python"]);
  expect(uploads().filter(({ name }) => /jars|jupyter$/.test(name))).toEqual([]);
});

test("what scores flows is in a manifest of the head's, and the others' stays as it is", async () => {
  const without = await make();
  expect(await result(without.manifests.head)).toBe(await result(without.manifest));
  const before = named("fleet-staged").input;
  resources.length = 0;
  const software = await make({ app: true });
  expect(named("fleet-staged").input).toBe(before);
  const { head } = JSON.parse(named("fleet-staged-head").input as string).manifests;
  const { scoring, ...others } = head;
  expect(others).toEqual(nodes());
  expect(Object.keys(scoring.files)).toEqual(
    expect.arrayContaining([
      ...["scoring/score.py", "scoring/scoring_server.py", "scoring/page/index.html"],
      ...["jobs/oneoff.py", "jobs/nids/nids_layouts.py"],
    ]),
  );
  const there = new Set(uploads().map(({ inputs }) => inputs.key));
  expect([...Object.values(scoring.files), scoring.requirements].filter((key) => !there.has(key))).toEqual([]);
  expect(await result(software.manifests.head)).not.toBe(await result(software.manifest));
});

test("YARN is in manifests of the head's and the workers', and the data nodes' stays as it is", async () => {
  const without = await make();
  const before = named("fleet-staged").input;
  resources.length = 0;
  const software = await make({ yarn: true, app: true });
  expect(named("fleet-staged").input).toBe(before);
  const { manifest, manifests } = software;
  expect(await result(manifests.data)).toBe(await result(without.manifest));
  const there = new Set(uploads().map(({ inputs }) => inputs.key));
  const own = (role: string) => JSON.parse(named(`fleet-staged-${role}`).input as string).manifests[role];
  const { yarn, ...others } = own("worker");
  expect(others).toEqual(nodes());
  expect(own("head")).toEqual({ ...nodes(), scoring: expect.anything(), yarn });
  expect(Object.keys(yarn.files)).toEqual(
    expect.arrayContaining(["yarn/entrypoint", "yarn/gpus", "yarn/conf/yarn-site.xml", "images/spark/gpus"]),
  );
  expect([...Object.values(yarn.files), yarn.jars].filter((key) => !there.has(key))).toEqual([]);
  const digests = await result(pulumi.all([manifest, manifests.head, manifests.worker]));
  expect(new Set(digests).size).toBe(3);
});

test("what a job requires is a manifest of its own, once for all steps that require the same", async () => {
  const software = await make();
  const { nodes: _, ...venvs } = input().manifests;
  const [step] = job.steps.filter(({ requirements }) => requirements !== undefined);
  expect(Object.keys(venvs)).toHaveLength(1);
  expect(Object.entries(venvs)).toEqual([[expect.stringMatching(/\/requirements\.txt$/), expect.anything()]]);
  expect(Object.values(venvs)).toEqual([{ venv: { requirements: Object.keys(venvs)[0] } }]);
  const digest = await result(software.requirements(step as NonNullable<typeof step>));
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
  expect(digest).not.toBe(await result(software.manifest));
  const { requirements: _none, ...without } = job.steps[0] as (typeof job.steps)[0];
  expect(await result(software.requirements(without))).toBe("");
});

test("the function is called anew when anything changes, and never by an update", async () => {
  await make();
  const before = named("fleet-staged");
  expect(before.lifecycleScope).toBe("CREATE_ONLY");
  resources.length = 0;
  await make();
  expect(named("fleet-staged").input).toBe(before.input);
  resources.length = 0;
  writeFileSync(join(folder, "more.sh"), "echo");
  await make({ scripts: { "more/more.sh": join(folder, "more.sh") }, maven: "https://example.org/maven2" });
  expect(nodes().scripts?.files?.["more/more.sh"]).toMatch(/^_software\/[0-9a-f]{64}\/more\.sh$/);
  expect(named("fleet-staged").input).not.toBe(before.input);
});

test("the function writes below its prefix alone, and has time for it", async () => {
  const { statements } = await make();
  const { Statement } = JSON.parse(named("fleet-stager-policy").policy as string);
  expect(Statement.slice(1)).toEqual([
    {
      Effect: "Allow",
      Action: ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
      Resource: "arn:aws:s3:::the-lake/_software/*",
    },
    { Effect: "Allow", Action: ["s3:ListBucket"], Resource: "arn:aws:s3:::the-lake" },
  ]);
  expect(named("fleet-stager-function")).toMatchObject({ timeout: 900, memorySize: 1792 });
  const read = await result(pulumi.output([...statements]));
  expect(read.flatMap(({ Action }) => Action)).toEqual(["s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject"]);
  expect(JSON.stringify(read.at(-1)?.Resource)).toContain("arn:aws:s3:::the-lake/_software/*");
});

test("a file that is not there is refused before anything is made", async () => {
  const path = join(folder, "none.sh");
  await expect(make({ scripts: { "more/none.sh": path } })).rejects.toThrow(`"${path}" is not there`);
  expect(resources.filter(({ name }) => name.startsWith("fleet-"))).toEqual([]);
});

test.each([
  [
    "maven",
    "repo1.maven.org",
    'maven is "repo1.maven.org": expected an address such as "https://repo1.maven.org/maven2"',
  ],
  ["packageIndex", "ftp://x/simple", 'packageIndex is "ftp://x/simple": expected an address such as'],
  ["packageIndex", "https://me:secret@x/simple", "packageIndex holds credentials, which would be kept in plain state"],
])("%s %s is refused before anything is made", async (argument, address, why) => {
  await expect(make({ [argument]: address })).rejects.toThrow(why);
  expect(resources.filter(({ name }) => name.startsWith("fleet-"))).toEqual([]);
});

test("files of one name and folder don't get in each other's way", async () => {
  const scripts = Object.fromEntries(
    ["a", "b"].map((name) => {
      mkdirSync(join(folder, name, "x"), { recursive: true });
      writeFileSync(join(folder, name, "x/go.sh"), name);
      return [`${name}/go.sh`, join(folder, name, "x/go.sh")];
    }),
  );
  await make({ scripts });
  const keys = Object.keys(scripts).map((to) => nodes().scripts?.files?.[to]);
  expect(new Set(keys).size).toBe(2);
  expect(uploads().filter(({ inputs }) => keys.includes(inputs.key as string))).toHaveLength(2);
});
