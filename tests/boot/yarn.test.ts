/** A small fleet that YARN shares out, by the real user data, scripts and units; what differs from EC2's is said in boot.test.ts. */
// @module-tag root
// @module-tag mount
import { afterAll, beforeAll, expect, onTestFailed, test } from "vitest";
import { usersFile } from "../../components/aws/fleet/keys.ts";
import { dataConfig, headConfig, type NodePlace, workerConfig } from "../../components/aws/fleet/node-config.ts";
import { fleetPlan } from "../../components/aws/fleet/plan.ts";
import { YARN_JARS } from "../../components/aws/fleet/sharing.ts";
import { software } from "../../provider/software.ts";
import { type Box, eventually, FLEET, keys, type Machine, startBox } from "./box.ts";
import { asked, begin, counts, ended } from "./runs.ts";

const HEAD = "10.84.0.10";
const place: NodePlace = {
  fleet: FLEET,
  lake: "/lake",
  region: "us-west-2",
  head: HEAD,
  sparkParameter: "/oneoff/spark",
  usersRole: "arn:aws:iam::123456789012:role/users",
  runRole: "arn:aws:iam::123456789012:role/run",
};
const plan = fleetPlan({
  lifetime: { deadline: "8 hours", idle: "1 hour" },
  region: "us-west-2",
  scheduler: "yarn",
  hdfs: { datanodes: 1 },
  workers: { count: 2, spot: { fallback: "fewer" } },
  notebook: false,
});

let box: Box;
let head: Machine;
let worker: Machine;

beforeAll(async () => {
  const { outs } = await software.create("", { name: "yarn", lock: YARN_JARS });
  box = await startBox({ yarn: outs.folder });
  box.put(keys.users, usersFile(FLEET, []));
  const members = { nodes: [{ name: "data-1", address: "10.84.0.11:9866" }], replication: 1 };
  box.put(`${keys.at}/members.json`, JSON.stringify(members));
  head = await box.machine("head", HEAD, headConfig(plan, place));
  await box.machine("data-1", "10.84.0.11", dataConfig(plan, place, "data-1"));
  worker = await box.machine("worker", "10.84.0.20", workerConfig(plan, place));
  await box.machine("other", "10.84.0.21", workerConfig(plan, place));
}, 600_000);
afterAll(() => box?.[Symbol.asyncDispose]());
const keepLogs = () => onTestFailed(() => box.logs("/tmp/oneoff-box-logs"));

/** What the resource manager tells, of one kind. */
async function told(kind: "node" | "app"): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const states = kind === "app" ? "?states=ACCEPTED,RUNNING" : "";
  const url = `http://${HEAD}:8088/ws/v1/cluster/${kind}s${states}`;
  const answer = JSON.parse(await head.must("curl", "--silent", "--header", "Accept: application/json", url));
  return answer[`${kind}s`]?.[kind] ?? [];
}
const run = (id: string, seconds: number) =>
  begin(box, plan, { run: id, job: counts(["--then-sleep", `${seconds}`]), head: HEAD });
const gone = () => eventually("no application", async () => ((await told("app")).length === 0 ? true : undefined));

test("machines come up with YARN in the place of Spark's own master, and tell of it", async () => {
  keepLogs();
  const found = await eventually("HDFS and YARN", () => {
    const report = box.report("head");
    const fleet = report?.fleet as { hdfs?: unknown; spark?: { nodes: readonly unknown[] } } | undefined;
    return fleet?.hdfs && fleet.spark?.nodes.length === 2 ? report : undefined;
  }).catch((error) => {
    throw new Error(`${error.message}\n${head.bootLog()}\n${worker.bootLog()}`);
  });
  expect(found).toMatchObject({
    services: ["namenode", "resourcemanager", "history", "agent"].map((name) => ({ name, state: "ready" })),
    pages: { yarn: `${HEAD}:8088`, hdfs: `${HEAD}:9870`, history: `${HEAD}:18080` },
    fleet: {
      hdfs: { live: 1 },
      // By its address, as EC2 has it too; two cores are for masters of applications.
      spark: {
        state: "started",
        nodes: expect.arrayContaining([
          expect.objectContaining({ page: "10.84.0.20:8042", cores: 4, state: "alive" }),
          expect.objectContaining({ page: "10.84.0.21:8042", cores: 4, state: "alive" }),
        ]),
        applications: [],
      },
    },
  });
  expect(box.report("worker-i-worker")?.services).toEqual([
    { name: "nodemanager", state: "ready" },
    { name: "agent", state: "ready" },
  ]);
});

test("a run's steps are applications of YARN, and one that is ended leaves none", async () => {
  keepLogs();
  run("1", 600);
  const working = await eventually("an application with an executor", async () =>
    (await told("app")).find(({ allocatedVCores }) => Number(allocatedVCores) > 1),
  );
  expect(working).toMatchObject({ name: "counts 1 count", user: "oneoff" });
  await asked(box, "cancel-1", { command: "cancel", run: "1" });
  expect((await ended(box, "1")).state).toBe("failed");
  await gone();
});

test("of a machine that EC2 is about to take executors go at once, and nothing is begun there; the run succeeds", async () => {
  keepLogs();
  run("2", 20);
  const summary = `http://${HEAD}:9870/webhdfs/v1/runs/2?op=GETCONTENTSUMMARY`;
  await eventually("four parts of the table", async () => {
    const { ContentSummary: all } = JSON.parse(await head.must("curl", "--silent", summary));
    return all?.fileCount > 4 ? true : undefined;
  });
  const notice = JSON.stringify({ action: "terminate", time: "2099-01-01T00:00:00Z" });
  await worker.must("sh", "-c", `echo '${notice}' > /run/spot-notice`);
  await eventually("a node that has nothing to give", async () => {
    const node = (await told("node")).find(({ nodeHTTPAddress }) => `${nodeHTTPAddress}`.startsWith("ip-10-84-0-20."));
    // The application's master may be left.
    return node && Number(node.availableVirtualCores) <= 0 && Number(node.usedVirtualCores) <= 1 ? true : undefined;
  });
  expect(await ended(box, "2")).toMatchObject({ state: "succeeded", tables: { numbers: { rows: 1000 } } });
  await gone();
  await eventually("word of it", () => box.report("worker-i-worker")?.taken ?? undefined);
});
