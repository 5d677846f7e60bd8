/** What the stacks' program refuses, each in one line that names the cure and before it asks for anything. */
import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";
import { RunError } from "@pulumi/pulumi/errors.js";
import { setAllConfig } from "@pulumi/pulumi/runtime/config.js";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parse } from "yaml";
import { UNSET } from "../project.ts";

type Settings = Readonly<Record<string, string | undefined>>;

/** A job that reads something. What other jobs have set in the stack's file is none of its settings. */
const LONDON: Settings = { "oneoff:job": "london-power" };

/** Settings beside those in the stack's file, undefined where one of them is taken away; and what the refusal says. */
const refused: Readonly<Record<string, readonly (readonly [Settings, string])[]>> = {
  local: [
    [{ "oneoff:job": "nope" }, 'oneoff:job is "nope": there is no such job; there are xo'],
    [{ "oneoff:hidden": "" }, 'oneoff:hidden is "": expected whole numbers above zero'],
    [{ "oneoff:deadline": "soon" }, 'oneoff:deadline is "soon": expected a number and a unit'],
    [{ "oneoff:port": "70000" }, 'oneoff:port is "70000": expected a number from 1 to 65535'],
    [{ "oneoff:runId": "a/b" }, 'oneoff:runId is "a/b": expected 1 to 63 letters'],
    [
      { ...LONDON, "oneoff:input": "/no/such.csv" },
      'oneoff:input has "/no/such.csv", which is not on this machine: put the file or folder there',
    ],
    [{ "oneoff:rowz": "1" }, "oneoff:rowz is not a setting of this stack"],
  ],
  "streaming-local": [
    [
      { "oneoff:store": "https://search" },
      "oneoff:store begins with https:// and oneoff:storeLogin is not set: pulumi",
    ],
    [
      { "oneoff:storeLogin": "a:b" },
      "oneoff:storeLogin is plain text: pulumi config set --secret oneoff:storeLogin USER",
    ],
    [{ "oneoff:storeCa": "/no/ca.pem" }, 'file "/no/ca.pem" is not there'],
    [{ "oneoff:partitions": "65" }, 'oneoff:partitions is "65": expected at most 64'],
    [{ "oneoff:port": "65520" }, 'oneoff:port is "65520": expected a number from 1 to 65519, as the next ones are'],
    [{ "oneoff:memory": "256 MB" }, 'oneoff:memory is "256 MB": expected at least "512 MB"'],
    [{ "oneoff:retention": "1 MB" }, 'oneoff:retention is "1 MB": expected at least "32 MB"'],
    [{ "oneoff:trainTopic": "a.b" }, 'oneoff:trainTopic is "a.b": expected a topic of Kafka\'s'],
    [{ "oneoff:testTopic": "train" }, 'oneoff:testTopic is "train": that is what is learnt from: give another topic'],
    [{ "oneoff:model": "/no/such.py" }, 'oneoff:model is "/no/such.py": there is no such file'],
    [{ "oneoff:csv": "a.csv" }, 'a.csv": give csv, columns and target together, or none of them'],
    [
      { "oneoff:csv": "/no/such.csv", "oneoff:columns": "a,b,c", "oneoff:target": "d" },
      'oneoff:columns is "a,b,c": expected 2 of them, as features is 2',
    ],
    [
      { "oneoff:csv": "/no/such.csv", "oneoff:columns": "a,b", "oneoff:target": "d" },
      'oneoff:csv is "/no/such.csv": there is no such file',
    ],
    [{ "oneoff:kafka": "127.0.0.1:9092" }, "oneoff:kafka is a setting of job streaming-regression: remove it with"],
  ],
  "emr-oneoff": [
    [{ "oneoff:spot": "true", "oneoff:spotFallback": undefined }, "oneoff:spotFallback"],
    [{ "oneoff:keepAlive": "true" }, "oneoff:keepAlive needs oneoff:idle: how long"],
    [{ "oneoff:sshKey": "me", "oneoff:sshCidr": "0.0.0.0/0" }, 'oneoff:sshCidr is "0.0.0.0/0": that is the world'],
    [{ "oneoff:subnets": "subnet-1" }, "oneoff:subnets is set and oneoff:vpc is not: give the VPC"],
    [{ "oneoff:vpc": "vpc-1" }, "oneoff:vpc is set and oneoff:subnets is not: give at least one, or set neither"],
    [{ "oneoff:reads": "books" }, 'oneoff:reads has "books": expected a bucket or what is below it'],
    [
      { ...LONDON, "oneoff:input": "/data/power.csv" },
      'oneoff:input has "/data/power.csv", and EMR\'s machines can be let read nothing but S3: copy it there',
    ],
    [{ "oneoff:deadline": "8 days" }, 'oneoff:deadline is "8 days": expected something from "20 minutes" to "7 days"'],
    [{ "oneoff:bucket": "My Bucket" }, 'bucket is "My Bucket": expected 3 to 63'],
    [{ "oneoff:workerTypes": "m6i.xlarge" }, 'oneoff:workerTypes has "m6i.xlarge" (x86_64)'],
    [{ "oneoff:dashboardType": "x.huge" }, 'instance type is "x.huge": its price is not known'],
    [{ "aws:region": undefined }, "there is no region: pulumi config set aws:region us-west-2, or set AWS_REGION"],
  ],
  "gpu-fleet": [
    [{ "oneoff:gpu": "V100" }, 'oneoff:gpu is "V100": expected "none" or models joined by commas, of T4, '],
    [
      { "oneoff:gpu": "L4", "oneoff:workerTypes": "p3.2xlarge" },
      "oneoff:workerTypes has \"p3.2xlarge\": the AMI's driver, NVIDIA's open one ",
    ],
    [{ "oneoff:spot": "true" }, 'oneoff:spot is "true" and oneoff:spotFallback is not set: say what is to happen when'],
    [
      { "oneoff:spotOnDemand": "1" },
      "oneoff:spotOnDemand is 1 and oneoff:spot is not set: all workers are on demand then",
    ],
    [{ "oneoff:replication": "4" }, "oneoff:replication is 4 and oneoff:datanodes is 3: a block has at most one copy"],
    [{ "oneoff:datanodes": "0" }, 'oneoff:datanodes is "0": expected a number above zero'],
    [{ "oneoff:users": "no-such-folder" }, 'no-such-folder": there is no such folder; give one with a public key'],
    [{ "oneoff:disk": "1 MB" }, 'oneoff:disk is "1 MB": expected whole gigabytes, "16 GB" to "16 TB"'],
    [{ "oneoff:datanodes": "1000" }, "oneoff:datanodes is 1000: expected a whole number from 1 to 400"],
    [{ "oneoff:workers": "9999" }, "oneoff:workers is 9999: expected a whole number from 1 to 1000"],
    [{ "oneoff:zones": "7" }, "oneoff:zones is 7: expected a whole number from 1 to 6"],
    [{ "oneoff:packageIndex": "pypi" }, 'oneoff:packageIndex is "pypi": expected an address such as '],
    [
      { "oneoff:maven": "https://me:secret@repo" },
      "oneoff:maven holds credentials, which would be kept in plain state",
    ],
    [{ "oneoff:maxCost": "1" }, "oneoff:maxCost is 1"],
    [{ "oneoff:scheduler": "mesos" }, 'oneoff:scheduler is "mesos": Spark 3.2 deprecated Mesos'],
    [{ "oneoff:power": "dim" }, 'oneoff:power is "dim": expected on, off or a schedule'],
    [
      { "oneoff:power": "schedule", "oneoff:powerOn": "0 8 * * 1-5" },
      'oneoff:power is "schedule" and oneoff:powerOff is not set: say when, as cron has it: pulumi config set oneoff:powerOff "0 19 * * *"',
    ],
    [{ "oneoff:power": "schedule" }, "oneoff:powerOn is not set"],
    [
      { "oneoff:power": "schedule", "oneoff:powerOn": "0 8 * *", "oneoff:powerOff": "0 19 * * *" },
      'oneoff:powerOn is "0 8 * *": expected minute, hour, day of the month',
    ],
    [
      { "oneoff:power": "schedule", "oneoff:powerOn": "0 8 * * *", "oneoff:powerOff": "0 24 * * *" },
      `oneoff:powerOff is "0 24 * * *": its hour isn't within 0 to 23`,
    ],
    [
      {
        ...{ "oneoff:power": "schedule", "oneoff:powerOn": "0 8 * * *", "oneoff:powerOff": "0 9 * * *" },
        "oneoff:timeZone": "CEST+1",
      },
      'oneoff:timeZone is "CEST+1": expected a time zone, such as "Europe/Berlin" or "UTC"',
    ],
  ],
  dataproc: [
    [
      { "gcp:project": undefined },
      "there is no project: pulumi config set gcp:project my-project, or set GOOGLE_CLOUD_PROJECT",
    ],
    [
      { "gcp:region": undefined },
      "there is no region: pulumi config set gcp:region europe-west1, or set GOOGLE_REGION",
    ],
    [
      { "oneoff:deadline": "2 days" },
      'oneoff:deadline is "2 days" (2 d): expected something from "20 minutes" to "24 hours"',
    ],
    [
      { ...LONDON, "oneoff:input": "s3://bucket/power.csv" },
      'oneoff:input has "s3://bucket/power.csv", and Dataproc\'s machines can be let read nothing but Cloud Storage',
    ],
    [{ "oneoff:viewers": "ann@example.com" }, 'oneoff:viewers is "ann@example.com": expected a member with its type'],
    [{ "oneoff:schedule": "daily" }, 'oneoff:schedule is "daily": expected a schedule in UTC'],
    [{ "oneoff:workerType": "n2-huge-1" }, 'oneoff:workerType is "n2-huge-1": its price is not known'],
    [{ "oneoff:maxCost": "0.10" }, "oneoff:maxCost is 0.1 USD and this can cost up to"],
    [{ "oneoff:csv": "power.csv" }, 'oneoff:csv is "power.csv": expected an object of a bucket'],
    [{ "oneoff:zone": "us-east1-b" }, 'oneoff:zone is "us-east1-b"'],
  ],
  swarm: [
    [{ "oneoff:workerMemory": "lots" }, 'oneoff:workerMemory is "lots": expected a number and a unit'],
    [{ "oneoff:workerMemory": "512 MB" }, 'oneoff:workerMemory is "512 MB": Spark and Python need at least "1024 MB"'],
    [{ "oneoff:deadline": "5 seconds" }, 'oneoff:deadline is "5 seconds": expected something from'],
    [{ "oneoff:lake": "s3://bucket" }, "oneoff:credentials is not set: the Swarm's machines need them"],
    [{ "oneoff:reads": "data/power.csv" }, 'oneoff:reads is "data/power.csv": expected an absolute path'],
    [{ "oneoff:input": "/data/a,b" }, 'oneoff:input is "/data/a,b": expected an absolute path without a comma'],
    [{ "oneoff:credentials": "key" }, "oneoff:credentials is plain text: pulumi config set --secret"],
    [{ "oneoff:registry": "r.example.com" }, 'oneoff:registry is "r.example.com" and the docker provider'],
    [{ "oneoff:user": "me" }, 'oneoff:user is "me": expected two numbers, of an owner and of a group'],
    [{ "oneoff:port": "65535" }, "oneoff:port is"],
    [{ "docker:host": "ssh://me@there" }, 'oneoff:lake is ".oneoff/swarm-lake" and docker:host another machine'],
    [{ "oneoff:input": "data/power.csv" }, 'oneoff:input is "data/power.csv": expected an absolute path'],
  ],
};

/** What a stack has to have set. */
const NEEDED: Readonly<Record<string, Settings>> = { dataproc: { "gcp:project": "my-project" } };

let asked: string[];

/** Runs index.ts as Pulumi does, with a provider that knows nothing. */
async function run(stack: string, settings: Settings): Promise<void> {
  const file = new URL(`../../stacks/Pulumi.${stack}.yaml`, import.meta.url);
  const all: Settings = { ...parse(readFileSync(file, "utf8")).config, ...NEEDED[stack], ...settings };
  const newResource = ({ type, name, inputs, custom }: pulumi.runtime.MockResourceArgs) => {
    if (custom) asked.push(`${type} ${name}`);
    return { id: `${name}-id`, state: inputs };
  };
  await pulumi.runtime.setMocks({ newResource, call: ({ inputs }) => inputs }, "oneoff", stack);
  setAllConfig(
    Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)),
  );
  vi.resetModules();
  await import("../../index.ts");
}

beforeEach(() => {
  asked = [];
  for (const name of UNSET) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

describe.each(Object.entries(refused))("%s", (stack, refusals) => {
  test.each(refusals)("%j is refused: %s", async (settings, message) => {
    const error = await run(stack, settings).then(
      () => undefined,
      (error) => error,
    );
    await pulumi.runtime.disconnect();
    // Pulumi shows such an error without a stack trace.
    expect(RunError.isInstance(error), String(error?.stack)).toBe(true);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain("\n");
    expect(asked).toEqual([]);
  });
});

test("what is not refused asks for something", async () => {
  await run("local", {});
  await pulumi.runtime.disconnect();
  expect(asked).toHaveLength(3);
});
