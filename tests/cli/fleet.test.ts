/** `oneoff fleet` on a fleet of processes; what its scripts answer is given, for the scripts have tests of their own. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as waiting from "../../cli/waiting.ts";
import { lakeLayout } from "../../core/lake-layout.ts";
import { identify, registration } from "../../provider/process.ts";
import { writeJsonFile } from "../project.ts";
import { exported } from "./attached.ts";
import { oneoff } from "./in-process.ts";

const GOLDEN = new URL("golden/", import.meta.url);

let outputs: Record<string, unknown>;
let home: string;
let lake: string;

vi.mock(import("../../cli/pulumi.ts"), async (original) => {
  const real = await original();
  const outputsOf = async (stack: string) => real.outputsIn(exported(outputs), stack);
  const pulumiText = async (args: readonly string[]) => (args === real.STATE ? exported(outputs) : "team");
  return { ...real, outputsOf, pulumiText, ensureStack: async () => {} };
});

vi.mock(import("../../cli/waiting.ts"), { spy: true });

/** A script answers what is in a file of its name, having said what is in another. */
const PYTHON = `#!/bin/sh
name=$(basename "$1" .py); shift
cd "$(dirname "$0")"
for word in "$@"; do echo "$word"; done > "$name.words"
cat "$name.says" >&2 2>/dev/null
cat "$name.answer"
exit $(cat "$name.code" 2>/dev/null || echo 0)
`;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "oneoff-fleet-"));
  lake = join(home, "lake");
  vi.stubEnv("PULUMI_BACKEND_URL", "file:///where/stacks/are");
  vi.stubEnv("PULUMI_STACK", "team");
  outputs = {
    ...{ cluster: "local-fleet", run: "1", lake, spark: "http://127.0.0.1:7006/", hdfs: "http://127.0.0.1:7001/" },
    jupyter: "http://127.0.0.1:7009/lab",
  };
  writeFileSync(join(home, "python"), PYTHON, { mode: 0o755 });
  service("namenode", { NAMENODE_RPC: 7000, NAMENODE_HTTP: 7001 });
  service("datanode", { DATANODE_DATA: 7002, DATANODE_HTTP: 7004 });
  service("datanode-2", { DATANODE_DATA: 7018, DATANODE_HTTP: 7020 });
  service("master", { MASTER_RPC: 7005, MASTER_HTTP: 7006 });
  service("worker", { WORKER_HTTP: 7007 });
  answer("fleet_status", status());
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(home, { recursive: true });
});

function service(name: string, ports: Readonly<Record<string, number>>, alive = true): void {
  const own = Object.entries(ports).map(([key, port]) => [`ONEOFF_${key}`, String(port)]);
  const env = { ONEOFF_ADDRESS: "127.0.0.1", ONEOFF_PYTHON: join(home, "python"), ...Object.fromEntries(own) };
  const folder = lakeLayout(lake).service(name);
  writeJsonFile(join(folder, "spec.json"), { name, lake, command: [], env, files: [], disks: [], ports: [] });
  if (alive) writeJsonFile(registration(folder), identify(process.pid));
  else rmSync(registration(folder), { force: true });
}

const answer = (script: string, value: unknown, code = 0, says = ""): void => {
  writeFileSync(join(home, `${script}.answer`), `${JSON.stringify(value)}\n`);
  writeFileSync(join(home, `${script}.code`), String(code));
  writeFileSync(join(home, `${script}.says`), says);
};
const words = (script: string) =>
  readFileSync(join(home, `${script}.words`), "utf8")
    .trim()
    .split("\n");

const status = (change: object = {}) => ({
  hdfs: {
    ...{ state: "active", used: 2e9, capacity: 20e9, live: 2, missing: 0, underReplicated: 0 },
    nodes: [
      { address: "127.0.0.1:7002", state: "in service", used: 1.5e9, capacity: 10e9, blocks: 12, lastContact: 1 },
      { address: "127.0.0.1:7018", state: "decommissioning", used: 0.5e9, capacity: 10e9, blocks: 4, lastContact: 1 },
    ],
    ...change,
  },
  spark: {
    state: "alive",
    nodes: [
      {
        ...{ address: "127.0.0.1:33000", page: "127.0.0.1:7007", state: "alive", cores: 2, coresUsed: 1 },
        ...{ memoryMebibytes: 1024, memoryUsedMebibytes: 614, gpus: ["0", "1"], gpusUsed: ["1"] },
      },
    ],
    applications: [
      { id: "app-1", name: "nids 1 train", user: "ada", cores: 1, since: "2026-11-29T19:11:43Z", state: "running" },
    ],
  },
});

test("fleet status tells of every node, what works there and what HDFS holds", async () => {
  const { code, out } = await oneoff("fleet", "status");
  expect(out).toBe(
    [
      "NODE        ROLE      STATE            CORES  MEMORY MB  GPUS   HDFS GB",
      "datanode    datanode  in service                               1.5/10.0",
      "datanode-2  datanode  decommissioning                          0.5/10.0",
      "master      master    ready",
      "namenode    namenode  ready",
      "worker      worker    busy               1/2   614/1024   1/2",
      "5 nodes. HDFS has 2.0 of 10.0 GB. Running: nids 1 train of ada, 1 core since 2026-11-29 19:11 UTC.",
      "",
    ].join("\n"),
  );
  expect(code).toBe(0);
  expect(words("fleet_status")).toEqual(["--namenode", "127.0.0.1:7001", "--master", "127.0.0.1:7006"]);
});

test("YARN is asked in place of Spark's master, and its page is to be had", async () => {
  const { spark: _, ...others } = outputs;
  outputs = { ...others, yarn: "http://127.0.0.1:7014/" };
  service("resourcemanager", { RESOURCEMANAGER_RPC: 7011, RESOURCEMANAGER_HTTP: 7014 });
  service("nodemanager", { NODEMANAGER_HTTP: 7015 });
  const found = status();
  const spark = found.spark && {
    ...found.spark,
    nodes: found.spark.nodes.map((node) => ({ ...node, page: "127.0.0.1:7015" })),
  };
  answer("fleet_status", { ...found, spark });
  answer("idle", { busy: false, reasons: [] });
  const { out } = await oneoff("fleet", "status");
  expect(words("fleet_status")).toEqual(["--namenode", "127.0.0.1:7001", "--master", "yarn://127.0.0.1:7014"]);
  expect(out).toMatch(/^nodemanager +nodemanager +busy +1\/2 +614\/1024 +1\/2$/m);
  await oneoff("fleet", "why");
  expect(words("idle").join(" ")).toContain("_services/resourcemanager/idle.json --master yarn://127.0.0.1:7014");
});

test("the schema of fleet status is what it was", async () => {
  const { code, out } = await oneoff("fleet", "status", "--json");
  expect(code).toBe(0);
  await expect(out).toMatchFileSnapshot(new URL("fleet.jsonl", GOLDEN).pathname);
});

test("fleet why says who works there, and that nothing ends by that", async () => {
  const end = 'nothing ends here by that: a run does at its deadline, the rest with "npx --no oneoff down team".\n';
  answer("idle", { busy: true, reasons: ["ada's kernel a.ipynb is busy", "GPU 0 is at 40 %"], idleSince: null });
  expect(await oneoff("fleet", "why")).toEqual({
    code: 0,
    out: `Not idle: ada's kernel a.ipynb is busy; GPU 0 is at 40 %; ${end}`,
    err: "",
  });
  const folder = (name: string) => lakeLayout(lake).service(name);
  expect(words("idle")).toEqual([
    ...["--state", join(folder("master"), "idle.json"), "--master", "127.0.0.1:7006"],
    ...["--jupyter", "http://127.0.0.1:7009/"],
    ...["--token-file", join(folder("notebook"), "root/run/secrets/notebook-token")],
  ]);
  answer("idle", { busy: false, reasons: [], idleSince: "2026-11-29T19:11:43Z" });
  expect((await oneoff("fleet", "why")).out).toBe(`Idle; ${end}`);
});

test("fleet status follows until it is left: a line when something has changed", async () => {
  const stop = new AbortController();
  let looks = 0;
  vi.mocked(waiting.stopSignal).mockReturnValue(stop.signal);
  vi.mocked(waiting.pause).mockImplementation(async () => {
    looks++;
    if (looks === 2) answer("fleet_status", status({ underReplicated: 2 }));
    if (looks === 3) stop.abort("SIGINT");
  });
  const { code, out } = await oneoff("fleet", "status", "--follow", "--json");
  const lines = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines.map(({ type, state, exit, warnings }) => [type, state ?? warnings?.length, exit])).toEqual([
    ["begin", undefined, undefined],
    ["status", 0, undefined],
    ["status", 1, undefined],
    ["end", "left", 1],
  ]);
  expect(lines[0]).toMatchObject({ schema: "oneoff.fleet/1", stack: "team" });
  expect(code).toBe(1);
});

test("what is down or missing is a warning, and its exit code is 1", async () => {
  service("datanode-2", { DATANODE_DATA: 7018 }, false);
  const problem = "the master 127.0.0.1:7006 does not answer";
  answer("fleet_status", { ...status({ missing: 3, underReplicated: 9 }), spark: null, problem });
  const { code, out } = await oneoff("fleet", "status");
  expect(code).toBe(1);
  expect(out).toMatch(/^datanode-2 {2}datanode {2}down$/m);
  expect(out.split("\n").filter((line) => line.startsWith("Warning"))).toEqual([
    'Warning: datanode-2 is down: "npx --no oneoff up team" starts it again',
    "Warning: the master 127.0.0.1:7006 does not answer",
    "Warning: 3 blocks of HDFS are missing: a datanode that had them must come back",
    "Warning: 9 blocks of HDFS have fewer copies than they should, and are copied while there is room",
  ]);
});

test("fleet push says what is there, and how far it is", async () => {
  const archive = join(home, "data.tgz");
  writeFileSync(archive, "");
  answer(
    "push",
    { files: 1000, skipped: 240, bytes: 3.4e9, seconds: 20.5 },
    0,
    "push: 1.2 of 3.4 GB\npush: all checked\n",
  );
  const { code, out, err } = await oneoff("fleet", "push", archive, "/data");
  expect([code, out]).toEqual([0, "1,000 files are in /data of HDFS, all checked; 240 were there already.\n"]);
  expect(err).toBe("push: 1.2 of 3.4 GB\npush: all checked\n");
  expect(words("push")).toEqual(["--namenode", "127.0.0.1:7001", archive, "/data"]);
  const again = await oneoff("fleet", "push", archive, "/data", "--overwrite", "--json");
  expect(words("push")).toContain("--overwrite");
  await expect(again.out).toMatchFileSnapshot(new URL("push.jsonl", GOLDEN).pathname);
});

test.each([
  ["what it refuses", 2, "a.txt is a link: take it out", 2],
  ["what doesn't answer", 1, "127.0.0.1:7001 (HDFS) does not answer", 4],
])("of fleet push %s are its last words, on one line", async (_, code, says, exit) => {
  const archive = join(home, "data.tgz");
  mkdirSync(archive);
  answer("push", {}, code, `push: before\npush: ${says}\n`);
  expect(await oneoff("fleet", "push", archive, "/data")).toMatchObject({
    code: exit,
    out: "",
    err: `push: before\noneoff: ${says}\n`,
  });
});

test("fleet reset wants the stack's name, and says what went", async () => {
  answer("reset", { sessions: 0, kernels: 1, deleted: 2 });
  const about = "In stack team (by PULUMI_STACK): all that users have in HDFS goes, and every kernel ends.\n";
  expect(await oneoff("fleet", "reset", "--dry-run")).toEqual({
    code: 0,
    out: "",
    err: `${about}That would go, and nothing did.\n`,
  });
  expect(await oneoff("fleet", "reset")).toMatchObject({
    code: 2,
    err: `${about}oneoff: it removes what users have, and --confirm has no name: nobody can be asked here, so say --confirm team\n`,
  });
  expect((await oneoff("fleet", "reset", "--confirm", "tea")).err).toContain("--confirm is tea, and the stack is team");
  expect(() => words("reset")).toThrow();
  expect(await oneoff("fleet", "reset", "--confirm", "team")).toEqual({
    code: 0,
    out: "Gone: 2 files and folders of HDFS, 1 kernel.\n",
    err: about,
  });
  const token = join(lakeLayout(lake).service("notebook"), "root/run/secrets/notebook-token");
  expect(words("reset").slice(4)).toEqual(["--notebook", "http://127.0.0.1:7009/", "--token-file", token]);
});

test("fleet reset is refused while a run goes on, whose data look like nobody's between steps", async () => {
  const status = {
    run: "1",
    job: "nids",
    state: "running",
    started: "2026-11-29T19:11:43Z",
    deadline: "2126-11-29T20:11:43Z",
  };
  writeJsonFile(lakeLayout(lake).record("1"), { ...status, steps: [], tables: {} });
  writeJsonFile(registration(lakeLayout(lake).cluster("1")), identify(process.pid));
  expect(await oneoff("fleet", "reset", "--confirm", "team")).toEqual({
    code: 5,
    out: "",
    err: "oneoff: run 1 goes on, and has data in HDFS: wait for its end (npx --no oneoff watch team), or end it (npx --no oneoff cancel team)\n",
  });
  expect(() => words("reset")).toThrow();
});

test.each([
  ["wake", "the nodes of stack team are processes of this machine, which never sleep"],
  ["ssh", "the nodes of stack team are processes of this machine: there is nothing to enter"],
  ["users list", "the nodes of stack team are processes of this machine: nobody else enters them"],
])("fleet %s is for machines", async (words, why) => {
  expect(await oneoff("fleet", ...words.split(" "))).toEqual({ code: 2, out: "", err: `oneoff: ${why}\n` });
});

test("what is no archive, and what is no fleet, is told of", async () => {
  expect((await oneoff("fleet", "push", "/dev/null/nowhere", "/data")).err).toBe(
    "oneoff: archive is /dev/null/nowhere: there is no such file\n",
  );
  outputs = { cluster: "local", run: "1", lake };
  expect((await oneoff("fleet", "status")).err).toBe(
    'oneoff: stack team is no fleet: its cluster is "local", and fleets are gpu-fleet, local-fleet; "npx --no oneoff status team" tells of it\n',
  );
});

test("the scoring page is opened where there is one, and else it is said what decides about it", async () => {
  vi.stubEnv("BROWSER", "/bin/true");
  const none = await oneoff("open", "--ui", "app");
  expect(none).toMatchObject({ code: 2, err: "oneoff: stack team has no Scoring: oneoff:app decides about it\n" });
  outputs.app = "http://127.0.0.1:7010/";
  service("app", { APP_HTTP: 7010 });
  const nodes = JSON.parse((await oneoff("fleet", "status", "--json")).out).nodes;
  expect(nodes).toContainEqual(expect.objectContaining({ name: "app", role: "app", state: "ready" }));
});
