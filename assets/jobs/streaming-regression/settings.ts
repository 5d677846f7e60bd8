import { resolve } from "node:path";
import { z } from "zod";
import { count, decimal, duration } from "../../../core/settings.ts";

const MOST_FEATURES = 100;

const topic = () =>
  z.string().regex(/^[a-zA-Z0-9_-]{1,200}$/, "expected a topic of Kafka's: letters, digits, dashes and underscores");

const server = /^[^\s,:{}]+:\d{1,5}$/;

export const streamingRegressionSettings = z.object({
  kafka: z
    .string()
    .refine(
      (text) => text.split(",").every((one) => server.test(one)),
      'expected HOST:PORT, or several separated by commas, such as "127.0.0.1:9092"',
    )
    .default("127.0.0.1:9092")
    .describe("Brokers of Kafka, HOST:PORT, several separated by commas"),
  trainTopic: topic().default("train").describe("Topic of what is predicted, then learnt from"),
  testTopic: topic().default("test").describe("Topic of what is predicted alone"),
  features: count()
    .max(MOST_FEATURES, `expected at most ${MOST_FEATURES} features`)
    .default(2)
    .describe("Numbers in x of a record"),
  algorithm: z
    .enum(["rls", "sgd"])
    .default("rls")
    .describe("Linear model: rls (recursive least squares) or sgd (stochastic gradient descent)"),
  forgetting: decimal(0.5, 1)
    .default(1)
    .describe("Of rls: how much an example counts beside the next one; less than 1 follows a truth that drifts"),
  learningRate: decimal(1e-9, 1).default(0.01).describe("Of sgd: how far it goes for an example"),
  model: z
    .string()
    .regex(/^[^{}]+\.py$/, "expected a Python file, such as model.py")
    .transform((path) => resolve(path))
    .optional()
    .describe(
      "Your own model instead: a Python file with predict(state, x) and learn(state, x, y); a path that is not absolute starts at the working directory",
    ),
  errorWindow: count().default(1000).describe("Examples that the recent error is of"),
  late: duration("1 second", "30 days")
    .default("10 minutes")
    .describe("How far behind the newest of its partition a record may be, by event time"),
  batch: count()
    .max(1_000_000, "expected at most 1000000")
    .default(20_000)
    .describe("Records that a batch has at most, also where the stream catches up"),
  partEvery: duration("1 second", "1 hour")
    .default("10 seconds")
    .describe("From one part file of a partition in the lake to the next; 50000 rows make one sooner"),
  state: z
    .string()
    .regex(/^\/[^{}]*$/, "expected the absolute path of a folder")
    .optional()
    .describe(
      "Folder, on the driver's own disk, of how far the stream is and what was learnt: another run goes on from there; the run's own scratch when not set",
    ),
  page: z
    .string()
    .regex(/^https?:\/\/[^\s{}]+$/, "expected an address that begins with http:// or https://")
    .optional()
    .describe("Address of a dashboard that rows are sent to as they come, with the cluster's secret feed-token"),
  store: z
    .string()
    .regex(/^https?:\/\/[^\s{}@?#]+$/, "expected an address that begins with http:// or https://, without a user")
    .optional()
    .describe(
      "Address of an OpenSearch or Elasticsearch of your own, which gets a document for each record; with https:// it is sent the secret store-login",
    ),
  storeIndex: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]{0,199}$/, "expected small letters, digits, dashes, underscores and dots")
    .default("streaming-regression")
    .describe("Index of the store; another run that reads a record again writes over its document"),
  storeCa: z
    .string()
    .regex(/^[^{}]+$/, "expected a file of certificates (PEM)")
    .transform((path) => resolve(path))
    .optional()
    .describe("A file of certificates (PEM) that the store's may be of; those of the driver's system when not set"),
  endAfter: count()
    .optional()
    .describe("End after so many records; goes on until somebody asks for its end when not set"),
  idle: duration("1 second", "30 days").optional().describe("End when no record has come for so long"),
});
