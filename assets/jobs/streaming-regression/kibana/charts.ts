/**
 * Charts that ask the store themselves, as Vega-Lite of both majors that Kibana carries (5 and 6): it puts what the store answers into
 * `data.values`, keeps `format`, and adds the dashboard's query and time to what asks (`%context%`), which must have no query of its own.
 */
import type { VegaLiteSpec } from "../../../../core/panel.ts";

/** What Kibana takes in place of an address. */
export interface StoreQuery {
  readonly index: string;
  readonly "%context%": true;
  readonly "%timefield%": string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Chart {
  readonly title: string;
  readonly description: string;
  readonly spec: VegaLiteSpec;
}

/** Records that are drawn as points. */
export const POINTS = 1000;
/** Offsets of a partition that a point of the error's line is the mean of. */
export const OFFSETS = 1000;
/** Points that lines have at most, the newest: what a store gives at once. */
const MOST = 10_000;
/** When a record happened. */
export const TIME = "event_time";

const KINDS = { domain: ["model", "mean", "noise"], range: ["#2f6fe2", "#9aa5b1", "#e2702f"] };
const MEANS = {
  model: { avg: { field: "squared_error" } },
  mean: { avg: { field: "baseline_error" } },
  noise: { avg: { field: "noise_error" } },
};
const FOLDED = Object.keys(MEANS);

/** @param property of the answer: what has the rows. */
const chart = (
  title: string,
  description: string,
  body: object,
  property: string,
  index: string,
  drawn: object,
): Chart => {
  const url: StoreQuery = { index, "%context%": true, "%timefield%": TIME, body: body as StoreQuery["body"] };
  const data = { url, format: { property } };
  return { title, description, spec: { $schema: SCHEMA, description, data, ...drawn } };
};

const SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json";

const globalError = (index: string): Chart =>
  chart(
    "Global squared error",
    "Mean squared error of all predictions in the time that is shown, beside that of whoever predicts the mean and of whoever knows the truth.",
    {
      size: 0,
      aggs: {
        topics: {
          terms: { field: "topic", size: 10, order: { _key: "desc" } },
          aggs: { ...MEANS, predicted: { value_count: { field: "squared_error" } } },
        },
      },
    },
    "aggregations.topics.buckets",
    index,
    {
      transform: [
        ...[...FOLDED, "predicted"].map((name) => ({ calculate: `datum.${name}.value`, as: name })),
        { fold: [...FOLDED, "predicted"], as: ["what", "value"] },
        { filter: "isValid(datum.value)" },
        { calculate: "format(datum.value, datum.what === 'predicted' ? ',' : '.4g')", as: "shown" },
      ],
      mark: { type: "text", fontSize: 22 },
      encoding: {
        x: {
          field: "what",
          type: "nominal",
          title: null,
          sort: [...FOLDED, "predicted"],
          axis: { orient: "top", labelAngle: 0, domain: false, ticks: false },
        },
        y: { field: "key", type: "nominal", title: null, sort: "descending", axis: { domain: false, ticks: false } },
        text: { field: "shown", type: "nominal" },
      },
    },
  );

const errorByOffset = (index: string): Chart =>
  chart(
    "Error against offset",
    `Mean squared error along a topic, each point the mean of ${OFFSETS} offsets.`,
    {
      size: 0,
      aggs: {
        parts: {
          composite: {
            size: MOST,
            sources: [
              { offset: { histogram: { field: "kafka_offset", interval: OFFSETS, order: "desc" } } },
              { topic: { terms: { field: "topic" } } },
            ],
          },
          aggs: MEANS,
        },
      },
    },
    "aggregations.parts.buckets",
    index,
    {
      transform: [
        { calculate: "datum.key.offset", as: "offset" },
        { calculate: "datum.key.topic", as: "topic" },
        ...FOLDED.map((name) => ({ calculate: `datum.${name}.value`, as: name })),
        { fold: FOLDED, as: ["what", "error"] },
        { filter: "isValid(datum.error) && datum.error > 0" },
      ],
      mark: { type: "line", strokeWidth: 2, point: { size: 12 } },
      encoding: {
        x: { field: "offset", type: "quantitative", title: "Offset", axis: { grid: false } },
        y: { field: "error", type: "quantitative", title: "Squared error", scale: { type: "log" } },
        color: { field: "what", type: "nominal", title: null, sort: FOLDED, scale: KINDS },
        strokeDash: { field: "topic", type: "nominal", title: null, sort: "descending" },
      },
    },
  );

const points = (index: string): Chart =>
  chart(
    "Points and predictions",
    `The last ${POINTS} records by their first feature, and what was predicted for them before they were known.`,
    {
      size: POINTS,
      _source: ["topic", "x1", "y", "pred"],
      post_filter: { exists: { field: "pred" } },
      sort: [{ [TIME]: "desc" }, { topic: "desc" }, { kafka_partition: "asc" }, { kafka_offset: "desc" }],
    },
    "hits.hits",
    index,
    {
      transform: [
        ...["topic", "x1", "y", "pred"].map((name) => ({ calculate: `datum._source.${name}`, as: name })),
        { fold: ["y", "pred"], as: ["column", "value"] },
        { calculate: "datum.column === 'y' ? 'recorded' : 'predicted'", as: "what" },
      ],
      mark: { type: "point", filled: true, size: 14, opacity: 0.5 },
      encoding: {
        x: { field: "x1", type: "quantitative", scale: { zero: false } },
        y: { field: "value", type: "quantitative", title: "y", scale: { zero: false } },
        color: {
          field: "what",
          type: "nominal",
          title: null,
          scale: { domain: ["recorded", "predicted"], range: ["#9aa5b1", "#2f6fe2"] },
        },
        shape: { field: "topic", type: "nominal", title: null, sort: "descending" },
      },
    },
  );

const setAside = (index: string): Chart =>
  chart(
    "Set aside",
    "Records that could not be learnt from, came late or came twice, by reason.",
    {
      size: 0,
      aggs: {
        reasons: {
          composite: {
            size: 100,
            sources: [{ reason: { terms: { field: "reason" } } }, { topic: { terms: { field: "topic" } } }],
          },
        },
      },
    },
    "aggregations.reasons.buckets",
    index,
    {
      transform: ["reason", "topic"].map((name) => ({ calculate: `datum.key.${name}`, as: name })),
      mark: "bar",
      encoding: {
        y: { field: "reason", type: "nominal", title: null, sort: "-x", axis: { ticks: false, domain: false } },
        x: { field: "doc_count", type: "quantitative", title: "Records" },
        color: { field: "topic", type: "nominal", title: null, sort: "descending" },
      },
    },
  );

/** What each dashboard shows, of the topics that its query leaves. */
export const charts = (index: string): readonly Chart[] => [
  globalError(index),
  errorByOffset(index),
  points(index),
  setAside(index),
];
