/** What every cloud has in common: jobs, lifetimes and the units they are told in. */
export type { Duration } from "../core/duration.ts";
export { UsageError } from "../core/errors.ts";
export { type Job, type JobArgs, job } from "../core/job.ts";
export type { Lifetime } from "../core/lifetime.ts";
export type { Choice, Panel, VegaLiteSpec } from "../core/panel.ts";
export type { Size } from "../core/size.ts";
export type { SparkStep, SparkStepArgs } from "../core/step.ts";
export {
  type Column,
  ColumnType,
  type DateRange,
  type IntegerRange,
  type ListedValues,
  type PartitionValues,
  type Table,
} from "../core/table.ts";
export { type CommandOutputs, outputs, type StackParts } from "./common/outputs.ts";
export type { Transform, Transformed } from "./common/transform.ts";
