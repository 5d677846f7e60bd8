import type { Column, Table } from "../../../core/table.ts";
import { curves, networks, roc } from "../network-tables.ts";

const ofService: readonly Column[] = [
  { name: "host", type: "string" },
  { name: "service", type: "string" },
];

export const tables: readonly Table[] = [
  {
    name: "logs",
    about: "A line that a service logged",
    columns: [
      { name: "time", type: "timestamp" },
      ...ofService,
      { name: "severity", type: "string" },
      { name: "message", type: "string" },
    ],
  },
  {
    name: "failures",
    about: "When a service failed, and started anew",
    mayBeEmpty: true,
    columns: [...ofService, { name: "time", type: "timestamp" }],
  },
  {
    name: "truth",
    about:
      "Of a service in a window of ten minutes: how strained it was, and by all that it had logged, the logarithm of the odds that it fails within two hours; networks don't see it",
    columns: [
      ...ofService,
      { name: "window_number", type: "integer" },
      { name: "strain", type: "integer" },
      { name: "log_odds", type: "double" },
    ],
  },
  roc("Part of the windows before failures that raise an alarm, at a part of false alarms among the others"),
  {
    name: "detection",
    about:
      "How many failures a model foretells at 1 % false alarms, and how early, beside the best that can be reached",
    columns: [
      { name: "model", type: "string" },
      // Those held out, the windows in the two hours before them, and the windows without a failure ahead.
      { name: "failures", type: "integer" },
      { name: "failing", type: "integer" },
      { name: "normal", type: "integer" },
      // Area under the ROC curve.
      { name: "auc", type: "double" },
      // Part of `failing` that raise an alarm.
      { name: "detected", type: "double" },
      { name: "detected_se", type: "double" },
      { name: "best", type: "double" },
      // Part of the failures with an alarm in the two hours before, and what half of them have as warning, or more.
      { name: "announced", type: "double" },
      { name: "warning", type: "double", unit: "min" },
    ],
  },
  {
    name: "leads",
    about: "Before how many failures an alarm stands, so many minutes ahead, at a part of false alarms",
    columns: [
      { name: "model", type: "string" },
      { name: "false_alarms", type: "double" },
      { name: "minutes", type: "integer", unit: "min" },
      { name: "failures", type: "integer" },
      { name: "foretold", type: "double" },
    ],
  },
  {
    name: "services",
    about: "How much of the two hours before failures of a service a model detects at 1 % false alarms",
    columns: [
      { name: "model", type: "string" },
      { name: "service", type: "string" },
      { name: "failing", type: "integer" },
      { name: "detected", type: "double" },
      { name: "best", type: "double" },
    ],
  },
  {
    name: "patterns",
    about: "How many lines of a kind a service logs in an hour, before failures and otherwise",
    columns: [
      { name: "service", type: "string" },
      { name: "pattern", type: "string" },
      { name: "normal", type: "double" },
      { name: "failing", type: "double" },
    ],
  },
  {
    name: "examples",
    about: "The last lines of a service before it failed, with the classifier's score at the time",
    mayBeEmpty: true,
    columns: [
      { name: "service", type: "string" },
      { name: "host", type: "string" },
      { name: "time", type: "timestamp" },
      { name: "failed", type: "timestamp" },
      { name: "severity", type: "string" },
      { name: "message", type: "string" },
      // Null before the first window after a start, and where the window before was not measured on.
      { name: "score", type: "double" },
      { name: "alarm", type: "boolean" },
    ],
  },
  curves("windows"),
  networks(),
];
