import type { Job } from "../../../core/job.ts";

/** A job with a column of every type, a partitioned table and a panel that fails. */
export const toy: Pick<Job, "name" | "tables" | "panels"> = {
  name: "toy",
  tables: [
    {
      name: "readings",
      about: "A reading of a meter",
      columns: [
        { name: "id", type: "integer" },
        { name: "value", type: "double" },
        { name: "label", type: "string" },
        { name: "good", type: "boolean" },
        { name: "at", type: "timestamp" },
        { name: "day", type: "date" },
      ],
    },
    {
      name: "monthly",
      about: "A month's total",
      columns: [
        { name: "total", type: "double" },
        { name: "area", type: "string" },
        { name: "month", type: "integer" },
      ],
      partitions: ["area", "month"],
    },
  ],
  panels: [
    {
      name: "count",
      title: "Count",
      shows: "How many readings there are.",
      sql: "SELECT count(*) AS readings FROM {readings}",
      chart: { mark: "text", encoding: { text: { field: "readings" } } },
    },
    {
      name: "values",
      title: "Values",
      shows: "Every reading.",
      sql: "SELECT id, value, label FROM {readings} ORDER BY id",
      chart: { mark: "point", encoding: { x: { field: "id", type: "quantitative" } } },
    },
    {
      name: "broken",
      title: "Broken",
      shows: "Nothing: its query names a column that isn't there.",
      sql: "SELECT nonsense FROM {readings}",
      chart: { mark: "point" },
    },
  ],
};

/** A SELECT of `rows` readings for FakeLake.part. */
export const readings = (rows: number, from = 0): string =>
  `SELECT range AS id, range / 2.0::DOUBLE AS value, 'r' || range AS label, range % 2 = 0 AS good,
     TIMESTAMP '2026-03-01 12:00:00' + INTERVAL (range) SECOND AS at, DATE '2026-03-01' AS day
   FROM range(${from}, ${from + rows})`;
