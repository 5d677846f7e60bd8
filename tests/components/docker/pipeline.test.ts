import { unzipSync } from "fflate";
import { afterEach, beforeAll, expect, test } from "vitest";
import { streamingRegression } from "../../../assets/jobs/streaming-regression/index.ts";
import { produceOptions } from "../../../assets/jobs/streaming-regression/produce.ts";
import { StreamingPipeline, type StreamingPipelineArgs } from "../../../components/docker/index.ts";
import { fakeDocker } from "../../stacks/fake-docker.ts";
import { isSecret, type Registered, record, settle } from "../mocks.ts";

let resources: Registered[];
beforeAll(() => {
  resources = record(fakeDocker).resources;
});
afterEach(() => {
  resources.length = 0;
});

const { broker: kafka, page } = StreamingPipeline;
const given: StreamingPipelineArgs = {
  job: streamingRegression({ kafka, page }),
  lake: { path: "/lake" },
  lifetime: { deadline: "1 hour" },
  kafka: { topics: { train: 2, test: 1 } },
  producer: produceOptions({ rate: 50 }),
  images: { spark: "spark:1", kafka: "kafka:1", dashboard: "page:1" },
  user: "1000:1000",
};
const make = (args: Partial<StreamingPipelineArgs> = {}) =>
  settle(() => new StreamingPipeline("pipeline", { ...given, ...args }));
const named = (name: string) => {
  const found = resources.filter((resource) => resource.name === name);
  expect(found.map(({ name }) => name)).toEqual([name]);
  // biome-ignore lint/suspicious/noExplicitAny: the inputs are looked at, not used
  return found[0]?.inputs as any;
};
const container = (role: string) => named(`pipeline-${role}`).taskSpec.containerSpec;
const secretOf = (name: string) => JSON.parse(Buffer.from(named(name).data.value, "base64").toString());

test("the broker stays the same one: by its name, and with a volume where Docker is asked", async () => {
  await make({ node: "node.hostname==one" });
  expect(named("pipeline-kafka-data-volume").name).toBe("oneoff-test-kafka-data");
  expect(container("kafka")).toMatchObject({
    hostname: "kafka",
    mounts: [{ type: "volume", source: "oneoff-test-kafka-data", target: "/data" }],
    env: { KAFKA_TOPICS: "train:2 test:1", KAFKA_RETENTION: String(256 * 2 ** 20) },
  });
  expect(named("pipeline-kafka").taskSpec.placement).toEqual({ constraints: ["node.hostname==one"] });
  expect(container("master").hostname).toBeUndefined();
});

test("the page listens on its network alone, and has the token that the run sends rows with as a secret", async () => {
  await make();
  expect(container("page")).toMatchObject({
    args: ["/run/secrets/page"],
    hostname: "page",
    env: { ONEOFF_DASHBOARD_ADDRESS: "page" },
    mounts: [{ source: "/lake", readOnly: true }],
  });
  const { feedToken, engine } = secretOf("pipeline-page-secret");
  expect(engine).toEqual({ kind: "duckdb", lake: "/lake" });
  expect(secretOf("pipeline-run-1-secret")).toEqual({ "feed-token": feedToken });
  expect(feedToken.length).toBeGreaterThanOrEqual(32);
  expect(isSecret(named("pipeline-page-secret").data)).toBe(true);
});

test("the run reads the broker by name, feeds the page, and asks no repository for what the image has", async () => {
  await make();
  const archive = unzipSync(Buffer.from(named("pipeline-run-1-config").data, "base64"));
  const { steps, scratch } = JSON.parse(Buffer.from(archive["run.json"] ?? []).toString());
  expect(steps[0].command).toEqual(expect.arrayContaining(["kafka:9092", "http://page:8765"]));
  expect(steps[0].command).not.toContain("--packages");
  expect(scratch).toBe("/lake/_scratch/1");
});

test("a package that the image lacks is still asked for", async () => {
  const job = streamingRegression({ kafka, page });
  const steps = job.steps.map((step) => ({ ...step, packages: [...step.packages, "org.example:thing_2.12:1.0"] }));
  await make({ job: { ...job, steps } });
  const archive = unzipSync(Buffer.from(named("pipeline-run-1-config").data, "base64"));
  const { command } = JSON.parse(Buffer.from(archive["run.json"] ?? []).toString()).steps[0];
  expect(command[command.indexOf("--packages") + 1]).toBe("org.example:thing_2.12:1.0");
});

test("the producer has its scripts as files, and a CSV as it lies on the node; without one there is none", async () => {
  await make({ producer: produceOptions({ csv: "/data/houses.csv", columns: ["rooms", "area"], target: "price" }) });
  expect(
    container("producer")
      .configs.map(({ fileName }: { fileName: string }) => fileName)
      .sort(),
  ).toEqual(["/opt/oneoff/producer/oneoff.py", "/opt/oneoff/producer/produce.py"]);
  expect(container("producer").mounts).toEqual([
    { type: "bind", source: "/data/houses.csv", target: "/data/houses.csv", readOnly: true },
  ]);
  resources.length = 0;
  const { producer: _, ...own } = given;
  await settle(() => new StreamingPipeline("pipeline", own));
  expect(resources.some(({ name }) => name === "pipeline-producer")).toBe(false);
});

test.each<[Partial<StreamingPipelineArgs>, string]>([
  [{ kafka: { topics: {}, brokers: 3 } }, "brokers is 3: expected 1, as there can be no more brokers than that yet"],
  [{ kafka: { topics: { "a b": 1 } } }, 'topic is "a b": expected letters, digits, dashes and underscores'],
  [{ port: 0 }, "port is 0: expected"],
  [{ lake: { path: "lake" } }, 'lake is "lake": expected an absolute path without a comma'],
])("%j is refused before anything is made", (args, message) => {
  expect(() => new StreamingPipeline("pipeline", { ...given, ...args })).toThrow(message);
  expect(resources.filter(({ custom }) => custom)).toEqual([]);
});
