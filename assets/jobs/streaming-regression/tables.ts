import type { Column, Table } from "../../../core/table.ts";

/** Of a record: where in Kafka it is, and when it happened. */
const PLACE: readonly Column[] = [
  { name: "topic", type: "string" },
  { name: "kafka_partition", type: "integer" },
  { name: "kafka_offset", type: "integer" },
  { name: "event_time", type: "timestamp", measured: true },
];

const measured = (type: Column["type"], ...names: readonly string[]): readonly Column[] =>
  names.map((name) => ({ name, type, measured: true }));

/** Squared errors so far, each the mean of one: how the stream is cut into batches goes into them, so no digest has them. */
const soFar: readonly Column[] = ["train", "test"].flatMap((kind) => [
  ...measured("integer", `${kind}_count`),
  ...measured("double", ...["error", "recent_error", "baseline_error", "noise_error"].map((name) => `${kind}_${name}`)),
]);

/** What a stream of records with so many features leaves. Equal records have equal digests, however they came. */
export const tables = (features: number): readonly Table[] => [
  {
    name: "predictions",
    about:
      "A record and what was predicted before it was learnt from; the squared errors of that, of whoever predicts the mean, and of whoever knows the truth",
    mayBeEmpty: true,
    columns: [
      ...PLACE,
      ...Array.from({ length: features }, (_, at): Column => ({ name: `x${at + 1}`, type: "double" })),
      { name: "y", type: "double" },
      ...measured("double", "pred", "squared_error", "baseline_error"),
      // Null where the record doesn't say what y is without its noise.
      { name: "noise_error", type: "double" },
      // How many examples the model had learnt from.
      ...measured("integer", "model_version", "batch"),
    ],
  },
  {
    name: "models",
    about: "The model at a time, as JSON, with the errors until then and the offsets that it has learnt from",
    mayBeEmpty: true,
    columns: [
      ...measured("integer", "model_version", "batch"),
      ...measured("timestamp", "saved"),
      { name: "algorithm", type: "string", measured: true },
      { name: "features", type: "integer", measured: true },
      ...measured("string", "parameters", "offsets"),
      ...soFar,
    ],
  },
  {
    name: "rejected",
    about: "A record that could not be learnt from, or came late or twice, and why",
    mayBeEmpty: true,
    columns: [
      ...PLACE,
      ...measured("integer", "batch"),
      { name: "reason", type: "string" },
      ...measured("string", "detail"),
      { name: "record", type: "string" },
    ],
  },
  {
    name: "batches",
    about: "A batch: its records, how long they took, how far behind the stream is, and the errors so far",
    mayBeEmpty: true,
    columns: [
      ...measured("integer", "batch"),
      ...measured("timestamp", "ended"),
      ...measured("integer", "records", "set_aside"),
      { name: "seconds", type: "double", unit: "s", measured: true },
      // From the newest event to its prediction.
      { name: "delay", type: "double", unit: "s", measured: true },
      // Records that are there and were not read yet.
      ...measured("integer", "behind"),
      ...soFar,
    ],
  },
];
