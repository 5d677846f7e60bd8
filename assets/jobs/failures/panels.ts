import type { Panel } from "../../../core/panel.ts";

/** Models have the same order and so the same colours everywhere. */
const MODEL = {
  field: "model",
  type: "nominal",
  title: null,
  sort: ["classifier", "counting errors", "best reachable"],
} as const;

const share = (field: string, title: string) =>
  ({ field, type: "quantitative", title, scale: { domain: [0, 1] }, axis: { format: "~%", tickCount: 5 } }) as const;

/** What marks the best that can be reached, beside what a model reaches. */
const BEST = { mark: { type: "tick", thickness: 3, color: "#e2702f" } } as const;

const DASHED = {
  condition: { test: "datum.model === 'best reachable'", value: [5, 3] },
  value: [1, 0],
} as const;

const SUMMARY: Panel = {
  name: "summary",
  title: "What the classifier foretells",
  shows:
    "Alarms at a threshold that one window of ten minutes in a hundred crosses without a failure in the next two hours, on hosts and days it has not seen.",
  sql: `
    SELECT failures, detected, best, announced, warning FROM {detection}
    WHERE model = 'classifier' ORDER BY detected NULLS LAST`,
  chart: {
    layer: [
      {
        mark: "text",
        encoding: { text: { field: "detected", format: ".1%", title: "of the two hours before failures detected" } },
      },
      { mark: "text", encoding: { text: { field: "best", format: ".1%", title: "best reachable" } } },
      { mark: "text", encoding: { text: { field: "announced", format: ".1%", title: "of the failures announced" } } },
      { mark: "text", encoding: { text: { field: "warning", format: ",", title: "minutes of warning, median" } } },
      { mark: "text", encoding: { text: { field: "failures", format: ",", title: "failures held out" } } },
    ],
  },
};

const LEADS: Panel = {
  name: "leads",
  title: "How early",
  shows: "Before how many failures an alarm stands, so long ahead, at so many false alarms.",
  sql: `
    SELECT model, minutes, foretold, false_alarms * 100 AS percent,
      CASE WHEN false_alarms = 0.01 THEN TRUE ELSE FALSE END AS is_first
    FROM {leads} ORDER BY false_alarms NULLS LAST, model NULLS LAST, minutes NULLS LAST`,
  choice: { column: "percent", label: "False alarms, %", preferred: "is_first" },
  chart: {
    mark: { type: "line", strokeWidth: 2 },
    encoding: {
      x: {
        field: "minutes",
        type: "quantitative",
        title: "Minutes until the failure",
        scale: { reverse: true, nice: false },
        axis: { values: [10, 30, 60, 90, 120] },
      },
      y: share("foretold", "Failures"),
      color: MODEL,
      strokeDash: DASHED,
    },
  },
};

const ROC: Panel = {
  name: "roc",
  title: "Lead time against false alarms",
  shows:
    "Part of the two hours before failures in which an alarm stands, against the part of the other windows that have one, on an axis where each step is ten times the one before.",
  sql: `
    SELECT model, false_alarms, detected FROM {roc} WHERE false_alarms > 0
    ORDER BY model NULLS LAST, false_alarms NULLS LAST`,
  chart: {
    mark: { type: "line", strokeWidth: 2 },
    encoding: {
      x: {
        field: "false_alarms",
        type: "quantitative",
        title: "False alarms",
        scale: { type: "log", nice: false },
        axis: { values: [0.001, 0.01, 0.1, 1], format: "~%" },
      },
      y: share("detected", "Of the two hours before failures"),
      color: MODEL,
      strokeDash: DASHED,
    },
  },
};

const SERVICES: Panel = {
  name: "services",
  title: "By service",
  shows:
    "Part of the two hours before a service's failures that is detected at 1 % false alarms, and the best that can be reached at these.",
  sql: `
    SELECT model, service, failing, detected, best,
      CASE WHEN model = 'classifier' THEN TRUE ELSE FALSE END AS is_first
    FROM {services} ORDER BY model NULLS LAST, service NULLS LAST`,
  choice: { column: "model", label: "Model", preferred: "is_first" },
  chart: {
    encoding: { y: { field: "service", type: "nominal", title: null, axis: { ticks: false, domain: false } } },
    layer: [
      { mark: { type: "bar" }, encoding: { x: share("detected", "Detected") } },
      { ...BEST, encoding: { x: share("best", "Detected") } },
    ],
  },
};

const PATTERNS: Panel = {
  name: "patterns",
  title: "What foretells",
  shows: "How many times as often a service logs a line of a kind in the two hours before it fails.",
  sql: `
    SELECT service, pattern, normal, failing, failing * 1e0 / normal AS times FROM {patterns}
    WHERE normal > 0 AND failing > 0 AND pattern NOT LIKE 'Started%'
    ORDER BY service NULLS LAST, times DESC NULLS LAST, pattern NULLS LAST`,
  choice: { column: "service", label: "Service" },
  chart: {
    mark: { type: "bar" },
    encoding: {
      x: { field: "times", type: "quantitative", title: "Times as often" },
      y: { field: "pattern", type: "nominal", title: null, sort: "-x", axis: { labelLimit: 320, ticks: false } },
    },
  },
};

const EXAMPLES: Panel = {
  name: "example",
  title: "A log before a failure",
  shows: "The last lines of a service before it failed; the bar is the classifier's score when a line was logged.",
  sql: `
    SELECT service, time, severity, message, coalesce(score, 0) AS score,
      CASE WHEN alarm THEN 'alarm' ELSE 'no alarm' END AS state,
      ROW_NUMBER() OVER (PARTITION BY service ORDER BY time NULLS LAST, message NULLS LAST) AS line
    FROM {examples} ORDER BY service NULLS LAST, line NULLS LAST`,
  choice: { column: "service", label: "Service" },
  chart: {
    height: 560, // for forty lines of text
    encoding: {
      y: { field: "line", type: "ordinal", title: null, axis: { labels: false, ticks: false, domain: false } },
    },
    layer: [
      {
        mark: { type: "bar", opacity: 0.35 },
        encoding: {
          x: {
            field: "score",
            type: "quantitative",
            title: "Score",
            scale: { domain: [0, 1] },
            axis: { tickCount: 5 },
          },
          color: { field: "state", type: "nominal", title: null, sort: ["no alarm", "alarm"] },
        },
      },
      {
        mark: { type: "text", align: "left", fontSize: 11, limit: 520 },
        encoding: { x: { datum: 0 }, text: { field: "message" }, tooltip: { field: "message" } },
      },
    ],
  },
};

const CURVES: Panel = {
  name: "curves",
  title: "Training",
  shows: "The loss after each look at all windows, of those that the network learns from and of those held out.",
  sql: `
    SELECT epoch, 'learnt from' AS side, training_loss AS loss FROM {curves}
    UNION ALL
    SELECT epoch, 'held out' AS side, held_out_loss AS loss FROM {curves}
    ORDER BY side NULLS LAST, epoch NULLS LAST`,
  chart: {
    mark: { type: "line", strokeWidth: 2, point: { size: 24 } },
    encoding: {
      x: { field: "epoch", type: "quantitative", title: "Looks at all windows", axis: { grid: false, tickMinStep: 1 } },
      y: { field: "loss", type: "quantitative", title: "Loss", axis: { format: "~r" } },
      color: { field: "side", type: "nominal", title: null, sort: ["learnt from", "held out"] },
    },
  },
};

/** What the dashboard shows of a run of `failures`: the answer first, then what it rests on. */
export const panels: readonly Panel[] = [SUMMARY, LEADS, ROC, SERVICES, PATTERNS, EXAMPLES, CURVES];
