import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { londonPower } from "../../../assets/jobs/london-power/index.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import { haproxyConfig } from "../../../components/docker/gateway.ts";
import { SwarmCluster, type SwarmClusterArgs, SwarmDashboard } from "../../../components/docker/index.ts";
import { type Job, job } from "../../../core/job.ts";
import { RunSpec } from "../../../core/run-spec.ts";
import { fakeDocker } from "../../stacks/fake-docker.ts";
import { isSecret, type Registered, record, settle } from "../mocks.ts";

let resources: Registered[];
beforeAll(() => {
  resources = record(fakeDocker).resources;
});
afterEach(() => {
  resources.length = 0;
});

const small = xo({ rows: 100 });
const given: SwarmClusterArgs = {
  job: small,
  lake: { path: "/lake" },
  lifetime: { deadline: "1 hour" },
  images: { spark: "spark:1", hdfs: "hdfs:1", mongo: "mongo:1", mongoExpress: "express:1" },
  user: "1000:1000",
};
const make = (args: Partial<SwarmClusterArgs> = {}) => settle(() => new SwarmCluster("cluster", { ...given, ...args }));
const ours = () => resources.filter((resource) => resource.custom);
const named = (name: string) => {
  const found = resources.filter((resource) => resource.name === name);
  expect(found.map(({ name }) => name)).toEqual([name]);
  // biome-ignore lint/suspicious/noExplicitAny: the inputs are looked at, not used
  return found[0]?.inputs as any;
};
const roles = () =>
  ours()
    .filter(({ type }) => type === "docker:index/service:Service")
    .map(({ name }) => name.replace("cluster-", ""))
    .sort();
const container = (role: string) => named(`cluster-${role}`).taskSpec.containerSpec;
const secretOf = (name: string) => Buffer.from(named(name).data.value, "base64").toString();
const files = (data: string) => unzipSync(Buffer.from(data, "base64"));
const runSpec = () => JSON.parse(Buffer.from(files(named("cluster-run-1-config").data)["run.json"] ?? []).toString());

describe("what a cluster is made of", () => {
  test("the defaults: three workers, HDFS with one datanode, a notebook, no MongoDB", async () => {
    await make();
    expect(roles()).toEqual(["datanode", "history", "master", "namenode", "notebook", "run-1", "worker"]);
    expect(named("cluster-worker").mode).toEqual({ replicated: { replicas: 3 } });
    expect(named("cluster-worker").taskSpec.resources).toEqual({
      limits: { memoryBytes: 1.5 * 2 ** 30 },
      reservation: { memoryBytes: 1.5 * 2 ** 30 },
    });
    expect(container("worker").env).toMatchObject({ SPARK_WORKER_CORES: "1", SPARK_WORKER_MEMORY: "614m" });
    expect(container("namenode").env.HDFS_REPLICATION).toBe("1");
    expect(named("cluster-network")).toMatchObject({
      name: "oneoff-test",
      driver: "overlay",
      attachable: true,
      options: { encrypted: "" },
    });
  });

  test("without HDFS and notebook: the workers write to the lake, and are where it is", async () => {
    await make({ hdfs: false, notebook: false, node: "node.hostname==one" });
    expect(roles()).toEqual(["history", "master", "run-1", "worker"]);
    expect(container("worker").mounts).toEqual([{ type: "bind", source: "/lake", target: "/lake", readOnly: false }]);
    expect(named("cluster-worker").taskSpec.placement).toEqual({ constraints: ["node.hostname==one"] });
    expect(runSpec()).toMatchObject({ stage: null, scratch: "/lake/_scratch/1" });
    expect(container("run-1").env.ONEOFF_EVENTS).toBe("file:/lake/_spark-events");
  });

  test("with HDFS the workers need no node of their own, and the run writes there first", async () => {
    await make();
    expect(container("worker").mounts).toBeUndefined();
    expect(named("cluster-worker").taskSpec.placement).toBeUndefined();
    expect(runSpec()).toMatchObject({
      lake: "/lake",
      stage: "webhdfs://namenode:9870/runs/1",
      scratch: "webhdfs://namenode:9870/scratch/1",
    });
  });

  test("a lake on S3: run and workers have its credentials, as a secret each of their own", async () => {
    await make({ lake: { uri: "s3://bucket/prefix" }, region: "eu-west-1", credentials: "[default]\nkey" });
    expect(runSpec().lake).toBe("s3://bucket/prefix");
    expect(container("worker").env).toMatchObject({
      AWS_SHARED_CREDENTIALS_FILE: "/run/secrets/credentials",
      AWS_REGION: "eu-west-1",
    });
    expect(container("run-1").env.AWS_REGION).toBe("eu-west-1");
    expect(container("run-1").mounts).toBeUndefined();
    expect(secretOf("cluster-run-1-secret")).toBe('{"lake-credentials":"[default]\\nkey"}');
    expect(container("notebook").configs).toBeUndefined();
  });

  test("what the steps read is mounted read-only where they run", async () => {
    await make({ reads: ["/data/power.csv"] });
    const mount = { type: "bind", source: "/data/power.csv", target: "/data/power.csv", readOnly: true };
    expect(container("worker").mounts).toEqual([mount]);
    expect(container("run-1").mounts).toContainEqual(mount);
  });

  test("what the job reads is mounted too, once with what it lies in, and addresses are not", async () => {
    const reads = ["/data/power.csv", "/srv/books/", "s3://bucket/x", "gs://bucket/x"];
    const sources = (role: string) =>
      (container(role).mounts ?? []).map(({ source, readOnly }: Record<string, unknown>) => [source, readOnly]);
    await make({ job: { ...small, reads } });
    expect(sources("worker")).toEqual([
      ["/data/power.csv", true],
      ["/srv/books", true],
    ]);
    expect(sources("run-1")).toEqual([...sources("worker"), ["/lake", false]]);
    resources.length = 0;
    await make({ job: { ...small, reads }, reads: ["/srv/books/novels", "/data"], readsOn: "node.labels.data==yes" });
    expect(sources("worker")).toEqual([
      ["/data", true],
      ["/srv/books", true],
    ]);
    expect(named("cluster-worker").taskSpec.placement).toEqual({ constraints: ["node.labels.data==yes"] });
    resources.length = 0;
    await make({ reads: ["/srv/books", "/srv/books/novels"] });
    expect(sources("worker")).toEqual([
      ["/srv/books", true],
      ["/srv/books/novels", true],
    ]);
  });

  test("a lake that is read too is mounted once, however its path is written", async () => {
    await make({ lake: { path: "/lake/" }, reads: ["/lake"] });
    expect(container("run-1").mounts).toEqual([{ type: "bind", source: "/lake", target: "/lake", readOnly: false }]);
  });

  test("the run is a service that ends, with all that it needs in one archive", async () => {
    await make();
    expect(named("cluster-run-1").taskSpec.restartPolicy.condition).toBe("none");
    const names = Object.keys(files(named("cluster-run-1-config").data));
    expect(names).toEqual(
      expect.arrayContaining(["__main__.py", "oneoff.py", "step_runner.py", "run.json", "job/0/generate.py"]),
    );
    expect(RunSpec.parse(runSpec())).toEqual(runSpec());
    const [step] = runSpec().steps;
    expect(step).toMatchObject({ name: "generate", pythonPath: ["/tmp/oneoff/code/job/1"] });
    expect(step.command.slice(0, 3)).toEqual(["spark-submit", "--master", "spark://master:7077"]);
    expect(step.command).toContain("/tmp/oneoff/code/job/0/generate.py");
    expect(step.command).toContain("webhdfs://namenode:9870/runs/1/points/run=1");
    expect(runSpec().tables.map(({ name }: { name: string }) => name)).toEqual([
      "points",
      "models",
      "surface",
      "optimum",
    ]);
  });

  test("MongoDB: a user for the job, a page, and no password but in secrets", async () => {
    await make({ mongo: true, job: londonPower({ mongo: true }) });
    expect(roles()).toEqual(expect.arrayContaining(["mongo", "mongo-express"]));
    expect(secretOf("cluster-mongo-uri-secret")).toMatch(
      /^mongodb:\/\/oneoff:cluster-mongox+@mongo:27017\/power\?authSource=power$/,
    );
    expect(JSON.parse(secretOf("cluster-run-1-secret"))).toEqual({ "mongo-uri": secretOf("cluster-mongo-uri-secret") });
    for (const { name, inputs } of ours().filter(({ type }) => type.endsWith(":Secret")))
      expect(isSecret(inputs.data), name).toBe(true);
  });

  test("secrets are read by their service's user alone", async () => {
    await make();
    expect(container("worker").secrets).toEqual([
      expect.objectContaining({ fileName: "spark", fileUid: "1000", fileGid: "1000", fileMode: 0o400 }),
    ]);
  });

  test("a secret's name changes with its content, and can't be told from a guess of it", async () => {
    const named = async (value: string) => {
      resources.length = 0;
      await make({ job: withSecret("key"), secrets: { key: value } });
      return ours().find(({ name }) => name === "cluster-run-1-secret")?.inputs.name;
    };
    const [one, two] = [await named("a"), await named("b")];
    expect(one).toMatch(/^oneoff-test-run-[0-9a-f]{12}$/);
    expect(two).not.toBe(one);
  });

  test("a transform changes a service just before it is made", async () => {
    await make({
      transform: {
        service: (args, _opts, name) => ({
          args: name === "cluster-worker" ? { ...args, mode: { replicated: { replicas: 9 } } } : args,
        }),
      },
    });
    expect(named("cluster-worker").mode.replicated.replicas).toBe(9);
    expect(named("cluster-master").mode.replicated.replicas).toBe(1);
  });
});

test("the gateway asks who is meant, and looks services up again and again", () => {
  const config = haproxyConfig([{ name: "spark", role: "master", port: 8080, published: 8766 }]);
  expect(config).toContain("bind :8766");
  expect(config).toContain("server master master:8080 resolvers docker");
  expect(config).toContain("acl local req.hdr(host),field(1,:),lower -m str localhost 127.0.0.1");
  expect(config).toContain("deny status 421");
});

test("the dashboard is a container that can only read the lake", async () => {
  await settle(
    () => new SwarmDashboard("dashboard", { job: small, lake: { path: "/lake" }, image: "d:1", user: "1000:1000" }),
  );
  expect(named("dashboard-container")).toMatchObject({
    readOnly: true,
    user: "1000:1000",
    mounts: [{ type: "bind", source: "/lake", target: "/lake", readOnly: true }],
    ports: [{ internal: 8765, external: 8765, ip: "127.0.0.1" }],
  });
});

test("a lake that has a job is where cluster and dashboard take it from", async () => {
  const lake = { path: "/lake", job: small };
  const { job: _, ...rest } = given;
  const dashboard = { image: "d:1", user: "1000:1000", lake };
  const few = { ...small, panels: small.panels.slice(1) };
  await settle(() => {
    SwarmCluster.check({ ...rest, lake });
    new SwarmCluster("cluster", { ...rest, lake });
    new SwarmDashboard("all", dashboard);
    new SwarmDashboard("few", { ...dashboard, job: few });
  });
  expect(runSpec()).toMatchObject({ job: "xo", tables: small.tables.map(({ name }) => ({ name })) });
  const shown = (name: string) =>
    JSON.parse(named(`${name}-container`).envs[0].replace("ONEOFF_DASHBOARD=", "")).job.panels;
  expect(shown("all")).toEqual(small.panels);
  expect(shown("few")).toEqual(few.panels);
});

const withSecret = (name: string): Job =>
  job({ ...plain, steps: [{ name: "only", script: "script.py", secrets: [name] }] });
const folder = mkdtempSync(join(tmpdir(), "oneoff-job-"));
writeFileSync(join(folder, "script.py"), "");
writeFileSync(join(folder, "large.bin"), randomBytes(600 * 1024));
const plain = {
  name: "plain",
  from: join(folder, "index.ts"),
  tables: [{ name: "numbers", about: "Numbers", columns: [{ name: "n", type: "integer" }] }],
} as const;

describe("what is refused, before anything is made", () => {
  const refused: readonly [string, Partial<SwarmClusterArgs>, string][] = [
    ["no workers", { workers: { count: 0 } }, "workers.count is 0: expected a whole number above zero"],
    ["half a core", { workers: { cores: 0.5 } }, "workers.cores is 0.5: expected a whole number above zero"],
    [
      "little memory",
      { workers: { memory: "600 MB" } },
      'workers.memory is "600 MB": Spark and Python need at least "1024 MB"',
    ],
    ["no size", { workers: { memory: "big" as "1 GB" } }, 'workers.memory is "big": expected a number and a unit'],
    ["a small driver", { driverMemory: "100 MB" }, 'driverMemory is "100 MB": Spark and Python need at least'],
    [
      "more copies than datanodes",
      { hdfs: { datanodes: 2, replication: 3 } },
      "hdfs.replication is 3 and hdfs.datanodes is 2",
    ],
    ["no datanode", { hdfs: { datanodes: 0 } }, "hdfs.datanodes is 0: expected"],
    ["a relative lake", { lake: { path: "lake" } }, 'lake is "lake": expected an absolute path without a comma'],
    ["S3 without a key", { lake: { uri: "s3://bucket" } }, "credentials is not set: the Swarm's machines need them"],
    [
      "a path with a comma",
      { job: { ...small, reads: ["/a,b"] } },
      'job.reads is "/a,b": expected an absolute path without a comma',
    ],
    ["a named user", { user: "me:us" }, 'user is "me:us": expected two numbers'],
    ["a high port", { port: 65_535 }, "port is 65535: expected a whole number from 1 to 65531"],
    ["a short deadline", { lifetime: { deadline: "5 seconds" } }, 'deadline is "5 seconds"'],
    ["a bad run id", { runId: "a b" }, 'runId is "a b": expected 1 to 63 letters'],
    ["a secret that is missing", { job: withSecret("key") }, 'secrets has no "key", which job "plain" asks for'],
    [
      "a job that wants MongoDB",
      { job: londonPower({ mongo: true }) },
      'job "london-power" wants MongoDB, and mongo is not true',
    ],
    [
      "four tasks in little memory",
      { workers: { cores: 4 } },
      'workers.memory is "1.5 GB": Spark and Python need at least "2176 MB"',
    ],
    [
      "S3 without HDFS",
      { lake: { uri: "s3://b" }, credentials: "x", hdfs: false },
      "hdfs is false and the lake is no folder",
    ],
    [
      "a registry that the provider doesn't know",
      { registry: "r.example.com/team" },
      'pulumi config set --path "docker:registryAuth[0].address" r.example.com',
    ],
    [
      "a secret with the name of the lake's",
      { job: withSecret("lake-credentials"), secrets: { "lake-credentials": "x" } },
      'has a secret "lake-credentials": that is what the lake\'s own are called',
    ],
    [
      "large files",
      { job: job({ ...plain, steps: [{ name: "only", script: "script.py", files: ["large.bin"] }] }) },
      'put "large.bin" into an image of your own',
    ],
  ];
  test.each(refused)("%s", async (_, args, message) => {
    await expect(make(args)).rejects.toThrow(message);
    expect(ours()).toEqual([]);
  });

  test("no job, and another than the lake's", async () => {
    const { job: _, ...rest } = given;
    const lake = { path: "/lake", job: small };
    const image = "d:1";
    const none = "job is not set, and a lake that is but a path or an address has none";
    const other = 'job is "london-power" and lake is of job "xo"';
    for (const [attempt, message] of [
      [() => new SwarmCluster("c1", rest), none],
      [() => new SwarmCluster("c2", { ...rest, lake: { uri: "s3://bucket" }, credentials: "key" }), none],
      [() => SwarmCluster.check(rest), none],
      [() => new SwarmDashboard("d1", { lake: { path: "/lake" }, image }), none],
      [() => new SwarmCluster("c3", { ...rest, job: londonPower(), lake }), other],
      [() => SwarmCluster.check({ ...rest, job: londonPower(), lake }), other],
      [() => new SwarmDashboard("d2", { job: londonPower(), lake, image }), other],
      [
        () => new SwarmDashboard("d3", { job: { ...small, tables: small.tables.slice(1) }, lake, image }),
        'of a job of that name that has a table "points" too',
      ],
    ] as const) {
      await settle(() => expect(attempt).toThrow(message));
    }
    expect(ours()).toEqual([]);
  });

  test("a user that can't be, by the dashboard", async () => {
    const lake = { path: "/lake" };
    await expect(settle(() => new SwarmDashboard("dashboard", { job: small, lake, user: "me" }))).rejects.toThrow(
      'user is "me"',
    );
    expect(ours()).toEqual([]);
  });
});

afterAll(() => rmSync(folder, { recursive: true }));
