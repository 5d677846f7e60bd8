import type { Panel } from "../../../core/panel.ts";

/** The letters have the same colours everywhere: told apart by any eye, with the background's behind the others. */
const LETTER = {
  field: "label",
  type: "nominal",
  title: null,
  scale: { domain: ["X", "O", "B"], range: ["#3a8bd0", "#e2702f", { expr: "dark ? '#59636f' : '#c3cad2'" }] },
  legend: { labelExpr: "datum.value === 'B' ? 'background' : datum.value" },
} as const;

/** The dashboard sets it. */
const DARK = { name: "dark", value: false } as const;

const HIDDEN = {
  field: "hidden",
  type: "quantitative",
  title: "Neurons in the hidden layer",
  scale: { type: "log", nice: false, padding: 14 },
  axis: { grid: false, values: [1, 10, 100, 1000, 10_000].flatMap((power) => [power, 2 * power, 5 * power]) },
} as const;

const plane = (axis: "x" | "y", field: string = axis) => ({
  field,
  type: "quantitative",
  title: axis,
  scale: { zero: false, nice: false, padding: 4 },
  axis: { tickCount: axis === "x" ? 8 : 4 },
});

const OPTIMUM: Panel = {
  name: "optimum",
  title: "The smallest network that is good enough",
  shows: "The chosen size of the hidden layer, how well it does, and why it was chosen.",
  sql: "SELECT hidden, accuracy, accuracy_se, reason FROM {optimum} ORDER BY hidden NULLS LAST",
  chart: {
    layer: [
      { mark: "text", encoding: { text: { field: "hidden", format: ",", title: "neurons" } } },
      { mark: "text", encoding: { text: { field: "accuracy", format: ".2%", title: "accuracy" } } },
      { mark: "text", encoding: { text: { field: "accuracy_se", format: ".2%", title: "standard error" } } },
      { mark: "text", encoding: { text: { field: "reason" } } },
    ],
  },
};

const POINTS: Panel = {
  name: "points",
  title: "Points",
  shows: "A sample of up to 5,000 of the generated points, coloured by the letter they belong to.",
  sql: "SELECT x, y, label FROM {points} ORDER BY id NULLS LAST LIMIT 5000",
  chart: {
    usermeta: { aspect: "equal" },
    params: [DARK],
    mark: { type: "point", filled: true, size: 12, opacity: 1 },
    encoding: { x: plane("x"), y: plane("y"), color: LETTER },
  },
};

const SURFACE: Panel = {
  name: "surface",
  title: "Decision surface",
  shows:
    "What a network of the chosen size takes each point of the plane for: the first of those trained at that size.",
  sql: `
    WITH shown AS (
      SELECT hidden, min(seed) AS seed FROM {surface} GROUP BY hidden
    ), grid AS (
      SELECT max(x) - min(x) AS width, max(y) - min(y) AS height,
        count(DISTINCT x) AS columns, count(DISTINCT y) AS lines FROM {surface}
    )
    SELECT s.hidden, s.x, s.y, s.predicted AS label,
      CASE WHEN g.columns > 1 THEN round(g.width * 1e0 / (2 * g.columns - 2), 6) ELSE 0.5 END AS half_x,
      CASE WHEN g.lines > 1 THEN round(g.height * 1e0 / (2 * g.lines - 2), 6) ELSE 0.5 END AS half_y,
      CASE WHEN o.hidden IS NULL THEN FALSE ELSE TRUE END AS is_optimum
    FROM {surface} s
    JOIN shown ON shown.hidden = s.hidden AND shown.seed = s.seed
    CROSS JOIN grid g
    LEFT JOIN {optimum} o ON o.hidden = s.hidden
    ORDER BY s.hidden NULLS LAST, s.y NULLS LAST, s.x NULLS LAST`,
  choice: { column: "hidden", label: "Neurons", preferred: "is_optimum" },
  chart: {
    usermeta: { aspect: "equal" },
    params: [DARK],
    // Each point of the grid becomes a cell that reaches halfway to the next point.
    transform: ["x", "y"].flatMap((axis) => [
      { calculate: `datum.${axis} - datum.half_${axis}`, as: `${axis}_from` },
      { calculate: `datum.${axis} + datum.half_${axis}`, as: `${axis}_to` },
    ]),
    mark: { type: "rect", strokeWidth: 1.5 },
    encoding: {
      x: plane("x", "x_from"),
      x2: { field: "x_to" },
      y: plane("y", "y_from"),
      y2: { field: "y_to" },
      color: LETTER,
      stroke: LETTER,
    },
  },
};

const ACCURACY: Panel = {
  name: "accuracy",
  title: "Accuracy",
  shows:
    "Accuracy on points not seen in training against the size of the hidden layer: each dot is a network, the line their mean, the band one standard error.",
  sql: `
    WITH sizes AS (
      SELECT hidden, avg(accuracy) AS mean, avg(accuracy_se) AS se FROM {models} GROUP BY hidden
    )
    SELECT m.hidden, m.seed, m.accuracy, s.mean, s.mean - s.se AS low, s.mean + s.se AS high,
      CASE WHEN o.hidden IS NULL THEN FALSE ELSE TRUE END AS is_optimum
    FROM {models} m
    JOIN sizes s ON s.hidden = m.hidden
    LEFT JOIN {optimum} o ON o.hidden = m.hidden
    ORDER BY m.hidden NULLS LAST, m.seed NULLS LAST`,
  chart: {
    encoding: { x: HIDDEN },
    layer: [
      {
        mark: { type: "area", opacity: 0.18 },
        encoding: {
          y: {
            field: "low",
            type: "quantitative",
            title: "Accuracy",
            axis: { format: ".2~%" },
            scale: { zero: false },
          },
          y2: { field: "high" },
        },
      },
      { mark: { type: "line", strokeWidth: 2 }, encoding: { y: { field: "mean", type: "quantitative" } } },
      {
        mark: { type: "point", filled: true, size: 28, opacity: 0.55, tooltip: { content: "data" } },
        encoding: { y: { field: "accuracy", type: "quantitative" } },
      },
      {
        transform: [
          { filter: "datum.is_optimum" },
          { aggregate: [{ op: "max", field: "mean", as: "mean" }], groupby: ["hidden"] },
        ],
        encoding: { y: { field: "mean", type: "quantitative" } },
        layer: [
          { mark: { type: "point", shape: "circle", size: 190, strokeWidth: 2.5, color: "#e2702f" } },
          {
            mark: { type: "text", align: "left", dx: 6, dy: 26, fontSize: 12, fontWeight: 600 },
            encoding: { text: { field: "label" } },
            transform: [{ calculate: "'optimum: ' + format(datum.hidden, ',')", as: "label" }],
          },
        ],
      },
    ],
  },
};

const SECONDS: Panel = {
  name: "seconds",
  title: "Training time",
  shows: "Seconds that training took against the size of the hidden layer: each dot is a network, the line their mean.",
  sql: "SELECT hidden, seed, seconds FROM {models} ORDER BY hidden NULLS LAST, seed NULLS LAST",
  chart: {
    encoding: { x: HIDDEN },
    layer: [
      {
        mark: { type: "line", strokeWidth: 2 },
        encoding: { y: { aggregate: "mean", field: "seconds", type: "quantitative", title: "Seconds" } },
      },
      {
        mark: { type: "point", filled: true, size: 28, opacity: 0.55, tooltip: { content: "data" } },
        encoding: { y: { field: "seconds", type: "quantitative" } },
      },
    ],
  },
};

/** What the dashboard shows of an `xo` run: the answer first, then what it rests on. */
export const panels: readonly Panel[] = [OPTIMUM, POINTS, SURFACE, ACCURACY, SECONDS];
