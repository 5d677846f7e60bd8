import type { Table } from "../../../core/table.ts";

/**
 * Days, months and half hours of results are London's, summer time included; the times of readings are in UTC. Energy
 * per household and day is what a household would have used on a day that no reading is missing from: a day of which
 * half the readings are there counts as half a day.
 */
export const tables: readonly Table[] = [
  {
    name: "readings",
    about: "What a household used in the half hour that begins at a time; as published, with nulls and repeated rows",
    columns: [
      { name: "household", type: "string" },
      { name: "tariff", type: "string" },
      { name: "time", type: "timestamp" },
      { name: "kwh", type: "double", unit: "kWh" },
      { name: "acorn", type: "string" },
      { name: "acorn_group", type: "string" },
    ],
  },
  {
    name: "rejected",
    about: "A line of the input that is no reading, and why",
    mayBeEmpty: true,
    columns: [
      { name: "file", type: "string" },
      { name: "byte_offset", type: "integer" },
      { name: "reason", type: "string" },
      { name: "line", type: "string" },
    ],
  },
  {
    name: "summary",
    about: "The readings in figures: one row",
    columns: [
      { name: "households", type: "integer" },
      // Those that count: neither null nor repeated.
      { name: "readings", type: "integer" },
      { name: "nulls", type: "integer" },
      { name: "repeated", type: "integer" },
      { name: "first_day", type: "date" },
      { name: "last_day", type: "date" },
      { name: "kwh", type: "double", unit: "kWh" },
      { name: "peak_day", type: "date" },
      // What a household used on it.
      { name: "peak_kwh", type: "double", unit: "kWh" },
      // Part of its energy that a household saves by the time-of-use tariff; null where there are none to compare.
      { name: "tou_saving", type: "double" },
      { name: "findings", type: "string" },
    ],
  },
  {
    name: "monthly",
    about: "What the households of an Acorn group used in a month",
    columns: [
      { name: "month", type: "string" },
      { name: "acorn_group", type: "string" },
      { name: "households", type: "integer" },
      { name: "kwh", type: "double", unit: "kWh" },
      { name: "kwh_per_household_day", type: "double", unit: "kWh" },
    ],
  },
  {
    name: "tariffs",
    about: "What the households on a tariff used in a month",
    columns: [
      { name: "month", type: "string" },
      { name: "tariff", type: "string" },
      { name: "households", type: "integer" },
      { name: "kwh", type: "double", unit: "kWh" },
      { name: "kwh_per_household_day", type: "double", unit: "kWh" },
      // The same if both tariffs had equal parts of each Acorn group; null where no group has households on both.
      { name: "kwh_comparable", type: "double", unit: "kWh" },
    ],
  },
  {
    name: "load_curve",
    about: "What a household of an Acorn group and tariff uses in a half hour of the day on average",
    columns: [
      { name: "half_hour", type: "integer" },
      { name: "tariff", type: "string" },
      { name: "acorn_group", type: "string" },
      { name: "kwh", type: "double", unit: "kWh" },
      { name: "readings", type: "integer" },
    ],
  },
  {
    name: "days",
    about: "What a household used on a day on average",
    columns: [
      { name: "date", type: "date" },
      // 46 and 50 on the days on which the clocks change.
      { name: "half_hours", type: "integer" },
      { name: "households", type: "integer" },
      { name: "kwh", type: "double", unit: "kWh" },
      { name: "kwh_per_household", type: "double", unit: "kWh" },
      { name: "is_peak", type: "boolean" },
    ],
  },
  {
    name: "models",
    about: "A model and how far it is off for households that it has not seen",
    columns: [
      { name: "model", type: "string" },
      { name: "library", type: "string" },
      { name: "mse", type: "double", unit: "kWh²" },
      { name: "rmse", type: "double", unit: "kWh" },
      { name: "r2", type: "double" },
      // Of predicting the mean of the households that the model has seen.
      { name: "baseline_mse", type: "double", unit: "kWh²" },
      { name: "seconds", type: "double", unit: "s", measured: true },
    ],
  },
];
