/** Scoring from a real Kafka, by the application and on Spark. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../free-port.ts";
import { Broker, kafkaClient, sparkKafkaJars } from "../scoring/kafka.ts";
import { quickJava } from "../spark/quick-java.ts";

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const python = at(".oneoff/venv/bin/python");
const PRODUCE = `
import sys
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": sys.argv[1]})
for line in open(sys.argv[2], "rb").read().splitlines() + [b"no flow"]:
    producer.produce("flows", line)
    producer.poll(0)
sys.exit(producer.flush(30))
`;

let folder: string;
let broker: Broker;
let client: string;
const model = () => join(folder, "lake/networks");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "oneoff scoring-"));
  execFileSync(python, [at("tests/scoring/leave.py"), folder]);
  client = await kafkaClient(python);
  broker = await Broker.start(join(folder, "kafka"));
  produce();
}, 600_000);
afterAll(async () => {
  await broker?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const produce = () =>
  execFileSync(python, ["-c", PRODUCE, broker.address, join(folder, "flows.csv")], {
    env: { ...process.env, PYTHONPATH: client },
  });

/** The application until `flows` have been scored; what its page shows then. */
async function scored(flows: number, ...more: readonly string[]) {
  const port = await freePort();
  const kafka = ["--kafka", broker.address, "--topic", "flows", "--port", String(port), ...more];
  const app = spawn(python, [at("assets/scoring/score.py"), "--model", model(), ...kafka], {
    env: { ...process.env, PYTHONPATH: client },
    stdio: "inherit",
  });
  const state = async () =>
    (await fetch(`http://127.0.0.1:${port}/state`).then(
      (answer) => answer.json(),
      () => ({}),
    )) as {
      readonly flows?: number;
      readonly faults?: number;
      readonly sources?: object;
    };
  try {
    await expect.poll(async () => (await state()).flows, { timeout: 60_000 }).toBe(flows);
    await expect.poll(async () => (await state()).faults).toBe(1);
    return await state();
  } finally {
    app.kill("SIGTERM");
    expect((await once(app, "exit"))[0]).toBe(0);
  }
}

test("flows of a topic are scored once, also over a stop", async () => {
  const answers = join(folder, "answers.jsonl");
  expect(await scored(1000, "--answers", answers)).toMatchObject({ sources: { "Kafka flows": "connected" } });
  produce();
  await scored(1000, "--answers", answers);
  const lines = readFileSync(answers, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(2002);
  expect(lines.slice(0, 1000)).toEqual(lines.slice(1001, 2001));
  expect(lines[1000].error).toContain("found 'no flow'");
}, 300_000);

test("Spark scores the same flows to the same scores", async () => {
  const out = join(folder, "out");
  const jars = (await sparkKafkaJars()).join(",");
  const words = ["--model", model(), "--kafka", broker.address, "--topic", "flows", "--out", out];
  const spark = ["--master", "local[2]", "--conf", "spark.ui.enabled=false", "--jars", jars];
  const files = "scoring_answers scoring_flows scoring_model".split(" ").map((name) => at(`assets/scoring/${name}.py`));
  const nids = "arrays input layouts".split(" ").map((name) => at(`assets/jobs/nids/nids_${name}.py`));
  const step = [
    "--py-files",
    [...files, ...nids, at("assets/jobs/networks.py"), at("assets/jobs/oneoff.py")].join(","),
    at("assets/scoring/scoring_stream.py"),
  ];
  const env = { ...process.env, ...quickJava(), PYSPARK_PYTHON: python, PYSPARK_DRIVER_PYTHON: python };
  const submit = at(".oneoff/venv/bin/spark-submit");
  const options = { env, maxBuffer: 1 << 26, cwd: folder };
  const { stdout } = await promisify(execFile)(
    submit,
    [...spark, ...step, ...words, "--checkpoint", join(folder, "checkpoint")],
    options,
  );
  expect(stdout).toMatch(/batch 0: 2000 flows, \d+ alarms, 2 lines that are no flow/);
  const read = `import json, sys, pyarrow.parquet as pq
print(json.dumps([row["score"] for row in pq.read_table(sys.argv[1]).to_pylist() if row["fault"] is None]))`;
  const scores = JSON.parse(execFileSync(python, ["-c", read, out], { encoding: "utf8", maxBuffer: 1 << 26 }));
  const answers = readFileSync(join(folder, "answers.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const expected = answers.filter(({ score }) => score !== undefined).map(({ score }) => score);
  const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
  const other = sorted(expected);
  expect(scores).toHaveLength(2000);
  expect(Math.max(...sorted(scores).map((score, place) => Math.abs(score - (other[place] as number))))).toBeLessThan(
    1e-5,
  );
}, 300_000);
