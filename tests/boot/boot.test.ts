/**
 * A whole fleet by the real user data, scripts and units: machines are namespaces of this one with Debian's root. What differs from
 * EC2's: dnf, nft and AWS's command line are stand-ins (bin/), units are started by a stand-in for systemd, which reads the same
 * files, the software is there instead of being installed, and the disk is a file with ext4.
 */
// @module-tag root
// @module-tag mount
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { usersFile } from "../../components/aws/fleet/keys.ts";
import { dataConfig, headConfig, type NodePlace, workerConfig } from "../../components/aws/fleet/node-config.ts";
import { fleetPlan } from "../../components/aws/fleet/plan.ts";
import type { Job } from "../../core/job.ts";
import { software } from "../../provider/software.ts";
import { type Box, eventually, FLEET, keys, type Machine, startBox } from "./box.ts";
import { asked as askedIn, begin as beginIn, counts, ended as endedIn } from "./runs.ts";

const HEAD = "10.84.0.10";
const place: NodePlace = {
  fleet: FLEET,
  lake: "/lake",
  region: "us-west-2",
  head: HEAD,
  sparkParameter: "/oneoff/spark",
  usersRole: "arn:aws:iam::123456789012:role/users",
  runRole: "arn:aws:iam::123456789012:role/run",
  appRole: "arn:aws:iam::123456789012:role/app",
};
const plan = fleetPlan({
  lifetime: { deadline: "8 hours", idle: "1 hour" },
  region: "us-west-2",
  hdfs: { datanodes: 2, replication: 2 },
  workers: { count: 1 },
  app: true,
});
const at = (path: string) => join(import.meta.dirname, "../..", path);
const PYTHON = at(".oneoff/venv/bin/python");
const SCORED = `${HEAD}:8000`;
const SCORE_FLOWS = readFileSync(at("tests/boot/score_flows.py"), "utf8");

let box: Box;
let head: Machine;
let data: Machine;
let worker: Machine;
const members = (...nodes: readonly number[]) =>
  JSON.stringify({ nodes: nodes.map((i) => ({ name: `data-${i}`, address: `10.84.0.1${i}:9866` })), replication: 2 });

beforeAll(async () => {
  const packages = async (name: string, lock: string) => {
    const { outs } = await software.create("", { name, lock: at(`assets/${lock}/requirements.txt`), python: PYTHON });
    return outs.folder;
  };
  box = await startBox({
    jupyter: await packages("jupyterlab", "nodes/emr/jupyter"),
    scoring: await packages("scoring", "scoring"),
  });
  leaveModel("first", 1);
  box.put(keys.users, usersFile(FLEET, []));
  box.put(`${keys.at}/members.json`, members(1, 2));
  box.put(`${keys.at}/spark.conf`, "spark.executor.memory 700m\n");
  head = await box.machine("head", HEAD, headConfig(plan, place));
  data = await box.machine("data-1", "10.84.0.11", dataConfig(plan, place, "data-1"));
  await box.machine("data-2", "10.84.0.12", dataConfig(plan, place, "data-2"));
  worker = await box.machine("worker", "10.84.0.20", workerConfig(plan, place));
}, 600_000);
afterAll(() => box?.[Symbol.asyncDispose]());
const leaveModel = (run: string, seed: number) =>
  execFileSync(PYTHON, [at("tests/boot/leave_model.py"), join(box.folder, "lake"), run, `${seed}`]);
const keepLogs = () => onTestFailed(() => box.logs("/tmp/oneoff-box-logs"));

test("every machine comes up by its user data, and tells of itself", async () => {
  keepLogs();
  for (const node of ["head", "data-1", "data-2", "worker-i-worker"]) {
    const report = await eventually(`a report of ${node}`, () => box.report(node)).catch((error) => {
      throw new Error(`${error.message}\n${head.bootLog()}`);
    });
    expect(report).toMatchObject({ state: "ready", type: "m6i.large", zone: "us-west-2a" });
  }
  const fleet = await eventually("HDFS and Spark", () => {
    const { fleet, services } = box.report("head") as { fleet: { hdfs: unknown; spark: unknown }; services: unknown };
    return fleet?.hdfs && fleet.spark ? { ...fleet, services } : undefined;
  });
  expect(fleet).toMatchObject({
    hdfs: { live: 2, missing: 0 },
    spark: { state: "alive", nodes: [{ cores: 2, state: "alive" }] },
    services: ["namenode", "master", "history", "app", "agent"].map((name) => ({ name, state: "ready" })),
  });
});

const begin = (run: string, job: Job, secrets: Readonly<Record<string, string>> = {}) =>
  beginIn(box, plan, { run, job, head: HEAD, secrets });
const ended = (run: string) => endedIn(box, run);
const asked = (id: string, request: object) => askedIn(box, id, request);

test("a run is begun by an object of the lake, and its results are in the lake", async () => {
  keepLogs();
  begin("1", counts());
  expect(await ended("1")).toMatchObject({ state: "succeeded", tables: { numbers: { rows: 1000 } } });
});

test("a step reads its secret in memory, which the run alone may have, and a run without it has failed", async () => {
  keepLogs();
  const text = "the secret of the box, for oneoff-run by /etc/oneoff/access/run";
  const reads = counts(["--secret", "{secret:token}", text], ["token"]);
  begin("4", reads, { token: "/oneoff/box/fleet/secrets/token" });
  expect(await ended("4")).toMatchObject({ state: "succeeded", tables: { numbers: { rows: 1000 } } });
  await eventually("no secret any more", async () => {
    const left = await head.must("sh", "-c", "ls -d /run/oneoff-run-* 2> /dev/null || true");
    return left === "" ? true : undefined;
  });
  begin("5", reads, { token: "/oneoff/none" });
  expect(await ended("5")).toMatchObject({
    state: "failed",
    error: expect.stringContaining(
      "the run's secrets could not be read: job_secrets: aws ssm get-parameter ended with 254",
    ),
  });
});

test("a run ends when somebody wants that, with its Spark application, by its driver or by the head", async () => {
  keepLogs();
  const applications = async () =>
    JSON.parse(await head.must("curl", "--silent", `http://${HEAD}:8080/json/`)).activeapps.length as number;
  const isWith = (number: number) =>
    eventually(`${number} applications`, async () => ((await applications()) === number ? true : undefined));
  for (const [run, want] of [
    ["2", () => box.put("_cancels/2.json", JSON.stringify({ run: "2", at: new Date().toISOString() }))],
    ["3", () => asked("cancel-3", { command: "cancel", run: "3" })],
  ] as const) {
    begin(run, counts(["--then-sleep", "600"]));
    await isWith(1);
    const began = Date.now();
    await want();
    // Nobody has asked for the end of the other, but of its driver.
    expect((await ended(run)).state).toBe(run === "2" ? "cancelled" : "failed");
    expect(Date.now() - began).toBeLessThan(60_000);
    await isWith(0);
    expect(await head.must("sh", "-c", `pgrep -f '/run/runs/[${run}]/' || true`)).toBe("");
  }
});

test("units are such as systemd takes", async () => {
  for (const machine of [head, data, worker]) {
    const said = await machine.must("sh", "-c", "systemd-analyze verify /etc/systemd/system/oneoff-*.service 2>&1");
    expect(said.split("\n").filter((line) => line.includes("oneoff-"))).toEqual([]);
  }
});

test("flows are scored on the head, and a network that a run leaves takes over without an answer that fails", async () => {
  keepLogs();
  expect(box.report("head")?.pages).toMatchObject({ app: SCORED });
  const status = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}"];
  expect(await data.must(...status, `http://${SCORED}/`)).toBe("200");
  const scored = worker.must("python3.11", "-c", SCORE_FLOWS, SCORED, "second");
  leaveModel("second", 2);
  const told = JSON.parse(await scored);
  expect(told).toEqual({ flows: expect.any(Number), failed: 0, runs: ["first", "second"] });
  expect(told.flows).toBeGreaterThan(1000);
  const user = ["setpriv", "--reuid", "oneoff-app", "--regid", "oneoff-app", "--clear-groups"];
  await head.must(...user, "cat", "/run/oneoff/app.json");
  for (const other of ["/run/oneoff/run.json", "/var/lib/oneoff/secrets/spark"])
    await expect(head.must(...user, "cat", other), other).rejects.toThrow("denied");
});

test("nobody but root reaches what has a machine's credentials", async () => {
  const ask = ["curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}"];
  const metadata = "http://169.254.169.254/latest/dynamic/instance-identity/document";
  expect(await head.must(...ask, metadata)).toBe("401"); // it wants a token, and is there
  for (const user of ["oneoff-spark", "oneoff-run", "oneoff-app", "nobody"]) {
    const words = ["setpriv", "--reuid", user, "--clear-groups", ...ask, metadata];
    expect(await head.must("sh", "-c", `${words.join(" ")} || true`), user).toBe("000");
  }
});

test("what is asked by way of the lake is answered there", async () => {
  keepLogs();
  expect(await asked("nonsense", { command: "rm -rf /" })).toMatchObject({ state: "failed", refused: true });
  expect(
    await asked("no-path", { command: "push", archive: "a.tgz", folder: "../up", overwrite: false }),
  ).toMatchObject({
    state: "failed",
    refused: true,
  });
  expect(box.list(keys.requests).sort()).toEqual(["cancel-3.json", "no-path.json", "nonsense.json"]);
});

test("an archive that was uploaded is unpacked into HDFS", async () => {
  keepLogs();
  execFileSync("sh", [
    "-c",
    `cd ${box.folder} && mkdir -p some/of && seq 1 20000 > some/of/numbers && tar czf some.tgz some`,
  ]);
  box.put(keys.upload("push-1"), readFileSync(join(box.folder, "some.tgz")));
  const answer = await asked("push-1", { command: "push", archive: "some.tgz", folder: "/data", overwrite: false });
  expect(answer).toMatchObject({ state: "done", result: { files: 1, skipped: 0, bytes: 108894 } });
  const address = `http://${HEAD}:9870/webhdfs/v1/data/some/of/numbers?op=OPEN&user.name=oneoff`;
  const text = await head.must("curl", "--silent", "--location", address);
  expect(text).toHaveLength(108894);
});

test("fewer data nodes than copies are refused, and nobody leaves", async () => {
  keepLogs();
  box.put(`${keys.at}/members.json`, members(1));
  const answer = await eventually("the refusal", () => {
    const found = JSON.parse(box.get(keys.answer("members")) ?? "{}");
    return found.state === "failed" ? found : undefined;
  });
  expect(answer).toMatchObject({ refused: true, wanted: { nodes: [{ name: "data-1" }] } });
  expect(answer.problem).toContain("copies");
  box.put(`${keys.at}/members.json`, members(1, 2));
});

// Users are looked after each minute, and told of each minute.
test("a user has an account, a notebook with a token, and neither once the lake says so", {
  timeout: 500_000,
}, async () => {
  keepLogs();
  const key = join(box.folder, "ada");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", key]);
  const [type, base64] = readFileSync(`${key}.pub`, "utf8").split(" ");
  box.put(keys.users, usersFile(FLEET, [{ name: "ada", key: `${type} ${base64}` }]));
  const [notebook] = await eventually("ada's notebook", () => {
    const found = box.report("head")?.notebooks ?? [];
    return found.length > 0 ? found : undefined;
  });
  expect(notebook).toEqual({ user: "ada", port: 20_000 });
  const ssh = (...words: readonly string[]) => box.ssh("ada", key, HEAD, ...words);
  const token = await eventually("a token", () => ssh("cat", ".oneoff/notebook-token").catch(() => undefined));
  expect(token).toMatch(/^[\w-]{43}$/);
  const status = (header: string) =>
    ssh("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", `'Authorization: token ${header}'`, URL);
  const URL = "http://127.0.0.1:20000/api/kernels";
  await eventually("JupyterLab", async () => ((await status(token).catch(() => "")) === "200" ? true : undefined));
  expect(await status("wrong")).toBe("403");
  expect(await ssh("id", "-un")).toBe("ada\n");
  await expect(ssh("cat", "/var/lib/oneoff/secrets/spark")).rejects.toThrow("denied");
  await expect(ssh("curl", "-s", "-m", "5", "http://169.254.169.254/")).rejects.toThrow();

  box.put(keys.users, usersFile(FLEET, []));
  await eventually("ada gone", async () => {
    const left = await head.must("sh", "-c", "ps -u ada -o pid= | wc -l");
    return left.trim() === "0" && box.report("head")?.notebooks.length === 0 ? true : undefined;
  });
  await expect(ssh("true")).rejects.toThrow("Permission denied");
});
