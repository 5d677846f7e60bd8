import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeAll, expect, test } from "vitest";
import { londonPower } from "../../../assets/jobs/london-power/index.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { LocalCluster, LocalDashboard, LocalLake } from "../../../components/local/index.ts";
import { job } from "../../../core/job.ts";
import { isSecret, type Registered, record, result, settle } from "../mocks.ts";

const inRoot = (path: string) => resolve(pulumi.getRootDirectory(), path);

let resources: Registered[];
beforeAll(() => {
  resources = record().resources;
});
afterEach(() => {
  resources.length = 0;
});

const custom = () => resources.filter((resource) => resource.custom).sort((a, b) => (a.name < b.name ? -1 : 1));

test("the three nouns make exactly a folder, a run and a server", async () => {
  const small = xo({ rows: 100 });
  const made = await settle(() => {
    const lake = new LocalLake("lake", { job: small, path: "data" });
    const cluster = new LocalCluster("cluster", {
      job: small,
      lake,
      lifetime: { deadline: "1 minute" },
      cores: 2,
      python: "/venv/bin/python",
    });
    return { lake, cluster, dashboard: new LocalDashboard("board", { job: small, lake }) };
  });
  expect(custom().map(({ type, name }) => [type, name])).toEqual([
    ["oneoff-local:index:Server", "board-server"],
    ["oneoff-local:index:Run", "cluster-run"],
    ["oneoff-local:index:Folder", "lake-folder"],
  ]);
  const [server, run, folder] = custom();
  expect(folder?.inputs).toEqual({ path: inRoot("data"), retain: false });
  expect(run?.inputs).toMatchObject({
    run: "1",
    job: { name: "xo", steps: small.steps, tables: small.tables },
    lake: inRoot("data"),
    deadlineSeconds: 60,
    cores: 2,
    memoryMebibytes: 2048,
    python: "/venv/bin/python",
    origin: { version: expect.any(String), settings: {}, steps: [{ name: "generate" }, { name: "train" }] },
    secrets: {},
  });
  expect(server?.inputs).toEqual({
    name: "board",
    lake: inRoot("data"),
    port: 8765,
    job: { name: "xo", tables: small.tables, panels: small.panels },
  });
  expect(await result(made.lake.uri)).toBe(inRoot("data"));
  expect(await result(made.dashboard.url)).toBe("http://mock");
  expect(await result(made.cluster.state)).toBe("running");
});

test("cluster and dashboard take the lake's job, or the same, and a dashboard may show fewer panels", async () => {
  const made = xo({ rows: 100 });
  const few = { ...made, panels: made.panels.slice(1) };
  await settle(() => {
    const lake = new LocalLake("lake", { job: made });
    expect(lake.job).toBe(made);
    const lifetime = { deadline: "1 minute" } as const;
    new LocalCluster("c-default", { lake, lifetime });
    new LocalCluster("c-copy", { job: structuredClone(made), lake, lifetime });
    new LocalCluster("c-larger", { job: xo({ rows: 500 }), lake, lifetime });
    new LocalDashboard("d-default", { lake });
    new LocalDashboard("d-few", { job: few, lake });
  });
  const jobOf = (name: string) => custom().find((resource) => resource.name === name)?.inputs.job;
  const { name, tables, panels } = made;
  expect(jobOf("c-default-run")).toEqual({ name, steps: made.steps, tables });
  expect(jobOf("c-copy-run")).toEqual({ name, steps: made.steps, tables });
  expect(jobOf("c-larger-run")).toEqual({ name, steps: xo({ rows: 500 }).steps, tables });
  expect(jobOf("d-default-server")).toEqual({ name, tables, panels });
  expect(jobOf("d-few-server")).toEqual({ name, tables, panels: few.panels });
});

test("what the job reads is there or at an address, and is nothing that the run is told", async () => {
  const reads = [import.meta.filename, import.meta.dirname, "s3://bucket/x", "gs://bucket/x"];
  const reading = { ...xo(), reads };
  const lifetime = { deadline: "1 minute" } as const;
  expect(() => LocalCluster.check({ job: reading, lifetime })).not.toThrow();
  expect(() => LocalCluster.check({ job: { ...reading, reads: ["/no/such.csv"] }, lifetime })).toThrow("job.reads has");
  await settle(() => {
    const lake = new LocalLake("lake", { job: reading });
    new LocalCluster("c", { lake, lifetime });
    new LocalDashboard("d", { lake });
  });
  for (const { inputs } of custom()) expect(JSON.stringify(inputs)).not.toContain("bucket");
});

test("another job than the lake's is refused, and nothing made for it", async () => {
  const made = xo();
  await settle(() => {
    const lake = new LocalLake("lake", { job: made });
    const lifetime = { deadline: "1 minute" } as const;
    const few = { ...made, panels: made.panels.slice(1) };
    const changed = { ...made, panels: made.panels.map((panel) => ({ ...panel, title: "Other" })) };
    expect(() => new LocalCluster("c1", { job: londonPower(), lake, lifetime })).toThrow(
      'job is "london-power" and lake is of job "xo": leave job out',
    );
    expect(() => new LocalCluster("c2", { job: few, lake, lifetime })).toThrow("of that name that has a panel");
    expect(() => new LocalDashboard("d1", { job: londonPower(), lake })).toThrow("lake is of job");
    expect(() => new LocalDashboard("d2", { job: changed, lake })).toThrow("is another: leave job out");
  });
  expect(custom().map(({ name }) => name)).toEqual(["lake-folder"]);
});

test("children lie below their component, and a transform changes them", async () => {
  await settle(() => {
    const lake = new LocalLake("kept", { job: xo(), removal: "retain", transform: { folder: { path: "/else" } } });
    expect(lake.path).toBe(inRoot(".oneoff/lake"));
  });
  expect(custom().map(({ inputs }) => inputs)).toEqual([{ path: "/else", retain: true }]);
});

test("a secret reaches the run as a secret, and a missing one is refused", async () => {
  const secretive = job({
    name: "secretive",
    from: import.meta.url,
    steps: [{ name: "read", script: "../step.py", secrets: ["token"] }],
    tables: [{ name: "t", about: "T", columns: [{ name: "x", type: "double" }] }],
  });
  const lifetime = { deadline: "1 minute" } as const;
  await settle(() => {
    const lake = new LocalLake("secret-lake", { job: secretive });
    const common = { job: secretive, lake, lifetime };
    new LocalCluster("given", { ...common, secrets: { token: pulumi.secret("hush") } });
    new LocalCluster("plain", { ...common, secrets: { token: "hush", other: "unused" } });
    expect(() => new LocalCluster("missing", common)).toThrow('secrets has no "token", which job "secretive" asks for');
  });
  for (const { inputs } of custom().filter(({ type }) => type.endsWith(":Run"))) {
    expect(isSecret(inputs.secrets)).toBe(true);
    expect((inputs.secrets as { value: unknown }).value).toEqual({ token: "hush" });
  }
});

test.each<[string, () => unknown, string]>([
  [
    "a removal",
    () => new LocalLake("l1", { job: xo(), removal: "burn" as never }),
    'removal is "burn": expected "delete" or "retain"',
  ],
  [
    "a port",
    () => new LocalDashboard("d1", { job: xo(), lake: new LocalLake("l2", { job: xo() }), port: 70_000 }),
    "port is 70000",
  ],
  [
    "what the job reads",
    () => cluster({ job: { ...xo(), reads: [import.meta.filename, "/no/such.csv"] } }),
    'job.reads has "/no/such.csv", which is not on this machine: put the file or folder there, or give the path of one',
  ],
  ["cores", () => cluster({ cores: 0 }), "cores is 0: expected a whole number above zero"],
  ["memory", () => cluster({ memory: "2g" as never }), 'memory is "2g"'],
  ["a run id", () => cluster({ runId: "a/b" }), 'runId is "a/b"'],
  [
    "a deadline",
    () => cluster({ lifetime: { deadline: "1 second" } }),
    'deadline is "1 second" (1 s): expected something from "10 seconds" to "7 days"',
  ],
])("%s out of range is refused before any child is made", async (_, make, message) => {
  await settle(() => expect(make).toThrow(message));
  expect(custom().filter(({ type }) => !type.endsWith(":Folder"))).toEqual([]);
});

let clusters = 0;
const cluster = (change: object) => {
  const name = `c${clusters++}`;
  const lake = new LocalLake(`${name}-lake`, { job: xo() });
  return new LocalCluster(name, { job: xo(), lake, lifetime: { deadline: "1 hour" }, ...change });
};
