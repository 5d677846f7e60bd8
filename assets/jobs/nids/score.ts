import { join } from "node:path";
import { refusal } from "../../../core/errors.ts";
import type { SparkStepArgs } from "../../../core/step.ts";
import type { Table } from "../../../core/table.ts";

const SCORING = join(import.meta.dirname, "../../scoring");
/** What Spark reads Kafka with: of the Spark that every cluster here has. */
const KAFKA = "org.apache.spark:spark-sql-kafka-0-10_2.12:3.5.7";

export interface ScoreArgs {
  /** Address of table `networks` of a lake, whose newest run that succeeded has the model, or of what else docs/scoring.md names. */
  readonly model: string;
  /** Folder of text files with flows, as Spark finds it. Exactly one of `follow` and `kafka` is given. */
  readonly follow?: string;
  /** A topic whose messages are flows; brokers are "host:9092", several of them separated by commas. */
  readonly kafka?: { readonly brokers: string; readonly topic: string };
  /** Name of the table that the rows go to. @default "scores" */
  readonly table?: string;
}

/**
 * A step that scores network flows with a model of job nids, on whatever cluster the job runs; what there is when it begins is
 * scored, and then it ends. Its table is {@link scores}.
 *
 * @throws UsageError unless there is one source.
 */
export function scoreStep({ model, follow, kafka, table = "scores" }: ScoreArgs): SparkStepArgs {
  if ((follow === undefined) === (kafka === undefined))
    throw refusal`expected either follow or kafka, as the flows' source`;
  const source = kafka ? ["--kafka", kafka.brokers, "--topic", kafka.topic] : ["--follow", follow as string];
  return {
    name: "score",
    script: join(SCORING, "scoring_stream.py"),
    arguments: [...["--model", model, ...source, "--out", `{${table}}`], ...["--checkpoint", "{scratch}/checkpoint"]],
    pyFiles: [
      ...["answers", "flows", "model"].map((name) => join(SCORING, `scoring_${name}.py`)),
      join(import.meta.dirname, "../networks.py"),
      ...["arrays", "input", "layouts"].map((name) => join(import.meta.dirname, `nids_${name}.py`)),
    ],
    requirements: join(SCORING, "requirements.txt"),
    ...(kafka && { packages: [KAFKA] }),
  };
}

/** The table of {@link scoreStep}. */
export const scores: Table = {
  name: "scores",
  about: "What a network says of a flow; of a line that is no flow, what was expected",
  columns: [
    { name: "score", type: "double" },
    { name: "alarm", type: "boolean" },
    { name: "family", type: "string" },
    { name: "srcip", type: "string" },
    { name: "sport", type: "integer" },
    { name: "dstip", type: "string" },
    { name: "dsport", type: "integer" },
    { name: "protocol", type: "string" },
    { name: "service", type: "string" },
    { name: "state", type: "string" },
    // SHA-256 of the network.
    { name: "model", type: "string" },
    { name: "fault", type: "string" },
  ],
};
