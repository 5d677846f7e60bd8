import { checkCsv } from "../assets/jobs/streaming-regression/produce.ts";
import { outputs } from "../components/common/outputs.ts";
import { stackProgram } from "../components/common/stack.ts";
import { LocalDashboard, LocalLake, LocalPipeline } from "../components/local/index.ts";
import { count, inSettingsOf, port, size } from "../core/settings.ts";
import { jobOf, pipelineOf, streamSettings } from "./streaming/settings.ts";

/** Behind the dashboard's there are those of the broker. */
const MOST_PORT = 65_519;

const settings = streamSettings(LocalPipeline.deadlines, ".oneoff/streaming-lake").extend({
  cores: count()
    .optional()
    .describe("Cores that Spark uses; 2, or all of this machine where it has fewer, when not set"),
  memory: size().default("1 GB").describe("Memory of Spark's Java virtual machine; Python comes on top"),
  port: port()
    .max(MOST_PORT, `expected a number from 1 to ${MOST_PORT}, as the next ones are used too`)
    .default(8765)
    .describe("Port of the dashboard on 127.0.0.1; the next one is Kafka's"),
});

export default stackProgram({
  about: "A model that learns from Kafka while you watch: broker, Spark and producer on this machine, a dashboard",
  rents: false,
  settings: () => settings,
  run(settings) {
    const { cores, memory, port, removal, lake: path } = settings;
    const places = { kafka: LocalPipeline.broker(port + 1), page: `http://127.0.0.1:${port}` };
    const job = inSettings(() => jobOf(settings, places));
    const pipelineArgs = { ...inSettings(() => pipelineOf(settings)), cores, memory, port: port + 1 };
    if (settings.producer) inSettings(() => checkCsv(settings));
    inSettings(() => LocalPipeline.check({ ...pipelineArgs, job }));

    const lake = new LocalLake("lake", { job, path, removal });
    const cluster = new LocalPipeline("pipeline", { ...pipelineArgs, lake });
    const dashboard = new LocalDashboard("dashboard", { lake, port, feedToken: cluster.feedToken });
    return outputs({ cluster, dashboard });
  },
});

/** Errors name settings, and here stand the arguments of the components that are called otherwise. */
const inSettings = inSettingsOf(settings, {});
