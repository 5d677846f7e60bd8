import { afterEach, beforeAll, expect, test } from "vitest";
import { londonPower } from "../../../assets/jobs/london-power/index.ts";
import { nids } from "../../../assets/jobs/nids/index.ts";
import { xo } from "../../../assets/jobs/xo/index.ts";
import type { Gpu, LocalFleetArgs } from "../../../components/local/index.ts";
import { LocalFleet, LocalLake } from "../../../components/local/index.ts";
import { mebibytes } from "../../../core/size.ts";
import { isSecret, type Registered, record, settle } from "../mocks.ts";

let resources: Registered[];
beforeAll(() => {
  resources = record({
    outputs: (type, name) => ({
      ...(type.endsWith(":Software") && { folder: `/cache/${name}` }),
      ...(type.endsWith(":Secret") && { value: "hush!" }),
      ...(type.endsWith(":Run") && { state: "running", logs: "/logs" }),
    }),
  }).resources;
});
afterEach(() => {
  resources.length = 0;
});

const JOB = xo({ rows: 100 });
const ARGS = { lifetime: { deadline: "10 minutes" }, python: "/venv/bin/python", port: 7000 } as const;

async function made(args: Partial<LocalFleetArgs> = {}, path = "/lake", job = JOB) {
  const fleet = await settle(() => {
    const lake = new LocalLake("lake", { job, path });
    return new LocalFleet("fleet", { ...ARGS, lake, ...args });
  });
  const of = (kind: string) => resources.filter(({ type }) => type === `oneoff-local:index:${kind}`);
  const process = (name: string) => of("Process").find(({ inputs }) => inputs.name === name)?.inputs;
  return { fleet, of, process, run: of("Run")[0]?.inputs };
}

test("three datanodes, two workers and what belongs to them, each listening on a port of its own", async () => {
  const { fleet, of, process, run } = await made();
  const names = of("Process").map(({ inputs }) => inputs.name);
  expect([...names].sort()).toEqual([
    "datanode",
    "datanode-2",
    "datanode-3",
    "history",
    "master",
    "namenode",
    "notebook",
    "worker",
    "worker-2",
  ]);
  const ports = of("Process").flatMap(({ inputs }) => inputs.ports as number[]);
  expect(new Set(ports).size).toBe(ports.length);
  expect(of("DataNodes").map(({ inputs }) => inputs)).toEqual([
    expect.objectContaining({
      http: "127.0.0.1:7001",
      nodes: [
        { name: "datanode", address: "127.0.0.1:7002" },
        { name: "datanode-2", address: "127.0.0.1:7018" },
        { name: "datanode-3", address: "127.0.0.1:7034" },
      ],
      replication: 2,
    }),
  ]);
  expect(process("namenode")?.env).toMatchObject({ HADOOP_HOME: "/cache/fleet-hadoop", HDFS_REPLICATION: "2" });
  expect(process("worker")?.env).toMatchObject({ ONEOFF_PYTHON: "/venv/bin/python", SPARK_WORKER_CORES: "1" });
  expect(process("worker")?.env).not.toHaveProperty("ONEOFF_JUPYTER");
  expect(process("notebook")?.env).toMatchObject({ ONEOFF_JUPYTER: "/cache/fleet-jupyterlab", ONEOFF_LAKE: "/lake" });
  expect(isSecret(process("worker")?.files)).toBe(true);
  expect(run).toMatchObject({
    cores: 2,
    memoryMebibytes: 512,
    spark: {
      master: "127.0.0.1:7005",
      page: "127.0.0.1:7006",
      webhdfs: "127.0.0.1:7001",
      conf: {
        "spark.authenticate": "true",
        "spark.hadoop.dfs.client.block.write.locateFollowingBlock.initial.delay.ms": "10",
        "spark.hadoop.dfs.client.block.write.locateFollowingBlock.retries": "11",
        "spark.eventLog.dir": "hdfs://127.0.0.1:7000/spark-events",
        "spark.executor.memory": "614m",
        "spark.hadoop.dfs.replication": "2",
      },
    },
  });
  expect(isSecret(run?.sparkSecret)).toBe(true);
  expect(JSON.stringify(run?.spark)).not.toContain("gpu");
  expect(fleet.pages).toEqual({
    hdfs: "http://127.0.0.1:7001/",
    spark: "http://127.0.0.1:7006/",
    history: "http://127.0.0.1:7008/",
    jupyter: "http://127.0.0.1:7009/lab",
  });
});

test("the application is one process more, which finds models in the lake, and its port is its own", async () => {
  const inputs = async (args: Partial<LocalFleetArgs>) => {
    const { of, fleet, process } = await made(args, "/lake", nids());
    const all = Object.fromEntries(of("Process").map(({ inputs }) => [inputs.name, JSON.stringify(inputs)]));
    const software = of("Software").map(({ name }) => name);
    const found = { all, software, pages: fleet.pages, app: process("app") };
    resources.length = 0;
    return found;
  };
  const [without, withIt] = [await inputs({}), await inputs({ app: true })];
  const { app, ...others } = withIt.all;
  expect(others).toEqual(without.all);
  expect(withIt.software).toEqual(["fleet-hadoop", "fleet-jupyterlab", "fleet-scoring"]);
  expect(without.software).not.toContain("fleet-scoring");
  expect(withIt.pages).toEqual({ ...without.pages, app: "http://127.0.0.1:7010/" });
  expect(withIt.app).toMatchObject({
    command: [expect.stringMatching(/images\/spark\/entrypoint$/), "app"],
    env: {
      ONEOFF_MODEL: "/lake/networks",
      ONEOFF_SCORING: expect.stringMatching(/assets\/scoring$/),
      ONEOFF_SCORING_PACKAGES: "/cache/fleet-scoring",
      ONEOFF_APP_HTTP: "7010",
    },
    ports: [7010],
    files: [], // no secret of the fleet's
    health: [expect.stringMatching(/images\/spark\/healthy$/), "app"],
  });
  expect((await inputs({ app: true, notebook: false })).all.app).toBe(app);
});

test("GPUs on or off is another start of the workers, and of nothing else", async () => {
  const inputs = async (gpu: Gpu) => {
    await made({ gpu, workers: { cores: 4, memory: "3 GB" } });
    const all = Object.fromEntries(resources.map(({ name, inputs }) => [name, JSON.stringify(inputs)]));
    resources.length = 0;
    return all;
  };
  const [off, on] = [await inputs("none"), await inputs("all")];
  const changed = Object.keys(off).filter((name) => off[name] !== on[name]);
  expect(Object.keys(on).sort()).toEqual(Object.keys(off).sort());
  expect(changed.sort()).toEqual(["fleet-run", "fleet-worker", "fleet-worker-2"]); // a run stays as it was started
  expect(on["fleet-worker-2"]).toContain('"ONEOFF_GPU_SHARES":"2"');
  expect(on["fleet-worker"]).toMatch(/"preflight":\["[^"]*images\/spark\/gpus"\]/);
  expect(off["fleet-worker"]).not.toContain("preflight");
  expect(on["fleet-run"]).toContain('"spark.task.resource.gpu.amount":"0.25"');
});

test("with YARN a resource manager and node managers are in the place of Spark's own; HDFS stays as it is", async () => {
  const standalone = await made({ gpu: "all" });
  const hdfs = ["namenode", "datanode", "datanode-2", "datanode-3"];
  const places = (of: typeof standalone) => hdfs.map((name) => [of.process(name)?.ports, of.process(name)?.command]);
  const before = places(standalone);
  const sharing = ["master", "worker", "worker-2"].flatMap((name) => standalone.process(name)?.ports as number[]);
  resources.length = 0;
  const yarn = await made({ gpu: "all", scheduler: "yarn" }, "/lake", nids());
  const { fleet, of, process, run } = yarn;
  expect(places(yarn)).toEqual(before);
  // While one goes and the other comes, both are there.
  const ports = yarn.of("Process").flatMap(({ inputs }) => inputs.ports as number[]);
  expect(ports.filter((port) => sharing.includes(port))).toEqual([]);
  expect(of("Process").map(({ inputs }) => inputs.name)).toEqual(
    expect.arrayContaining([...hdfs, "resourcemanager", "nodemanager", "nodemanager-2", "history", "notebook"]),
  );
  expect(of("Process")).toHaveLength(9);
  expect(of("Secret").map(({ name }) => name)).toEqual(["fleet-notebook-token"]); // YARN has one for each application
  expect(run?.sparkSecret).toBeUndefined();
  expect(process("resourcemanager")?.ports).toEqual([7011, 7012, 7013, 7014]);
  expect(process("nodemanager-2")?.ports).toEqual([7031]);
  expect(process("nodemanager-2")).toMatchObject({
    env: { HADOOP_HOME: "/cache/fleet-yarn", ONEOFF_GPU: "all", ONEOFF_GPU_SHARES: "2", YARN_NODE_CORES: "2" },
    preflight: [expect.stringMatching(/images\/spark\/gpus$/)],
  });
  expect(fleet.pages).toEqual({
    hdfs: "http://127.0.0.1:7001/",
    yarn: "http://127.0.0.1:7014/",
    history: "http://127.0.0.1:7008/",
    jupyter: "http://127.0.0.1:7009/lab",
  });
  expect(run?.spark).toMatchObject({
    master: "127.0.0.1:7011",
    page: "127.0.0.1:7014",
    yarn: expect.stringMatching(/assets\/yarn\/conf$/),
    conf: {
      "spark.authenticate": "true",
      "spark.executor.instances": "2",
      "spark.executor.resource.gpu.amount": "1",
      "spark.yarn.stagingDir": "hdfs://127.0.0.1:7000/user",
      "spark.hadoop.yarn.resourcemanager.scheduler.address": "127.0.0.1:7012",
    },
  });
  // A notebook's applications have the same, as many executors as they need, and no GPU until they ask for some.
  const { files } = process("notebook") as { files: { value: { name: string; content: string }[] } };
  const conf = files.value.find(({ name }) => name === "spark-conf")?.content;
  expect(conf).toContain("spark.executor.resource.gpu.amount 0\n");
  expect(conf).toContain("spark.hadoop.yarn.resourcemanager.address 127.0.0.1:7011\n");
  expect(conf).not.toContain("instances");
  expect(files.value.map(({ name }) => name)).not.toContain("spark");
});

test.each([
  [1, "1 GB"],
  [2, "1.5 GB"],
  [3, "1999 MB"],
  [16, "61 GB"],
] as const)(
  "an executor of %i cores and %s, and an application's master, fill a node of YARN's",
  async (cores, memory) => {
    const { process, run } = await made({ scheduler: "yarn", workers: { count: 1, cores, memory } });
    const { conf } = (run as { spark: { conf: Record<string, string> } }).spark;
    const sum = (...names: string[]) => names.reduce((all, name) => all + Number(conf[name]?.replace("m", "")), 0);
    const executor = sum("spark.executor.memory", "spark.executor.memoryOverhead");
    const master = sum("spark.yarn.am.memory", "spark.yarn.am.memoryOverhead");
    const node = process("nodemanager");
    const env = node?.env as Record<string, string>;
    expect(executor).toBe(mebibytes(memory));
    expect(Number(env.YARN_NODE_MEBIBYTES)).toBe(executor + master);
    expect(Number(env.YARN_NODE_CORES)).toBe(Number(conf["spark.executor.cores"]) + 1);
    expect(node?.memoryMebibytes).toBeGreaterThan(executor + master);
  },
);

test("a node more, and a notebook less, move nobody", async () => {
  const inputsOf = ({ of }: Awaited<ReturnType<typeof made>>) =>
    Object.fromEntries(of("Process").map(({ inputs }) => [inputs.name, JSON.stringify(inputs)]));
  const before = inputsOf(await made());
  resources.length = 0;
  const after = await made({ hdfs: { datanodes: 5 }, workers: { count: 3 }, notebook: false });
  const now = inputsOf(after);
  expect(Object.keys(before).filter((name) => before[name] !== now[name])).toEqual(["notebook"]);
  expect(after.of("Secret").map(({ name }) => name)).toEqual(["fleet-spark"]);
  expect(after.of("Software").map(({ name }) => name)).toEqual(["fleet-hadoop"]);
  expect(after.fleet.notebookToken).toBeUndefined();
  expect(after.fleet.pages).not.toHaveProperty("jupyter");
});

test.each<[string, object, string]>([
  [
    "more copies than datanodes",
    { hdfs: { datanodes: 2, replication: 3 } },
    "hdfs.replication is 3 and hdfs.datanodes is 2",
  ],
  ["no datanode", { hdfs: { datanodes: 0 } }, "hdfs.datanodes is 0: expected a whole number above zero"],
  ["half a worker", { workers: { count: 0.5 } }, "workers.count is 0.5: expected a whole number"],
  ["little memory", { workers: { memory: "512 MB" } }, 'workers.memory is "512 MB"'],
  ["little memory of the driver", { driverMemory: "100 MB" }, 'driverMemory is "100 MB"'],
  ["a GPU that is rented", { gpu: "L4" }, 'gpu is "L4": on a machine of your own it is "none", or "all" that it has'],
  [
    "Mesos",
    { scheduler: "mesos" },
    'scheduler is "mesos": Spark 3.2 deprecated Mesos and Spark 4 has it no more; take standalone or yarn',
  ],
  ["another scheduler", { scheduler: "slurm" }, 'scheduler is "slurm": expected standalone or yarn'],
  ["ports beyond the last", { port: 65_530 }, "port is 65530: expected a whole number from 1 to 65488"],
  ["many datanodes", { hdfs: { datanodes: 1e9 } }, "hdfs.datanodes is 1000000000: expected at most 64 on one machine"],
  [
    "an application without models",
    { app: true },
    'app is true, and job "xo" leaves no table networks with a model that scores flows',
  ],
  ["many workers", { workers: { count: 65 } }, "workers.count is 65: expected at most 64 on one machine"],
  ["a deadline beyond the longest", { lifetime: { deadline: "8 days" } }, 'deadline is "8 days"'],
  ["another job than the lake's", { job: londonPower() }, "job"],
])("%s is refused before anything is made", async (_, args, message) => {
  await expect(made(args as Partial<LocalFleetArgs>)).rejects.toThrow(message);
  expect(resources.filter(({ custom }) => custom).map(({ name }) => name)).toEqual(["lake-folder"]);
});

test.each(["/my,lake", "/my:lake"])(
  "a lake at %s is refused: HDFS or Spark would take a part of the path for another folder",
  async (path) => {
    const message = `lake is "${path}": expected a path without commas and colons`;
    await expect(made({}, path)).rejects.toThrow(message);
    expect(() => LocalFleet.check({ ...ARGS, job: JOB, lake: { path } })).toThrow(message);
  },
);
