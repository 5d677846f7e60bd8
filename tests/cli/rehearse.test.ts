import { expect, test } from "vitest";
import { rehearse } from "../../cli/rehearse.ts";
import { loadProgram } from "../../stacks/index.ts";

const WHERE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "emr-oneoff": { "aws:region": "us-west-2" },
  dataproc: { "gcp:project": "my-project", "gcp:region": "europe-west1" },
};

const rehearsed = async (stack: string, settings: Readonly<Record<string, string>>, secret: readonly string[] = []) => {
  const given = Object.entries(settings).map(([key, value]) => [`oneoff:${key}`, value]);
  const config = { ...WHERE[stack], ...Object.fromEntries(given) };
  return rehearse(await loadProgram(stack), { project: "oneoff", stack, others: [], config, secret, bundled: true });
};

test.each([
  ["emr-oneoff", { sshCidr: "203.0.113.7/32" }, "oneoff:sshKey is not set: name an EC2 key pair, or leave ssh out"],
  ["emr-oneoff", { idle: "1 hour" }, 'oneoff:idle is "1 hour" and oneoff:keepAlive is not set'],
  [
    "emr-oneoff",
    { primaryType: "m6i.xlarge" },
    'oneoff:primaryType is "m6i.xlarge" (x86_64) and oneoff:workerTypes has "m7g.xlarge" (arm64)',
  ],
  ["emr-oneoff", { releaseLabel: "emr-5.7.0" }, 'oneoff:releaseLabel is "emr-5.7.0": expected "emr-7.0.0" or newer'],
  [
    "dataproc",
    { subnetwork: "mine" },
    "oneoff:subnetwork is set and oneoff:network is not: give the VPC network that the subnetwork is in",
  ],
  [
    "dataproc",
    { network: "mine" },
    "oneoff:network is set and oneoff:subnetwork is not: give one of its region, or set neither",
  ],
  [
    "dataproc",
    { workers: "0", autoscale: "2" },
    "oneoff:workers is 0, and a cluster of one node has no spot machines: take 2, or leave oneoff:spotWorkers and oneoff:autoscale out",
  ],
  ["dataproc", { spotWorkers: "4", autoscale: "2" }, "oneoff:autoscale is 2 and oneoff:spotWorkers is 4: give as many"],
  [
    "dataproc",
    { mode: "batch", kerberosKey: "key", kerberosPassword: "gs://b/o" },
    'oneoff:kerberosKey is set and oneoff:mode is "batch"',
  ],
  ["dataproc", { dashboardType: "n4-standard-2" }, 'oneoff:dashboardType is "n4-standard-2": the dashboard\'s disk'],
  ["dataproc", { dashboardType: "e2-huge" }, 'machine type is "e2-huge": its price is not known'],
])("what components refuse, %s tells of what was set: %j", async (stack, settings, message) => {
  await expect(rehearsed(stack, settings)).rejects.toThrow(message);
});

test("a lake in a bucket needs HDFS, and stack swarm says it of its settings", async () => {
  const settings = { lake: "s3://bucket", hdfs: "false", credentials: "key" };
  process.env.PULUMI_CONFIG_SECRET_KEYS = '["oneoff:credentials"]';
  try {
    await expect(rehearsed("swarm", settings)).rejects.toThrow(
      "oneoff:hdfs is false and oneoff:lake is no folder: Spark reads tables from one of them",
    );
  } finally {
    delete process.env.PULUMI_CONFIG_SECRET_KEYS;
  }
});

test("a limit that is too low is told beside the bill, whose words stay as they are", async () => {
  const { bill, refusal } = await rehearsed("emr-oneoff", { maxCost: "0.1" });
  expect(bill.length).toBeGreaterThan(0);
  expect(refusal).toMatch(/^oneoff:maxCost is 0.1 USD and this can cost up to .* with disk and public address \(/);
});

test("an error about a secret that was left out says so; one about what was given in its place doesn't", async () => {
  const secret = ["oneoff:credentials", "oneoff:workers"];
  await expect(rehearsed("swarm", { lake: "s3://bucket" }, secret)).rejects.toThrow(
    "oneoff:credentials is a secret, and those are left out: give another value with --set oneoff:credentials=VALUE",
  );
  await expect(rehearsed("emr-oneoff", { sshCidr: "203.0.113.7/32" }, ["oneoff:sshKey"])).rejects.toThrow(
    "oneoff:sshKey is a secret, and those are left out: give another value with --set oneoff:sshKey=VALUE",
  );
  await expect(rehearsed("swarm", { workers: "0" }, secret)).rejects.toThrow('oneoff:workers is "0": expected');
});
