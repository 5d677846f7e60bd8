import { expect, test } from "vitest";
import type { FleetPlanArgs } from "../../../components/aws/fleet/args.ts";
import { executorsOf } from "../../../components/aws/fleet/executors.ts";
import {
  dataConfig,
  headConfig,
  loader,
  type NodePlace,
  partsOf,
  workerConfig,
} from "../../../components/aws/fleet/node-config.ts";
import { fleetPlan } from "../../../components/aws/fleet/plan.ts";
import { sharingOf } from "../../../components/aws/fleet/sharing.ts";
import { serviceUnit } from "../../../components/aws/fleet/units.ts";
import { instanceType, pricedTypes } from "../../../components/aws/prices.ts";
import { executorHeap } from "../../../components/common/services/spark.ts";

const plan = (args: Partial<FleetPlanArgs> = {}) =>
  fleetPlan({ lifetime: { deadline: "8 hours", idle: "1 hour" }, region: "us-east-1", ...args });
const place: NodePlace = {
  fleet: "fleet",
  lake: "s3://the-lake",
  region: "us-east-1",
  head: "10.84.0.10",
  sparkParameter: "/oneoff/a/b/fleet/spark",
  usersRole: "arn:aws:iam::123456789012:role/users",
  runRole: "arn:aws:iam::123456789012:role/run",
};

test("GPUs on or off is told to workers alone", () => {
  const [off, on] = [plan(), plan({ gpu: "L4" })];
  expect(headConfig(on, place)).toEqual(headConfig(off, place));
  expect(dataConfig(on, place, "data-1")).toEqual(dataConfig(off, place, "data-1"));
  expect(workerConfig(on, place).units["oneoff-worker.service"]).toContain('Environment="ONEOFF_GPU=all"');
  expect(JSON.stringify(workerConfig(off, place))).not.toContain("ONEOFF_GPU");
  expect(sharingOf(on, place.head).conf).toMatchObject({
    "spark.executor.resource.gpu.amount": "1",
    "spark.task.resource.gpu.amount": "0.25",
  });
  expect(Object.keys(sharingOf(off, place.head).conf)).toEqual(["spark.executor.cores", "spark.executor.memory"]);
});

test("what scores flows is the head's alone: a unit with an account and a role of its own, and a page that users reach", () => {
  const [off, on] = [plan(), plan({ app: true })];
  expect(dataConfig(on, place, "data-1")).toEqual(dataConfig(off, place, "data-1"));
  expect(workerConfig(on, place)).toEqual(workerConfig(off, place));
  const appRole = "arn:aws:iam::123456789012:role/app";
  const [before, head] = [headConfig(off, place), headConfig(on, { ...place, appRole })];
  expect(JSON.stringify(before)).not.toMatch(/oneoff-app|8000/);
  expect(head.access).toEqual({ ...before.access, app: appRole });
  expect(head.services).toEqual([...before.services.slice(0, -1), "oneoff-app.service", "oneoff-agent.service"]);
  expect(head.files["/etc/ssh/sshd_config.d/00-oneoff-pages.conf"]).toBe(
    "PermitOpen 10.84.0.10:9870 10.84.0.10:8080 10.84.0.10:18080 10.84.0.10:8000 127.0.0.1:*\n",
  );
  const unit = (head.units["oneoff-app.service"] as string).split("\n");
  expect(unit).toEqual(
    expect.arrayContaining([
      "User=oneoff-app",
      'Environment="ONEOFF_MODEL=s3://the-lake/networks"',
      'Environment="AWS_CONFIG_FILE=/etc/oneoff/access/app"',
      "ProtectHome=yes",
      "MemoryMax=2G",
      "ExecStart=/opt/oneoff/scripts/spark/entrypoint app",
    ]),
  );
  expect(unit.filter((line) => /LoadCredential|secret/.test(line))).toEqual([]);
  expect(partsOf(head)).toEqual([...partsOf(before), "scoring"]);
});

test.each(pricedTypes.filter((type) => instanceType(type).memoryGiB >= 4))(
  "an executor asks for no more than a worker of type %s offers",
  (type) => {
    const { memoryGiB } = instanceType(type);
    // What the system finds is up to 7 % less than what a type is said to have; node.py offers four tenths of the rest.
    const offered = Math.trunc((memoryGiB * 1024 * 0.93 - 1024) * 0.4);
    const executors = executorsOf({ scheduler: "standalone", workers: { count: 1, types: [type] } });
    expect(executorHeap(executors)).toBeLessThanOrEqual(offered);
    expect(executors.memoryMebibytes).toBeGreaterThan(0);
  },
);

test("executors are such as the smallest of the types can have", () => {
  expect(executorsOf({ scheduler: "standalone", workers: { count: 3, types: ["g6.2xlarge", "g6.xlarge"] } })).toEqual({
    count: 3,
    cores: 4,
    memoryMebibytes: Math.floor(16 * 1024 * 0.9 - 1024),
  });
  // Four GPUs: an executor for each.
  expect(executorsOf({ scheduler: "standalone", workers: { count: 2, types: ["g6.12xlarge"] } })).toMatchObject({
    count: 8,
    cores: 12,
  });
});

test("secrets are named by where they are kept, and stand nowhere", () => {
  const head = headConfig(plan(), place);
  expect(head.parameters).toEqual({ spark: place.sparkParameter });
  expect(dataConfig(plan(), place, "data-1").parameters).toEqual({});
  const unit = head.units["oneoff-master.service"] as string;
  expect(unit).toContain("LoadCredential=spark:/var/lib/oneoff/secrets/spark\n");
  expect(unit).not.toMatch(/Environment=.*SECRET/);
});

test("a gang's run waits for all of it, as long as the fleet may stand, and a barrier stage does too", () => {
  expect(sharingOf(plan(), "head").runConf).toEqual({});
  const gang = plan({ capacity: "gang", workers: { count: 3, types: ["m7i.xlarge"] } });
  expect(sharingOf(gang, "head").runConf).toEqual({
    "spark.cores.max": "12",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "28800s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "15s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "1920",
  });
});

test("what a unit's variables say is taken as it is", () => {
  const service = { name: "one", image: "hdfs", memoryMebibytes: 1, env: { ODD: 'a "b" \\ 100% $HOME' } };
  expect(serviceUnit(service, "somebody", {})).toContain('Environment="ODD=a \\"b\\" \\\\ 100%% $HOME"\n');
});

/** What EC2 takes as user data, before it is base64: API reference of RunInstances. */
const EC2_BYTES = 16_384;

// cloud-init takes what begins with these two characters for a script, and "cloud-init schema" looks at none (cloudinit/handlers and
// cloudinit/config/schema.py: "User-data type 'text/x-shellscript' not currently evaluated"). What a script does, `npm run
// test:boot` shows.
test.each([headConfig(plan(), place), dataConfig(plan(), place, "data-1"), workerConfig(plan({ gpu: "L4" }), place)])(
  "a machine ($role) starts by a short script, which has each thing by its hash",
  (config) => {
    const digest = "d".repeat(64);
    const script = loader({
      ...{ bucket: "the-lake", region: "us-east-1", boot: "_fleets/fleet/boot", parts: partsOf(config) },
      ...{ config: `_fleets/fleet/config/${digest}.json`, configDigest: digest },
      ...{ installer: `_software/${digest}/software.py`, installerDigest: digest, manifest: digest },
    });
    expect(script.startsWith("#!/bin/bash\n")).toBe(true);
    expect(script).toMatch(/^[\n -~]+$/);
    expect(Buffer.byteLength(script)).toBeLessThan(Math.min(2600, EC2_BYTES));
    expect(script).not.toContain("{{");
    expect(script).toContain(`bring _fleets/fleet/config/${digest}.json ${digest} /etc/oneoff/node.json\n`);
    expect(script).toContain(
      `${partsOf(config)
        .map((part) => `--part ${part}`)
        .join(" ")}\n`,
    );
  },
);

test("what can't stand in a script is refused", () => {
  const odd = { bucket: "a; reboot", region: "r", boot: "b", config: "c", configDigest: "d", installer: "i" };
  expect(() => loader({ ...odd, installerDigest: "e", manifest: "f", parts: [] })).toThrow("bucket cannot be");
});

test("machines install what they have a use for", () => {
  expect(partsOf(headConfig(plan(), place))).toEqual(["scripts", "python", "hadoop", "jupyter"]);
  expect(partsOf(headConfig(plan({ notebook: false }), place))).toEqual(["scripts", "python", "hadoop"]);
  expect(partsOf(dataConfig(plan(), place, "data-1"))).toEqual(["scripts", "python", "hadoop"]);
});
