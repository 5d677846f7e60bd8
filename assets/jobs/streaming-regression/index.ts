import { existsSync } from "node:fs";
import { basename } from "node:path";
import { type Duration, seconds } from "../../../core/duration.ts";
import { invalid } from "../../../core/errors.ts";
import { type Job, job } from "../../../core/job.ts";
import { checkArgs } from "../../../core/settings.ts";
import { tried } from "../../../core/tried.ts";
import { panels } from "./panels.ts";
import { streamingRegressionSettings } from "./settings.ts";
import { tables } from "./tables.ts";

export interface StreamingRegressionArgs {
  /** Brokers of Kafka: HOST:PORT, several separated by commas. @default "127.0.0.1:9092" */
  readonly kafka?: string;
  /** Topic of what is predicted, then learnt from. It must be there. @default "train" */
  readonly trainTopic?: string;
  /** Topic of what is predicted alone. It must be there. @default "test" */
  readonly testTopic?: string;
  /** Numbers in `x` of a record, `{"x": [0.5, 2], "y": 1.5}`; another number of them is set aside. @default 2 */
  readonly features?: number;
  /** Linear model: recursive least squares, or stochastic gradient descent. Unused with `model`. @default "rls" */
  readonly algorithm?: "rls" | "sgd";
  /** Of `rls`: how much an example counts beside the next one; less than 1 follows a truth that drifts. @default 1 */
  readonly forgetting?: number;
  /** Of `sgd`: how far it goes for an example. @default 0.01 */
  readonly learningRate?: number;
  /**
   * A model of your own: a Python file with `predict(state, x)` and `learn(state, x, y)`, which goes with the step.
   * @default the one that `algorithm` names
   */
  readonly model?: string;
  /** Examples that the recent error is of. @default 1000 */
  readonly errorWindow?: number;
  /** How far behind the newest of its partition a record may be, by event time; what is later is set aside. @default "10 minutes" */
  readonly late?: Duration;
  /** Records that a batch has at most, also where the stream catches up. @default 20000 */
  readonly batch?: number;
  /** From one part file of a partition in the lake to the next; 50000 rows make one sooner. @default "10 seconds" */
  readonly partEvery?: Duration;
  /**
   * Folder, on the driver's own disk, of how far the stream is and what was learnt: another run goes on from there.
   * @default the run's scratch, which ends with it; elsewhere than on this machine's disk that is refused
   */
  readonly state?: string;
  /**
   * Address of a dashboard that rows are sent to as they come, best effort, with the secret "feed-token" of the cluster, which
   * a dashboard has as its `feedToken`. @default the dashboard shows what is in the lake
   */
  readonly page?: string;
  /**
   * Address of an OpenSearch or Elasticsearch that gets a document for each record. One with https:// is sent the secret
   * "store-login" of the cluster, `USER:PASSWORD`; one with http:// is sent none. @default there is none
   */
  readonly store?: string;
  /** The store's index. @default "streaming-regression" */
  readonly storeIndex?: string;
  /** A file of certificates (PEM) that the store's may be of. @default those that the driver's system has */
  readonly storeCa?: string;
  /** End after so many records. @default it goes on until somebody asks for its end, or the deadline comes */
  readonly endAfter?: number;
  /** End when no record has come for so long. @default never */
  readonly idle?: Duration;
}

/**
 * A model that learns from Kafka while it predicts: each record is predicted, recorded, and then learnt from. It goes on until
 * somebody asks for its end, which it then has succeeded at.
 *
 * @throws UsageError when an argument is out of its range, both topics are one, or a file is not there.
 */
export function streamingRegression(args: StreamingRegressionArgs = {}): Job {
  const settings = checkArgs("streamingRegression", streamingRegressionSettings, args);
  const { model, features, trainTopic, testTopic } = settings;
  if (trainTopic === testTopic)
    throw invalid("testTopic", testTopic, "that is what is learnt from: give another topic");
  if (model !== undefined && !existsSync(model)) throw invalid("model", model, "there is no such file");
  return tried(
    job({
      name: "streaming-regression",
      from: import.meta.url,
      steps: [
        {
          name: "learn",
          script: "learn.py",
          arguments: argumentsOf(settings),
          pyFiles: MODULES,
          files: [model, settings.storeCa].filter((path) => path !== undefined),
          packages: ["org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7"],
          requirements: "requirements.txt",
          // It writes into the lake itself, where its tables are seen while it goes on: no cluster needs to bring them there.
          leaves: ["predictions", "models", "rejected", "batches"],
          secrets: [...(settings.page === undefined ? [] : [FEED_TOKEN]), ...(hasLogin(settings) ? [STORE_LOGIN] : [])],
          endless: true,
        },
      ],
      tables: tables(features),
      panels: panels(trainTopic, testTopic),
    }),
  );
}

/** What a dashboard takes rows by. */
const FEED_TOKEN = "feed-token";

/** `USER:PASSWORD` of the store. */
const STORE_LOGIN = "store-login";

const hasLogin = ({ store }: Settings): boolean => store?.startsWith("https://") ?? false;

type Settings = ReturnType<typeof streamingRegressionSettings.parse>;

function argumentsOf(settings: Settings): readonly string[] {
  const { kafka, trainTopic, testTopic, features, batch, errorWindow, page, endAfter, idle } = settings;
  return [
    ...["--lake", "{lake}", "--run", "{run}", "--state", settings.state ?? "{scratch}/streaming"],
    ...["--kafka", kafka, "--train-topic", trainTopic, "--test-topic", testTopic, "--features", String(features)],
    ...modelArguments(settings),
    ...["--window", String(errorWindow), "--late", String(seconds(settings.late)), "--most", String(batch)],
    ...["--every", String(seconds(settings.partEvery))],
    ...(page === undefined ? [] : ["--page", page, "--page-token", `{secret:${FEED_TOKEN}}`]),
    ...storeArguments(settings),
    ...(endAfter === undefined ? [] : ["--rows", String(endAfter)]),
    ...(idle === undefined ? [] : ["--idle", String(seconds(idle))]),
  ];
}

function modelArguments({ model, algorithm, forgetting, learningRate }: Settings): readonly string[] {
  if (model !== undefined) return ["--model", basename(model)];
  const rls = ["--forgetting", String(forgetting)];
  return ["--algorithm", algorithm, ...(algorithm === "rls" ? rls : ["--learning-rate", String(learningRate)])];
}

function storeArguments(settings: Settings): readonly string[] {
  const { store, storeIndex, storeCa } = settings;
  if (store === undefined) return [];
  return [
    ...["--store", store, "--store-index", storeIndex],
    ...(hasLogin(settings) ? ["--store-login", `{secret:${STORE_LOGIN}}`] : []),
    ...(storeCa === undefined ? [] : ["--store-ca", basename(storeCa)]),
  ];
}

/** What the script imports. */
const MODULES = ["engine", "files", "kafka", "log", "models", "records", "sinks", "state", "store", "tables"].map(
  (name) => `streaming_${name}.py`,
);
