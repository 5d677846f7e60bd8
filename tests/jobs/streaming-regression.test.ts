/** Job streaming-regression: how its settings come into its step, and which are refused. */
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { produceOptions, streamingRegression } from "../../assets/jobs/index.ts";
import { jobKind } from "../../assets/jobs/registry.ts";
import { streamingRegressionSettings } from "../../assets/jobs/streaming-regression/settings.ts";
import { parseSettings } from "../../core/settings.ts";

const MODEL = "tests/jobs/classifier.py";
const learn = (args?: Parameters<typeof streamingRegression>[0]) => streamingRegression(args).steps[0];
const argumentsOf = (args?: Parameters<typeof streamingRegression>[0]) => learn(args)?.arguments.join(" ");

test("settings come into the step", () => {
  expect(argumentsOf()).toBe(
    "--lake {lake} --run {run} --state {scratch}/streaming --kafka 127.0.0.1:9092 --train-topic train --test-topic test --features 2 --algorithm rls --forgetting 1 --window 1000 --late 600 --most 20000 --every 10",
  );
  const changed = argumentsOf({
    ...{ kafka: "a:1,b:2", trainTopic: "a", testTopic: "b", features: 3, algorithm: "sgd", learningRate: 0.1 },
    ...{
      errorWindow: 5,
      late: "1 hour",
      batch: 7,
      partEvery: "1 minute",
      state: "/s",
      endAfter: 9,
      idle: "30 seconds",
    },
    page: "http://127.0.0.1:8765",
  });
  expect(changed).toBe(
    "--lake {lake} --run {run} --state /s --kafka a:1,b:2 --train-topic a --test-topic b --features 3 --algorithm sgd --learning-rate 0.1 --window 5 --late 3600 --most 7 --every 60 --page http://127.0.0.1:8765 --page-token {secret:feed-token} --rows 9 --idle 30",
  );
  expect(learn({ page: "https://a" })?.secrets).toEqual(["feed-token"]);
  expect(learn()?.secrets).toEqual([]);
});

test("a store is sent a login where nobody else reads it, and its certificates go with the step", () => {
  const ca = "tests/jobs/classifier.py"; // a file that is there
  expect(argumentsOf({ store: "http://127.0.0.1:9200" })).toContain(
    "--every 10 --store http://127.0.0.1:9200 --store-index streaming-regression",
  );
  expect(learn({ store: "http://127.0.0.1:9200" })?.secrets).toEqual([]);
  const safe = { store: "https://search:9200", storeIndex: "points", storeCa: ca, page: "http://a" };
  expect(argumentsOf(safe)).toMatch(
    /--store https:\/\/search:9200 --store-index points --store-login \{secret:store-login\} --store-ca classifier\.py$/,
  );
  expect(learn(safe)?.secrets).toEqual(["feed-token", "store-login"]);
  expect(learn(safe)?.files).toEqual([resolve(ca)]);
});

test("the step is endless, leaves all tables, and is given what it imports", () => {
  const step = learn();
  expect(step?.endless).toBe(true);
  expect(step?.leaves).toEqual(streamingRegression().tables.map(({ name }) => name));
  expect(step?.packages).toEqual(["org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7"]);
  expect(step?.pyFiles.map((path) => path.split("/").at(-1))).toEqual(
    "oneoff engine files kafka log models records sinks state store tables"
      .split(" ")
      .map((name) => (name === "oneoff" ? "oneoff.py" : `streaming_${name}.py`)),
  );
});

test("a model of one's own goes with the step, and its features and topics into tables and panels", () => {
  const job = streamingRegression({ model: MODEL, features: 3, trainTopic: "seen", testTopic: "held-out" });
  expect(job.steps[0]?.files).toEqual([resolve(MODEL)]);
  expect(job.steps[0]?.arguments.join(" ")).toContain("--features 3 --model classifier.py --window");
  const [predictions] = job.tables;
  expect(predictions?.columns.map(({ name }) => name).filter((name) => name.startsWith("x"))).toEqual([
    "x1",
    "x2",
    "x3",
  ]);
  expect(job.panels.flatMap(({ live }) => (live?.where ? [live.where] : []))).toEqual([
    { topic: "seen" },
    { topic: "held-out" },
  ]);
});

test("what a digest has is what the records have", () => {
  const kept = streamingRegression().tables.map(({ name, columns }) => [
    name,
    columns.filter(({ measured }) => !measured).map((column) => column.name),
  ]);
  expect(Object.fromEntries(kept)).toEqual({
    predictions: ["topic", "kafka_partition", "kafka_offset", "x1", "x2", "y", "noise_error"],
    models: [],
    rejected: ["topic", "kafka_partition", "kafka_offset", "reason", "record"],
    batches: [],
  });
});

test.each<[string, object, string]>([
  ["brokers without a port", { kafka: "kafka" }, 'kafka is "kafka": expected HOST:PORT'],
  ["a topic with a blank", { trainTopic: "a b" }, 'trainTopic is "a b": expected a topic of Kafka\'s'],
  ["one topic for both", { trainTopic: "test" }, 'testTopic is "test": that is what is learnt from'],
  ["no features", { features: 0 }, "features is 0: expected a number above zero"],
  ["too many features", { features: 101 }, "features is 101: expected at most 100 features"],
  ["forgetting more than half", { forgetting: 0.4 }, "forgetting is 0.4: expected a number from 0.5 to 1"],
  ["another algorithm", { algorithm: "gru" }, 'algorithm is "gru"'],
  ["a model that is no Python", { model: "model.json" }, 'model is "model.json": expected a Python file'],
  ["a model that is not there", { model: "/nowhere/m.py" }, 'model is "/nowhere/m.py": there is no such file'],
  ["a state in a bucket", { state: "s3://b/state" }, 'state is "s3://b/state": expected the absolute path of a folder'],
  ["a page that is no address", { page: "localhost" }, 'page is "localhost": expected an address'],
  ["a store that is no address", { store: "search:9200" }, 'store is "search:9200": expected an address'],
  ["a store with a user", { store: "https://a:b@search" }, 'store is "https://a:b@search": expected an address'],
  ["an index in capitals", { storeIndex: "Points" }, 'storeIndex is "Points": expected small letters'],
  ["certificates that are not there", { store: "https://a", storeCa: "/nowhere/ca.pem" }, 'file "/nowhere/ca.pem" is'],
  ["parts by the moment", { partEvery: "0.1 seconds" }, 'partEvery is "0.1 seconds"'],
])("%s is refused", (_, args, message) => expect(() => streamingRegression(args)).toThrow(message));

test("a stack's settings make the same job, and errors name them", () => {
  const given = { "oneoff:features": "3", "oneoff:late": "1 minute", "oneoff:forgetting": "0.99" };
  const parsed = parseSettings(streamingRegressionSettings, given);
  const { create } = jobKind("streaming-regression");
  expect(create({ ...parsed, workers: 3 })).toEqual(
    streamingRegression({ features: 3, late: "1 minute", forgetting: 0.99 }),
  );
  expect(() => create({ ...parsed, testTopic: "train" })).toThrow('oneoff:testTopic is "train"');
});

test("what is produced is told in the same words", () => {
  expect(produceOptions({ rate: 1000, drift: 0.5, features: 3 }).join(" ")).toBe(
    "--train-topic train --test-topic test --rate 1000 --burst 1 --test-share 0.2 --drift 0.5 --noise 0.1 --malformed 0 --seed 1 --features 3",
  );
  const csv = { csv: "/data/a.csv", columns: ["size", "rooms"], target: "price" };
  expect(produceOptions(csv).slice(-6)).toEqual([
    "--csv",
    "/data/a.csv",
    "--columns",
    "size,rooms",
    "--target",
    "price",
  ]);
  expect(() => produceOptions({ csv: "/data/a.csv" })).toThrow("give csv, columns and target together");
  expect(() => produceOptions({ rate: 0 })).toThrow("rate is 0: expected a number from 0.01 to 1000000");
});
