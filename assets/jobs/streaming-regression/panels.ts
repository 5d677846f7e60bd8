import type { Panel } from "../../../core/panel.ts";

/** Parts that a topic's offsets are cut into: as many points as a line needs. */
const PARTS = 200;
/** Records of a partition that are drawn. */
const LAST = 500;
/** Batches that are drawn. */
const BATCHES = 600;

const KIND = {
  field: "what",
  type: "nominal",
  title: null,
  sort: ["model", "mean", "noise"],
  scale: { domain: ["model", "mean", "noise"], range: ["#2f6fe2", "#9aa5b1", "#e2702f"] },
} as const;

const SUMMARY: Panel = {
  name: "global-error",
  title: "Global squared error",
  shows:
    "Mean squared error of all predictions so far, beside that of whoever predicts the mean and, where it is known, of whoever knows the truth.",
  sql: `
    SELECT topic, avg(squared_error) AS error, avg(baseline_error) AS mean_error, avg(noise_error) AS noise,
      count(*) AS predicted
    FROM {predictions} GROUP BY topic ORDER BY topic DESC NULLS LAST`,
  choice: { column: "topic", label: "Topic" },
  live: { feed: "errors", key: ["topic"], time: "ended", rows: 2 },
  chart: {
    layer: [
      { mark: "text", encoding: { text: { field: "error", format: ".4g", title: "squared error" } } },
      { mark: "text", encoding: { text: { field: "mean_error", format: ".4g", title: "by the mean" } } },
      { mark: "text", encoding: { text: { field: "noise", format: ".4g", title: "noise" } } },
      { mark: "text", encoding: { text: { field: "predicted", format: ",", title: "predictions" } } },
    ],
  },
};

const ERROR: Panel = {
  name: "error-by-offset",
  title: "Error against offset",
  shows: "Mean squared error along a topic, each point the mean of one part of its offsets.",
  sql: `
    WITH ends AS (SELECT topic, min(kafka_offset) AS least, max(kafka_offset) AS most FROM {predictions} GROUP BY topic),
    parts AS (
      SELECT p.topic, floor((p.kafka_offset - e.least) * ${PARTS}e0 / (e.most - e.least + 1)) AS part,
        max(p.kafka_offset) AS upto, avg(p.squared_error) AS model, avg(p.baseline_error) AS mean,
        avg(p.noise_error) AS noise
      FROM {predictions} p JOIN ends e ON e.topic = p.topic
      GROUP BY p.topic, floor((p.kafka_offset - e.least) * ${PARTS}e0 / (e.most - e.least + 1))
    )
    SELECT topic, upto, 'model' AS what, model AS error FROM parts
    UNION ALL SELECT topic, upto, 'mean' AS what, mean AS error FROM parts
    UNION ALL SELECT topic, upto, 'noise' AS what, noise AS error FROM parts
    ORDER BY topic DESC NULLS LAST, what NULLS LAST, upto NULLS LAST`,
  choice: { column: "topic", label: "Topic" },
  chart: {
    mark: { type: "line", strokeWidth: 2 },
    encoding: {
      x: { field: "upto", type: "quantitative", title: "Offset", axis: { grid: false } },
      y: { field: "error", type: "quantitative", title: "Squared error", scale: { type: "log" } },
      color: KIND,
    },
  },
};

const points = (kind: string, topic: string): Panel => ({
  name: `points-${kind}`,
  title: `Points of topic ${topic}`,
  shows: `The last ${LAST} records of each partition by their first feature, and what was predicted for them before they were known.`,
  sql: `
    WITH ends AS (
      SELECT topic, kafka_partition, max(kafka_offset) AS most FROM {predictions} GROUP BY topic, kafka_partition
    )
    SELECT p.topic, p.kafka_partition, p.kafka_offset, p.event_time, p.x1, p.y, p.pred FROM {predictions} p
    JOIN ends e ON e.topic = p.topic AND e.kafka_partition = p.kafka_partition
    WHERE p.topic = '${topic}' AND p.kafka_offset > e.most - ${LAST}
    ORDER BY p.event_time NULLS LAST, p.kafka_partition NULLS LAST, p.kafka_offset NULLS LAST`,
  live: {
    ...{ feed: "predictions", where: { topic }, time: "event_time", rows: LAST },
    key: ["topic", "kafka_partition", "kafka_offset"],
  },
  chart: {
    transform: [
      { calculate: "'recorded'", as: "recorded" },
      { calculate: "'predicted'", as: "predicted" },
    ],
    encoding: { x: { field: "x1", type: "quantitative", title: "x1", scale: { zero: false } } },
    layer: [dots("y", "recorded"), dots("pred", "predicted")],
  },
});

const dots = (field: string, what: string) => ({
  mark: { type: "point", filled: true, size: 14, opacity: 0.5 },
  encoding: {
    y: { field, type: "quantitative", title: "y", scale: { zero: false } },
    color: {
      field: what,
      type: "nominal",
      title: null,
      scale: { domain: ["recorded", "predicted"], range: ["#9aa5b1", "#2f6fe2"] },
    },
  },
});

const LAG: Panel = {
  name: "lag",
  title: "Delay and batch time",
  shows: `Seconds from an event to its prediction, and that a batch took: the last ${BATCHES} batches.`,
  sql: `
    WITH ends AS (SELECT max(batch) AS most FROM {batches}),
    newest AS (SELECT b.ended, b.seconds, b.delay FROM {batches} b JOIN ends e ON b.batch > e.most - ${BATCHES})
    SELECT ended AS moment, 'batch' AS what, seconds AS took FROM newest
    UNION ALL SELECT ended AS moment, 'delay' AS what, delay AS took FROM newest
    ORDER BY moment NULLS LAST, what NULLS LAST`,
  live: { feed: "batches", key: ["moment", "what"], time: "moment", rows: 2 * BATCHES },
  chart: {
    mark: { type: "line", strokeWidth: 2 },
    encoding: {
      x: { field: "moment", type: "temporal", title: null, axis: { grid: false } },
      y: { field: "took", type: "quantitative", title: "Seconds" },
      color: { field: "what", type: "nominal", title: null, sort: ["delay", "batch"] },
    },
  },
};

const REJECTED: Panel = {
  name: "rejected",
  title: "Set aside",
  shows: "Records that could not be learnt from, came late or came twice, by reason.",
  sql: `
    SELECT topic, reason, count(*) AS records FROM {rejected} GROUP BY topic, reason
    ORDER BY records DESC NULLS LAST, reason NULLS LAST, topic NULLS LAST`,
  chart: {
    mark: "bar",
    encoding: {
      y: { field: "reason", type: "nominal", title: null, sort: "-x", axis: { ticks: false, domain: false } },
      x: { field: "records", type: "quantitative", title: "Records" },
      color: { field: "topic", type: "nominal", title: null },
    },
  },
};

/** What the dashboard shows of a stream: the answer first, then what it rests on. */
export const panels = (train: string, test: string): readonly Panel[] => [
  SUMMARY,
  ERROR,
  points("train", train),
  points("test", test),
  LAG,
  REJECTED,
];
