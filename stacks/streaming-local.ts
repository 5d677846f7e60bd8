import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { streamingRegression } from "../assets/jobs/streaming-regression/index.ts";
import { checkCsv, produceOptions } from "../assets/jobs/streaming-regression/produce.ts";
import { produceSettings } from "../assets/jobs/streaming-regression/produce-settings.ts";
import { streamingRegressionSettings } from "../assets/jobs/streaming-regression/settings.ts";
import { outputs } from "../components/common/outputs.ts";
import { checkSecretSetting } from "../components/common/secret-setting.ts";
import { MOST_PARTITIONS } from "../components/common/services/kafka.ts";
import { stackProgram } from "../components/common/stack.ts";
import { LocalDashboard, LocalLake, LocalPipeline, Removal } from "../components/local/index.ts";
import { UsageError } from "../core/errors.ts";
import { count, duration, flag, inSettingsOf, port, runId, size } from "../core/settings.ts";

/** Which the stack itself sees to. */
const OWN = { kafka: true, page: true, state: true } as const;

/** Behind the dashboard's there are those of the broker. */
const MOST_PORT = 65_519;

const settings = z
  .object({
    runId: runId()
      .default("1")
      .describe("Names the run; only a new one reads the stream again (`npx --no oneoff run` sets one)"),
    deadline: duration(...LocalPipeline.deadlines)
      .default("8 hours")
      .describe("The run ends this long after its start, if nobody asks for its end before"),
    cores: count()
      .optional()
      .describe("Cores that Spark uses; 2, or all of this machine where it has fewer, when not set"),
    memory: size().default("1 GB").describe("Memory of Spark's Java virtual machine; Python comes on top"),
    partitions: count()
      .max(MOST_PARTITIONS, `expected at most ${MOST_PARTITIONS}`)
      .default(1)
      .describe("Partitions of each topic; more come to one that is there already, and none go"),
    retention: size().default("256 MB").describe("What Kafka keeps of a partition: older records go"),
    producer: flag().default(true).describe("Whether records are made and sent; without it, send your own"),
    lake: z.string().default(".oneoff/streaming-lake").describe("Folder of the results"),
    removal: z
      .enum(Removal)
      .default("delete")
      .describe("What `pulumi destroy` does with the results: delete or retain"),
    storeLogin: z.string().optional().describe("USER:PASSWORD for the store, as a secret"),
    port: port()
      .max(MOST_PORT, `expected a number from 1 to ${MOST_PORT}, as the next ones are used too`)
      .default(8765)
      .describe("Port of the dashboard on 127.0.0.1; the next one is Kafka's"),
  })
  .extend(streamingRegressionSettings.omit(OWN).shape)
  .extend(produceSettings.shape);

export default stackProgram({
  about: "A model that learns from Kafka while you watch: broker, Spark and producer on this machine, a dashboard",
  rents: false,
  settings: () => settings,
  run(settings) {
    const { runId, deadline, partitions, retention, trainTopic, testTopic, port, lake: path } = settings;
    const job = inSettings(() =>
      streamingRegression({ ...settings, kafka: LocalPipeline.broker(port + 1), page: `http://127.0.0.1:${port}` }),
    );
    const topics = Object.fromEntries([trainTopic, testTopic].map((topic) => [topic, partitions]));
    const pipelineArgs = {
      ...{ lifetime: { deadline }, runId, cores: settings.cores, memory: settings.memory, port: port + 1 },
      kafka: { topics, retention },
      ...(settings.storeLogin && { secrets: { "store-login": pulumi.secret(settings.storeLogin) } }),
      ...(settings.producer && { producer: inSettings(() => produceOptions(settings)) }),
    };
    if (settings.producer) inSettings(() => checkCsv(settings));
    checkStore(settings);
    inSettings(() => LocalPipeline.check({ ...pipelineArgs, job }));

    const lake = new LocalLake("lake", { job, path, removal: settings.removal });
    const cluster = new LocalPipeline("pipeline", { ...pipelineArgs, lake });
    const dashboard = new LocalDashboard("dashboard", { lake, port, feedToken: cluster.feedToken });
    return outputs({ cluster, dashboard });
  },
});

/** Errors name settings, and here stand the arguments of the components that are called otherwise. */
const inSettings = inSettingsOf(settings, {});

function checkStore({ store, storeLogin }: z.output<typeof settings>): void {
  checkSecretSetting("oneoff:storeLogin", storeLogin, " USER:PASSWORD");
  if (storeLogin !== undefined && !/^[^:\s]+:\S+$/.test(storeLogin))
    // without its value: it is secret
    throw new UsageError(
      "oneoff:storeLogin is no USER:PASSWORD: pulumi config set --secret oneoff:storeLogin USER:PASSWORD",
    );
  if (store?.startsWith("https://") && storeLogin === undefined)
    throw new UsageError(
      "oneoff:store begins with https:// and oneoff:storeLogin is not set: pulumi config set --secret oneoff:storeLogin USER:PASSWORD",
    );
}
