/** Job streaming-regression on real Kafka and Spark: what dies, what is refused, and a model of one's own. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { Broker, kafkaClient, sparkKafkaJars } from "../scoring/kafka.ts";
import { quickJava } from "../spark/quick-java.ts";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const python = at(".oneoff/venv/bin/python");
const JOB = at("assets/jobs/streaming-regression");
const START_MS = 400_000; // of Spark, on a machine that has other things to do

/** Batches so small that there are many. */
const SMALL = ["--most", "200"];

let folder: string;
let broker: Broker;
let env: NodeJS.ProcessEnv;
let jars: string;
const started: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "oneoff-stream-"));
  jars = (await sparkKafkaJars()).join(",");
  const own = { PYSPARK_PYTHON: python, PYSPARK_DRIVER_PYTHON: python, PYTHONPATH: await kafkaClient(python) };
  env = { ...process.env, ...quickJava(), ...own };
  broker = await Broker.start(join(folder, "kafka"));
}, 600_000);
afterEach(() => {
  for (const { pid } of started.splice(0)) {
    try {
      process.kill(-(pid as number), "SIGKILL");
    } catch {} // it has ended
  }
});
afterAll(async () => {
  await broker?.stop();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const look = async (...words: readonly string[]) =>
  (await promisify(execFile)(python, [at("tests/streaming/look.py"), ...words], { env, maxBuffer: 1 << 26 })).stdout;

/** Starts something in a process group of its own. */
function start(command: string, words: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const child = spawn(command, [...words], { env: { ...env, ...more }, cwd: folder, detached: true });
  started.push(child);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const ended = once(child, "close").then(([code, signal]) => ({ code, signal, output }));
  return { child, ended, output: () => output };
}

const produce = (...words: readonly string[]) =>
  start(python, [join(JOB, "produce.py"), "--kafka", broker.address, ...words]);

/** learn.py in its own JVM, with a state and a lake of that name. */
function learn(name: string, words: readonly string[], more: Readonly<Record<string, string>> = {}) {
  const spark = ["--master", "local[2]", "--conf", "spark.ui.enabled=false", "--conf", "spark.log.level=ERROR"];
  const modules = [at("assets/jobs/oneoff.py"), ...globSync(join(JOB, "streaming_*.py"))].join(",");
  const place = ["--lake", join(folder, name, "lake"), "--run", "r1", "--state", join(folder, name, "state")];
  const step = [...spark, "--jars", jars, "--py-files", modules, join(JOB, "learn.py"), ...place];
  return start(
    at(".oneoff/venv/bin/spark-submit"),
    [...step, "--every", "1", "--kafka", broker.address, ...words],
    more,
  );
}

interface State {
  readonly batch: number;
  readonly records: number;
}

/** As the folder has it. */
function stateOf(name: string): State {
  const path = join(folder, name, "state/state.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : { batch: 0, records: 0 };
}

/** Until the stream has done so many batches more; fails where it ends before. */
async function goesOn(name: string, run: ReturnType<typeof start>, more: number): Promise<void> {
  const { batch } = stateOf(name);
  const ends = Date.now() + START_MS;
  while (stateOf(name).batch < batch + more) {
    const { exitCode, signalCode } = run.child;
    if (exitCode !== null || signalCode !== null || Date.now() > ends) throw new Error(`it stands: ${run.output()}`);
    await sleep(100);
  }
}

test("each record counts once, though driver, JVM and broker are killed, and it ends when it is asked to", async () => {
  await look("topics", broker.address, "train:2", "test:1");
  const producer = produce("--rate", "50", "--malformed", "0.02", "--drift", "0.1");

  for (const dies of ["state-written:4", "part-begun:5"]) {
    const { output } = await learn("one", SMALL, { ONEOFF_STREAM_DIES: dies }).ended;
    expect(output).toContain("topics are read");
    expect(output).not.toContain("learn.py: error");
  }

  const driver = learn("one", SMALL);
  await goesOn("one", driver, 2);
  driver.child.kill("SIGKILL"); // the JVM, which is what spark-submit becomes
  await driver.ended;

  const beside = learn("one", SMALL);
  await goesOn("one", beside, 2);
  const port = Number(broker.address.split(":")[1]);
  await broker.stop("SIGKILL");
  broker = await Broker.start(join(folder, "kafka"), port);
  await goesOn("one", beside, 2);
  producer.child.kill("SIGTERM");
  expect((await producer.ended).output).toMatch(/\d+ records were sent/);

  // As `oneoff cancel` has it.
  const { records } = stateOf("one");
  mkdirSync(join(folder, "one/lake/_cancels"), { recursive: true });
  writeFileSync(join(folder, "one/lake/_cancels/r1.json"), JSON.stringify({ run: "r1", at: "2026-01-01T00:00:00Z" }));
  const asked = await beside.ended;
  expect(asked.output).toContain("its end was asked for at 2026-01-01T00:00:00Z");
  expect(asked.code).toBe(0);
  expect(records).toBeGreaterThan(500);

  rmSync(join(folder, "one/lake/_cancels"), { recursive: true });
  expect((await learn("one", ["--idle", "3"]).ended).code).toBe(0);
  expect(await look("whole", broker.address, join(folder, "one"), "r1")).toMatch(/\d+ records are there once/);
}, 1_800_000);

test("what it can't do is refused in a sentence, within seconds of Spark's start", async () => {
  const refused = async (...words: readonly string[]) => {
    const { code, output } = await learn("one", words).ended;
    return { code, error: /learn\.py: error: (.*)/.exec(output)?.[1] };
  };
  expect(await refused("--features", "3")).toEqual({
    code: 2,
    error: expect.stringMatching(/state\.json is of features 2, and 3 is asked for: ask for the same/),
  });
  expect(await refused("--test-topic", "testt")).toEqual({
    code: 2,
    error: expect.stringMatching(/state\.json is of topics train and test, and train and testt is asked for/),
  });
  expect(await refused("--kafka", "127.0.0.1:9")).toEqual({
    code: 1,
    error: expect.stringMatching(/^no broker is there \(127\.0\.0\.1:9: Connection refused\): start it/),
  });
  const { output, code } = await learn("other", ["--test-topic", "nowhere"]).ended;
  expect(code).toBe(1);
  expect(output).toContain(`learn.py: error: there is no topic nowhere at ${broker.address}: make it, or take`);
}, 900_000);

test("a classifier of three features, in one file, on topics of its own", async () => {
  await look("topics", broker.address, "seen:1", "held-out:1");
  const csv = join(folder, "points.csv");
  const rows = Array.from({ length: 1500 }, (_, i) => [i % 7, i % 11, i % 13]);
  const lines = rows.map(
    ([a = 0, b = 0, c = 0]) => `${a / 7},${b / 11},${c / 13},${a / 7 + b / 11 > c / 13 + 0.5 ? 1 : 0}`,
  );
  writeFileSync(csv, `a,b,c,is_in\n${lines.join("\n")}\n`);
  const topics = ["--train-topic", "seen", "--test-topic", "held-out"];
  const columns = ["--csv", csv, "--columns", "a,b,c", "--target", "is_in"];
  expect((await produce(...topics, ...columns, "--rate", "1000000").ended).output).toContain("1500 records were sent");

  const model = ["--model", at("tests/jobs/classifier.py"), "--features", "3"];
  const { code, output } = await learn("own", [...topics, ...model, "--rows", "1500", "--most", "300"]).ended;
  expect(code, output).toBe(0);
  expect(output).toContain("1500 records were asked for: 1500 records are done");
  const { errors, model: learnt } = JSON.parse(readFileSync(join(folder, "own/state/state.json"), "utf8"));
  expect(errors.test.count + errors.train.count).toBe(1500);
  expect(errors.test.squared).toBeLessThan(errors.test.baseline / 2);
  expect(learnt.weights).toHaveLength(3);
}, 600_000);
