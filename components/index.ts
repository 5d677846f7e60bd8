/** What every cloud has in common: jobs, lifetimes and the units they are told in. */
export type { Duration } from "./core/duration.ts";
export { UsageError } from "./core/errors.ts";
export type { Size } from "./core/size.ts";
export type { Transform, Transformed } from "./core/transform.ts";
export { type Job, type JobArgs, job } from "./job/job.ts";
export type { Choice, Panel, VegaLiteSpec } from "./job/panel.ts";
export type { SparkStep, SparkStepArgs } from "./job/step.ts";
export {
  type Column,
  ColumnType,
  type DateRange,
  type IntegerRange,
  type ListedValues,
  type PartitionValues,
  type Table,
} from "./job/table.ts";
export type { Lifetime } from "./lifetime/lifetime.ts";
