/** A fleet on EC2 that YARN shares out: what its machines and applications are told. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { executorsOf } from "../../../components/aws/fleet/executors.ts";
import {
  dataConfig,
  headConfig,
  type NodePlace,
  partsOf,
  workerConfig,
} from "../../../components/aws/fleet/node-config.ts";
import { fleetPlan } from "../../../components/aws/fleet/plan.ts";
import { sharingOf } from "../../../components/aws/fleet/sharing.ts";
import { instanceType, pricedTypes } from "../../../components/aws/prices.ts";

const HEAD = "10.84.0.10";
const place: NodePlace = {
  fleet: "fleet",
  lake: "s3://the-lake",
  region: "us-east-1",
  head: HEAD,
  sparkParameter: "/oneoff/a/b/fleet/spark",
  usersRole: "arn:aws:iam::123456789012:role/users",
  runRole: "arn:aws:iam::123456789012:role/run",
};
const plan = (scheduler: string, more: object = {}) =>
  fleetPlan({ lifetime: { deadline: "8 hours", idle: "1 hour" }, region: "us-east-1", scheduler, ...more });

test("data nodes are told the same, and what is told to workers changes nothing for the head", () => {
  expect(dataConfig(plan("yarn"), place, "data-1")).toEqual(dataConfig(plan("standalone"), place, "data-1"));
  expect(headConfig(plan("yarn", { gpu: "L4", workers: { count: 9 } }), place)).toEqual(
    headConfig(plan("yarn"), place),
  );
});

test("on the head a resource manager is in the place of Spark's own master, with its page", () => {
  const [before, head] = [headConfig(plan("standalone"), place), headConfig(plan("yarn"), place)];
  expect(head.services).toEqual(
    before.services.map((name) => (name === "oneoff-master.service" ? "oneoff-resourcemanager.service" : name)),
  );
  expect(head.master).toBe("yarn://10.84.0.10:8088");
  expect(before.pages).toEqual({ hdfs: `${HEAD}:9870`, spark: `${HEAD}:8080`, history: `${HEAD}:18080` });
  expect(head.pages).toEqual({ hdfs: `${HEAD}:9870`, yarn: `${HEAD}:8088`, history: `${HEAD}:18080` });
  expect(head.files["/etc/ssh/sshd_config.d/00-oneoff-pages.conf"]).toBe(
    "PermitOpen 10.84.0.10:9870 10.84.0.10:8088 10.84.0.10:18080 127.0.0.1:*\n",
  );
  const unit = (head.units["oneoff-resourcemanager.service"] as string).split("\n");
  expect(unit).toEqual(
    expect.arrayContaining([
      "User=oneoff-spark",
      'Environment="ONEOFF_RESOURCEMANAGER=10.84.0.10"',
      'Environment="HADOOP_HOME=/opt/oneoff/yarn"',
      'Environment="HADOOP_HEAP=512m"',
      "ExecStart=/opt/oneoff/yarn/yarn/entrypoint resourcemanager",
    ]),
  );
  for (const name of ["oneoff-history.service", "oneoff-run@.service", "oneoff-notebook@.service"]) {
    expect(head.units[name], name).toContain('Environment="ONEOFF_YARN=/opt/oneoff/yarn/yarn"\n');
    expect(head.units[name], name).not.toContain("ONEOFF_MASTER");
    expect(before.units[name], name).not.toContain("ONEOFF_YARN");
  }
  expect(partsOf(head)).toEqual([...partsOf(before), "yarn"]);
});

test("a worker has a node manager, which makes environments of jobs, and no secret of the fleet's", () => {
  const worker = workerConfig(plan("yarn", { gpu: "L4" }), place);
  expect(worker.services).toEqual(["oneoff-nodemanager.service", "oneoff-agent.service"]);
  expect(worker.parameters).toEqual({});
  const unit = worker.units["oneoff-nodemanager.service"] as string;
  expect(unit).toContain('Environment="ONEOFF_GPU=all"\n');
  expect(unit).toContain('Environment="AWS_CONFIG_FILE=/etc/oneoff/access/users"\n');
  expect(unit).toMatch(/^ReadWritePaths=-\/var\/lib\/oneoff\/nodemanager -\/opt\/oneoff\/venvs$/m);
  expect(unit).not.toMatch(/LoadCredential|secret/);
  expect(partsOf(worker)).toEqual(["scripts", "python", "yarn"]);
});

test("an application is told where YARN is; a run takes all executors, and in a gang none before all are there", () => {
  const { master, conf, runConf } = sharingOf(plan("yarn", { workers: { count: 3 } }), HEAD);
  expect(master).toBe("yarn");
  expect(conf).toMatchObject({
    "spark.yarn.stagingDir": "hdfs://10.84.0.10:8020/user",
    "spark.yarn.historyServer.address": "10.84.0.10:18080",
    "spark.hadoop.yarn.resourcemanager.address": "10.84.0.10:8032",
    "spark.hadoop.yarn.resourcemanager.scheduler.address": "10.84.0.10:8030",
    "spark.hadoop.yarn.resourcemanager.webapp.address": "10.84.0.10:8088",
  });
  expect(Object.keys(conf).filter((name) => /instances|decommission|gpu/.test(name))).toEqual([]);
  expect(runConf).toEqual({ "spark.executor.instances": "3" });
  const gang = plan("yarn", { capacity: "gang", gpu: "L4", workers: { count: 2, types: ["g6.12xlarge"] } });
  expect(sharingOf(gang, HEAD).runConf).toEqual({
    "spark.executor.instances": "8",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.scheduler.maxRegisteredResourcesWaitingTime": "28800s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "15s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "1920",
  });
  const { conf: spot } = sharingOf(plan("yarn", { gpu: "L4", workers: { spot: { fallback: "fewer" } } }), HEAD);
  expect(spot).toMatchObject({
    "spark.executor.resource.gpu.amount": "1",
    "spark.executor.resource.gpu.discoveryScript": "/opt/oneoff/yarn/yarn/gpus",
    "spark.decommission.enabled": "true",
  });
});

const constant = (name: string): number =>
  Number(
    new RegExp(`^${name} = (\\d+)$`, "m").exec(
      readFileSync(new URL("../../../assets/fleet/node.py", import.meta.url), "utf8"),
    )?.[1],
  );

test.each(pricedTypes.filter((type) => instanceType(type).memoryGiB >= 4))(
  "executors fill a machine of type %s, and masters of applications have room beside them",
  (type) => {
    const { memoryGiB, vcpus } = instanceType(type);
    const one = executorsOf({ scheduler: "yarn", workers: { count: 1, types: [type] } });
    const { conf } = sharingOf({ ...plan("yarn"), workers: { count: 1, types: [type] } }, HEAD);
    const mebibytes = (...names: readonly string[]) =>
      names.reduce((sum, name) => sum + Number.parseInt(conf[name] as string, 10), 0);
    const executor = mebibytes("spark.executor.memory", "spark.executor.memoryOverhead");
    const master = mebibytes("spark.yarn.am.memory", "spark.yarn.am.memoryOverhead");
    const masters = constant("MASTERS");
    // What the system finds is up to 7 % less than what a type is said to have.
    const offered = Math.trunc(memoryGiB * 1024 * 0.93) - constant("SYSTEM_MEBIBYTES");
    expect(masters).toBe(2);
    expect(executor).toBe(one.memoryMebibytes);
    expect(one.count * executor + masters * master).toBeLessThanOrEqual(offered);
    expect(one.count * one.cores + masters).toBeLessThanOrEqual(vcpus + masters);
    expect(executor).toBeGreaterThanOrEqual(1024);
  },
);
