/**
 * Stack `swarm` on a real Docker engine, through the real Pulumi engine: images, services, job, scaling, a killed worker,
 * destroy. What stands in for something else: FerretDB for MongoDB, because the official image can't be had everywhere;
 * and a provider that makes random passwords, because Pulumi's plugin can't.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RunRecord } from "../../core/run.ts";
import { type FakeProvider, fakeProvider } from "../engine/fake-provider.ts";
import { makeProject, type Project, readJsonFile } from "../project.ts";
import { startSwarm } from "./daemon.ts";
import { type DockerProvider, startDockerProvider } from "./docker-provider.ts";

const run = promisify(execFile);
const HERE = fileURLToPath(new URL(".", import.meta.url));
const BASE = "oneoff-test/debian:bookworm";
const STACK = "swarm";
/** Small, with a day on which the clocks go back. */
const JOB = { households: "12", days: "8", start: "2012-10-25" };

const swarm = await startSwarm();
if ("missing" in swarm) console.warn(`NOT TESTED, stack swarm on a real Docker: ${swarm.missing}`);

describe.skipIf("missing" in swarm)("on a real Swarm", { timeout: 1_500_000 }, () => {
  let provider: DockerProvider;
  let random: FakeProvider;
  let project: Project;
  let port: number;
  /** The record's tables of the same job on stack local, which takes the time that building images leaves. */
  let computed: Promise<RunRecord["tables"]>;

  const docker = async (...args: readonly string[]) =>
    (await run("docker", args, { env: { ...process.env, ...("env" in swarm ? swarm.env : {}) } })).stdout.trim();
  const listed = async (...args: readonly string[]) => (await docker(...args)).split("\n").filter(Boolean);
  const up = (...more: readonly string[]) =>
    project.mustPulumi("up", "--yes", "--skip-preview", "--stack", STACK, ...more);
  const set = (settings: Readonly<Record<string, string>>) =>
    project.mustPulumi(
      ...["config", "set-all", "--stack", STACK],
      ...Object.entries(settings).flatMap(([key, value]) => ["--plaintext", `oneoff:${key}=${value}`]),
    );
  const lake = () => join(project.folder, ".oneoff/swarm-lake");
  const record = (id: string) => RunRecord.parse(readJsonFile(lake(), `_runs/${id}.json`));
  const isRunning = (id: string, step: string) => async () =>
    record(id).steps.find(({ name }) => name === step)?.state === "running";

  beforeAll(async () => {
    if ("missing" in swarm) return;
    process.env.DOCKER_HOST = swarm.host; // the provider's process is a child of this one
    port = await freePorts();
    computed = tablesOfLocal(port + 9);
    computed.catch(() => undefined); // the test that waits for it tells
    const makeImages = async () => {
      for (const script of ["base-image.sh", "stand-ins.sh"]) {
        await run("sh", [join(HERE, script)], { maxBuffer: 1 << 26 });
      }
    };
    [provider] = await Promise.all([startDockerProvider(), makeImages()]);
    random = await fakeProvider({ outputs: () => ({ result: randomBytes(16).toString("hex") }) });
    const attached = [provider.env.PULUMI_DEBUG_PROVIDERS, random.attach(["random"])].filter(Boolean).join(",");
    project = makeProject({ ...swarm.env, PULUMI_DEBUG_PROVIDERS: attached });
    await project.mustPulumi("stack", "init", STACK);
    await set({
      ...JOB,
      baseImage: BASE,
      mongoImage: "oneoff-test/mongo:dev",
      mongoExpressImage: "oneoff-test/mongo-express:dev",
      workers: "2",
      port: String(port),
    });
  }, 900_000);

  afterAll(async () => {
    if ("missing" in swarm) return;
    await Promise.all([
      project?.pulumi("destroy", "--yes", "--skip-preview", "--stack", STACK),
      computed?.catch(() => undefined),
    ]);
    project?.remove();
    random?.close();
    provider?.stop();
    await swarm.stop();
  }, 300_000);

  test("up builds the images, starts every service and the run; a second up changes nothing, while a worker is killed", async () => {
    await project.mustPulumi("preview", "--stack", STACK);
    expect(await listed("service", "ls", "--quiet")).toEqual([]);
    await up();
    const kill = async () => {
      await until(isRunning("1", "convert"));
      const [worker] = await listed("ps", "--quiet", "--filter", "name=oneoff-swarm-worker");
      await docker("kill", worker as string);
    };
    await Promise.all([up("--expect-no-changes"), kill()]);
  });

  test("the job runs, with a worker killed in the midst of it: CSV, Parquet in HDFS, MongoDB, results in the lake", async () => {
    const { code, output } = await project.oneoff("watch", STACK);
    expect(code, output).toBe(0);
    expect(output).toContain("Run 1 of london-power succeeded");
    expect(record("1").steps.map(({ name }) => name)).toEqual(["generate", "convert", "load", "analyze", "model"]);
    expect((await project.oneoff("get", "monthly", "--stack", STACK)).output).toContain("acorn_group");
  });

  test("stack local comes to the same results", async () => {
    expect(record("1").tables).toEqual(await computed);
  });

  test("the pages answer on 127.0.0.1, to who is meant, and with what they ask for", async () => {
    const outputs = JSON.parse(
      await project.mustPulumi("stack", "output", "--json", "--show-secrets", "--stack", STACK),
    );
    expect(await ask(outputs.dashboard)).toMatchObject({ status: 200 });
    expect(await ask(`${outputs.dashboard}/api/runs`)).toMatchObject({
      status: 200,
      body: expect.stringContaining('"succeeded"'),
    });
    expect(await ask(outputs.spark)).toMatchObject({ status: 200, body: expect.stringContaining("Spark Master") });
    expect(await ask(`${outputs.history}api/v1/applications`)).toMatchObject({
      status: 200,
      body: expect.stringContaining("london-power"),
    });
    expect(await ask(`${outputs.hdfs}jmx?qry=Hadoop:service=NameNode,name=FSNamesystem`)).toMatchObject({
      status: 200,
      body: expect.stringContaining('"NumLiveDataNodes" : 1'),
    });
    const notebook = `http://127.0.0.1:${port + 4}/api/contents`;
    expect(await ask(notebook)).toMatchObject({ status: 403 });
    expect(await ask(`${notebook}?token=${outputs.notebookToken}`)).toMatchObject({
      status: 200,
      body: expect.stringContaining("startup.ipynb"),
    });
    expect(await ask(outputs.mongo)).toMatchObject({ status: 401 });
    const login = Buffer.from(`oneoff:${outputs.mongoExpressPassword}`).toString("base64");
    const found = await ask(`${outputs.mongo}db/power/`, { authorization: `Basic ${login}` });
    expect(found).toMatchObject({ status: 200, body: expect.stringContaining("load_curve") });
    expect(found.body).not.toContain("_loading");
    expect(await ask(outputs.spark, { host: "evil.example" })).toMatchObject({ status: 421 });
    expect(await ask(outputs.spark, { "sec-fetch-site": "cross-site" })).toMatchObject({ status: 403 });
  });

  test("nobody else reaches them: no service publishes a port, and Spark takes no work without its secret", async () => {
    for (const name of await listed("service", "ls", "--format", "{{.Ports}}")) expect(name).toBe("");
    const image = await docker(
      "service",
      "inspect",
      "--format",
      "{{.Spec.TaskTemplate.ContainerSpec.Image}}",
      "oneoff-swarm-master",
    );
    // What else would go on trying for a minute ends with its container, once the master has refused it.
    const stranger = `import subprocess, sys
submit = 'from pyspark import SparkContext; SparkContext("spark://master:7077")'
driver = subprocess.Popen([sys.executable, "-c", submit], stderr=subprocess.PIPE, text=True)
print(next((line for line in driver.stderr if "SaslMessage" in line), "it was let in"))`;
    const onNetwork = ["run", "--rm", "--network", "oneoff-swarm", "--entrypoint", "timeout", image];
    expect(await docker(...onNetwork, "120", "python3", "-c", stranger)).toContain("does not have SASL enabled");
    expect(JSON.parse((await ask(`http://127.0.0.1:${port + 1}/json/`)).body).activeapps).toEqual([]);
  });

  test("five workers: one service changes", async () => {
    await set({ workers: "5" });
    const output = await up();
    expect(output).toMatch(/2 updated\n\s+\d+ unchanged/);
    expect(await listed("service", "ls", "--filter", "name=oneoff-swarm-worker", "--format", "{{.Replicas}}")).toEqual([
      "5/5",
    ]);
  });

  test("what no node has room for is told by up, and the stack goes on when it is mended", async () => {
    await set({ workerMemory: "500 GB" });
    const { code, output } = await project.pulumi("up", "--yes", "--skip-preview", "--stack", STACK);
    expect(code).not.toBe(0);
    expect(output).toContain("oneoff-swarm-worker:");
    expect(output).toContain("insufficient");
    await set({ workerMemory: "1.5 GB", workers: "1", runId: "2" });
    await up();
  });

  test("cancel ends the run and nothing else, and up begins it no more", async () => {
    await until(isRunning("2", "generate"));
    const { code, output } = await project.oneoff("cancel", STACK, "--yes");
    expect([code, output]).toEqual([0, expect.stringContaining("was cancelled after")]);
    const cancelled = record("2");
    expect(cancelled).toMatchObject({
      state: "cancelled",
      steps: expect.arrayContaining([{ name: "generate", state: "cancelled" }]),
    });
    expect(await listed("ps", "--quiet", "--filter", "name=oneoff-swarm-run")).toEqual([]);
    expect(await listed("service", "ls", "--filter", "name=oneoff-swarm-worker", "--format", "{{.Replicas}}")).toEqual([
      "1/1",
    ]);
    await up("--expect-no-changes");
    expect(record("2")).toEqual(cancelled);
    await set({ runId: "3" });
    await up();
  });

  test("destroy, in the midst of another run, leaves no service, network, volume, secret, config or container", async () => {
    await until(isRunning("3", "generate"));
    expect(record("1").state).toBe("succeeded");
    await project.mustPulumi("destroy", "--yes", "--skip-preview", "--stack", STACK);
    expect(await listed("service", "ls", "--quiet")).toEqual([]);
    expect(await listed("secret", "ls", "--quiet")).toEqual([]);
    expect(await listed("config", "ls", "--quiet")).toEqual([]);
    expect(await listed("ps", "--all", "--quiet")).toEqual([]);
    expect(await listed("volume", "ls", "--quiet")).toEqual([]);
    expect((await listed("network", "ls", "--format", "{{.Name}}")).sort()).toEqual([
      "bridge",
      "docker_gwbridge",
      "host",
      "ingress",
      "none",
    ]);
    expect((await project.oneoff("leftovers", STACK)).output).toMatch(/nothing/i);
  });

  test("leftovers finds what has the stack's label, and removes it", async () => {
    const ours = ["--label", "oneoff.stack=oneoff-swarm", "--label", "oneoff.owner=oneoff/swarm"];
    await docker("network", "create", "--driver", "overlay", ...ours, "forgotten");
    await docker("volume", "create", ...ours, "forgotten");
    await docker("secret", "create", ...ours, "forgotten", join(HERE, "swarm.test.ts"));
    await docker("config", "create", ...ours, "forgotten", join(HERE, "swarm.test.ts"));
    const uses = [
      "--stop-grace-period",
      "1s",
      "--network",
      "forgotten",
      "--secret",
      "forgotten",
      "--config",
      "forgotten",
    ];
    await docker("service", "create", "--detach", ...uses, ...ours, "--name", "forgotten", BASE, "sleep", "600");
    const { output } = await project.oneoff("leftovers", STACK);
    for (const kind of ["service", "network", "secret", "config", "volume"]) {
      expect(output).toMatch(new RegExp(`^${kind} +forgotten `, "m"));
    }
    expect(await project.oneoff("leftovers", STACK, "--delete", "--yes")).toMatchObject({ code: 0 });
    for (const kind of ["service", "secret", "config", "volume"])
      expect(await listed(kind, "ls", "--quiet")).toEqual([]);
  });
});

/** What stack local computes for the same settings. */
async function tablesOfLocal(port: number): Promise<RunRecord["tables"]> {
  const local = makeProject({ JAVA_TOOL_OPTIONS: "-XX:TieredStopAtLevel=1" }); // as base-image.sh
  try {
    await local.mustPulumi("stack", "init", "local");
    const settings = Object.entries({ ...JOB, job: "london-power", port: String(port) });
    await local.mustPulumi(
      ...["config", "set-all", "--stack", "local"],
      ...settings.flatMap(([key, value]) => ["--plaintext", `oneoff:${key}=${value}`]),
    );
    await local.mustPulumi("up", "--yes", "--skip-preview", "--stack", "local");
    const { code, output } = await local.oneoff("watch", "local");
    expect(code, output).toBe(0);
    return RunRecord.parse(readJsonFile(local.folder, ".oneoff/lake/_runs/1.json")).tables;
  } finally {
    await local.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local");
    local.remove();
  }
}

/** The first of ten free ports in a row: none of those that connections and other servers are given, nor of the engine. */
async function freePorts(): Promise<number> {
  const isFree = (port: number) =>
    new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
  for (;;) {
    const first = 21_000 + Math.floor(Math.random() * 8000);
    const free = await Promise.all(Array.from({ length: 10 }, (_, at) => isFree(first + at)));
    if (free.every(Boolean)) return first;
  }
}

/** What a page answers; `fetch` would not let us lie about the host. */
const ask = (url: string, headers: Readonly<Record<string, string>> = {}) =>
  new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const asked = request(url, { headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    });
    asked.on("error", reject).end();
  });

async function until(holds: () => Promise<boolean>, seconds = 180): Promise<void> {
  const end = Date.now() + seconds * 1000;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > end) throw new Error(`it did not come about within ${seconds} s`);
    await sleep(250);
  }
}
