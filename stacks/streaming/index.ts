import { z } from "zod";
import { outputs } from "../../components/common/outputs.ts";
import { stackProgram } from "../../components/common/stack.ts";
import { LocalLake, StreamingPipeline } from "../../components/docker/index.ts";
import { quote, UsageError } from "../../core/errors.ts";
import { count, flag, inSettingsOf, port, size } from "../../core/settings.ts";
import { folderOf, isRemote } from "../docker/lake.ts";
import { jobOf, pipelineOf, streamSettings } from "./settings.ts";

const image = (about: string) => z.string().optional().describe(`Image of ${about}`);

const settings = streamSettings(StreamingPipeline.deadlines, ".oneoff/streaming-swarm-lake").extend({
  brokers: count().default(1).describe("Brokers of Kafka; there can be no more than 1 yet"),
  workers: count().default(1).describe("Spark workers"),
  workerCores: count().default(2).describe("Cores of each worker"),
  workerMemory: size().default("2 GB").describe("Memory of each worker, Java and Python together"),
  driverMemory: size().default("1.5 GB").describe("Memory of the job's driver, where the model is"),
  user: z
    .string()
    .optional()
    .describe("Numbers of the user and group that own the lake's folder, 1000:1000; who runs Pulumi when not set"),
  node: z
    .string()
    .default("node.role==manager")
    .describe(
      "The machine whose Docker is used, as a placement constraint, such as node.hostname==one where there are more managers: the lake's folder and what Kafka keeps are there",
    ),
  encrypted: flag()
    .default(true)
    .describe("Encrypt what the containers send each other from node to node; some kernels can't, such as WSL's"),
  registry: z
    .string()
    .optional()
    .describe("Where the images are pushed, for a Swarm of several machines: registry.example.com/team"),
  baseImage: z
    .string()
    .optional()
    .describe("Debian 12 image that ours are built on; the official one by digest when not set"),
  sparkImage: image("Spark, the producer and the gateway; built from assets/images/spark when not set"),
  kafkaImage: image("Kafka; built from assets/images/kafka when not set"),
  dashboardImage: image("the dashboard; built from assets/images/dashboard when not set"),
  port: port().default(8765).describe("Port of the dashboard on 127.0.0.1; the next two are Spark's pages"),
});

type Settings = z.output<typeof settings>;

export default stackProgram({
  about: "A model that learns from Kafka while you watch, on Docker Swarm: broker, producer, Spark, a dashboard",
  rents: false,
  settings: () => settings,
  run(settings) {
    const { removal, lake: folder } = settings;
    if (/^\w+:\/\//.test(folder)) throw noFolder(folder);
    const job = inSettings(() => jobOf(settings, { kafka: StreamingPipeline.broker, page: StreamingPipeline.page }));
    const lake = { ...folderOf(settings), job };
    const args = inSettings(() => argsOf(settings));
    inSettings(() => StreamingPipeline.check({ ...args, lake }));

    const made = isRemote() ? lake : new LocalLake("lake", { job, path: lake.path, removal });
    return outputs({ cluster: new StreamingPipeline("pipeline", { ...args, lake: made }) });
  },
});

/** Errors name settings, and here stand the arguments of the components that are called otherwise. */
const inSettings = inSettingsOf(settings, {
  "workers.count": "workers",
  "workers.cores": "workerCores",
  "workers.memory": "workerMemory",
});

/** What the settings say of the pipeline. */
function argsOf(settings: Settings) {
  const { workers, driverMemory, user, node, encrypted, registry, baseImage, brokers, port } = settings;
  const { kafka, ...pipeline } = pipelineOf(settings);
  return {
    ...pipeline,
    kafka: { ...kafka, brokers },
    workers: { count: workers, cores: settings.workerCores, memory: settings.workerMemory },
    driverMemory,
    node,
    encrypted,
    port,
    images: { spark: settings.sparkImage, kafka: settings.kafkaImage, dashboard: settings.dashboardImage },
    ...(baseImage && { buildArgs: { BASE: baseImage } }),
    ...(user && { user }),
    ...(registry && { registry }),
  };
}

const noFolder = (lake: string): UsageError =>
  new UsageError(
    `oneoff:lake is ${quote(lake)}: how far the stream is lies there too, which wants a disk; give a folder of the machine where Docker is`,
  );
