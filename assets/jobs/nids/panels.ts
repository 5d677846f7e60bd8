import type { Panel } from "../../../core/panel.ts";

/** Models have the same order and so the same colours everywhere. */
const MODEL = {
  field: "model",
  type: "nominal",
  title: null,
  sort: ["classifier", "autoencoder", "imitation", "recurrent", "best reachable", "best, knowing the host"],
} as const;

const share = (field: string, title: string) =>
  ({ field, type: "quantitative", title, scale: { domain: [0, 1] }, axis: { format: "~%", tickCount: 5 } }) as const;

/** What marks the best that can be reached, beside what a model reaches. */
const BEST = {
  transform: [{ filter: "isValid(datum.best)" }],
  mark: { type: "tick", thickness: 3, color: "#e2702f" },
} as const;

const SUMMARY: Panel = {
  name: "summary",
  title: "What the classifier finds",
  shows:
    "Part of the attacks it detects when one normal flow in a hundred raises a false alarm, on hosts and times it has not seen.",
  sql: `
    SELECT attacks, normal, detected, best, auc FROM {detection}
    WHERE model = 'classifier' ORDER BY detected NULLS LAST`,
  chart: {
    layer: [
      { mark: "text", encoding: { text: { field: "detected", format: ".1%", title: "detected" } } },
      { mark: "text", encoding: { text: { field: "best", format: ".1%", title: "best reachable" } } },
      { mark: "text", encoding: { text: { field: "auc", format: ".3f", title: "area under the ROC" } } },
      { mark: "text", encoding: { text: { field: "attacks", format: ",", title: "attacks held out" } } },
      { mark: "text", encoding: { text: { field: "normal", format: ",", title: "normal flows held out" } } },
    ],
  },
};

const DETECTION: Panel = {
  name: "detection",
  title: "Detection at 1 % false alarms",
  shows:
    "Part of the attacks that each model detects. The mark is the best that any detector can reach, where flows were made up.",
  sql: "SELECT model, detected, best, detected_se, auc FROM {detection} ORDER BY detected DESC NULLS LAST",
  chart: {
    encoding: { y: { ...MODEL, axis: { ticks: false, domain: false } } },
    layer: [
      {
        mark: { type: "bar" },
        encoding: { x: share("detected", "Attacks detected"), color: { ...MODEL, legend: null } },
      },
      { ...BEST, encoding: { x: share("best", "Attacks detected") } },
    ],
  },
};

const ROC: Panel = {
  name: "roc",
  title: "ROC",
  shows:
    "Part of the attacks that is detected, against the part of normal flows that raise a false alarm, on an axis where each step is ten times the one before.",
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
      y: share("detected", "Attacks detected"),
      color: MODEL,
      strokeDash: {
        condition: {
          test: "datum.model === 'best reachable' || datum.model === 'best, knowing the host'",
          value: [5, 3],
        },
        value: [1, 0],
      },
    },
  },
};

const FAMILIES: Panel = {
  name: "families",
  title: "By attack family",
  shows: "Part of a family's flows that is detected at 1 % false alarms, and the best that can be reached at these.",
  sql: `
    SELECT model, family, flows, detected, best,
      CASE WHEN model = 'classifier' THEN TRUE ELSE FALSE END AS is_first
    FROM {families} ORDER BY model NULLS LAST, flows DESC NULLS LAST, family NULLS LAST`,
  choice: { column: "model", label: "Model", preferred: "is_first" },
  chart: {
    encoding: {
      y: {
        field: "family",
        type: "nominal",
        title: null,
        sort: { op: "max", field: "flows", order: "descending" },
        axis: { ticks: false, domain: false },
      },
    },
    layer: [
      { mark: { type: "bar" }, encoding: { x: share("detected", "Flows detected") } },
      { ...BEST, encoding: { x: share("best", "Flows detected") } },
    ],
  },
};

const CONFUSION: Panel = {
  name: "confusion",
  title: "Confusion matrix",
  shows: "What the classifier takes the flows of each family for, as parts of the family.",
  // Both axes have the families in the same order, the largest first.
  sql: `
    WITH sizes AS (SELECT family, sum(flows) AS of_family FROM {confusion} GROUP BY family)
    SELECT c.family, c.predicted, c.flows, s.of_family, coalesce(p.of_family, 0) AS of_predicted,
      c.flows * 1e0 / s.of_family AS portion
    FROM {confusion} c
    JOIN sizes s ON s.family = c.family
    LEFT JOIN sizes p ON p.family = c.predicted
    ORDER BY s.of_family DESC NULLS LAST, c.family NULLS LAST, c.predicted NULLS LAST`,
  chart: {
    encoding: {
      x: {
        field: "predicted",
        type: "nominal",
        title: "Taken for",
        sort: { op: "max", field: "of_predicted", order: "descending" },
        axis: { labelAngle: -40, labelOverlap: false },
      },
      y: {
        field: "family",
        type: "nominal",
        title: "Family",
        sort: { op: "max", field: "of_family", order: "descending" },
        axis: { labelOverlap: false },
      },
    },
    layer: [
      {
        mark: { type: "rect" },
        encoding: {
          color: {
            field: "portion",
            type: "quantitative",
            title: null,
            scale: { domain: [0, 1] },
            legend: { format: "~%" },
          },
        },
      },
      {
        transform: [{ calculate: "format(datum.portion, '.0%')", as: "text" }],
        mark: { type: "text", fontSize: 10 },
        encoding: {
          text: { field: "text" },
          color: { condition: { test: "datum.portion > 0.4", value: "#ffffff" }, value: "#59636f" },
        },
      },
    ],
  },
};

const CURVES: Panel = {
  name: "curves",
  title: "Training",
  shows: "The loss after each look at all flows, of flows that the network learns from and of those held out.",
  sql: `
    WITH both_sides AS (
      SELECT model, epoch, 'learnt from' AS side, training_loss AS loss FROM {curves}
      UNION ALL
      SELECT model, epoch, 'held out' AS side, held_out_loss AS loss FROM {curves}
    )
    SELECT model, epoch, side, loss, CASE WHEN model = 'classifier' THEN TRUE ELSE FALSE END AS is_first
    FROM both_sides ORDER BY model NULLS LAST, side NULLS LAST, epoch NULLS LAST`,
  choice: { column: "model", label: "Model", preferred: "is_first" },
  chart: {
    mark: { type: "line", strokeWidth: 2, point: { size: 24 } },
    encoding: {
      x: { field: "epoch", type: "quantitative", title: "Looks at all flows", axis: { grid: false, tickMinStep: 1 } },
      y: { field: "loss", type: "quantitative", title: "Loss", axis: { format: "~r" } },
      color: { field: "side", type: "nominal", title: null, sort: ["learnt from", "held out"] },
    },
  },
};

const NETWORKS: Panel = {
  name: "networks",
  title: "Networks",
  shows:
    "A trained network as it leaves: the size of its ONNX file, how long it learnt, and the terms that it is under.",
  sql: `
    SELECT model, onnx_bytes, seconds, sha256, licence,
      CASE WHEN model = 'classifier' THEN TRUE ELSE FALSE END AS is_first
    FROM {networks} ORDER BY model NULLS LAST`,
  choice: { column: "model", label: "Model", preferred: "is_first" },
  chart: {
    layer: [
      { mark: "text", encoding: { text: { field: "onnx_bytes", format: ",", title: "bytes of ONNX" } } },
      { mark: "text", encoding: { text: { field: "seconds", format: ".1f", title: "seconds of training" } } },
      { mark: "text", encoding: { text: { field: "licence" } } },
      { mark: "text", encoding: { text: { field: "sha256" } } },
    ],
  },
};

/** What the dashboard shows of a run of `nids`: the answer first, then what it rests on. */
export const panels: readonly Panel[] = [SUMMARY, DETECTION, ROC, FAMILIES, CONFUSION, CURVES, NETWORKS];
