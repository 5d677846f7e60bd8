import type { Panel } from "../../../core/panel.ts";

/** Acorn groups have the same order and so the same colours everywhere; others come after these. */
const GROUP = {
  field: "acorn_group",
  type: "nominal",
  title: null,
  sort: ["Affluent", "Comfortable", "Adversity"],
} as const;

const TARIFF = {
  field: "tariff",
  type: "nominal",
  title: null,
  sort: ["Std", "ToU"],
  legend: { labelExpr: "{Std: 'standard', ToU: 'time of use'}[datum.value] || datum.value" },
} as const;

const MONTH = {
  field: "month",
  type: "ordinal",
  title: null,
  axis: { labelAngle: 0, labelExpr: "timeFormat(toDate(datum.value + '-01T00:00:00'), '%b %Y')" },
} as const;

const energy = (field: string, title: string, zero = true) =>
  ({ field, type: "quantitative", title, scale: { zero }, axis: { format: "~r" } }) as const;

const SUMMARY: Panel = {
  name: "summary",
  title: "What London's households use",
  shows: "How many households and readings there are, what the peak was, and what the time-of-use tariff saves.",
  sql: "SELECT households, readings, peak_kwh, tou_saving, findings FROM {summary} ORDER BY findings NULLS LAST",
  chart: {
    layer: [
      { mark: "text", encoding: { text: { field: "households", format: ",", title: "households" } } },
      { mark: "text", encoding: { text: { field: "readings", format: ",", title: "readings" } } },
      { mark: "text", encoding: { text: { field: "peak_kwh", format: ".1f", title: "kWh on the peak day" } } },
      { mark: "text", encoding: { text: { field: "tou_saving", format: ".1%", title: "saved by time of use" } } },
      { mark: "text", encoding: { text: { field: "findings" } } },
    ],
  },
};

const MONTHLY: Panel = {
  name: "monthly",
  title: "Consumption by month and Acorn group",
  shows: "kWh that a household uses on a day, by month: a line for each Acorn group.",
  sql: `
    SELECT month, acorn_group, households, kwh_per_household_day FROM {monthly}
    ORDER BY month NULLS LAST, acorn_group NULLS LAST`,
  chart: {
    mark: { type: "line", strokeWidth: 2, point: { size: 36 } },
    encoding: { x: MONTH, y: energy("kwh_per_household_day", "kWh per household and day"), color: GROUP },
  },
};

const TARIFFS: Panel = {
  name: "tariffs",
  title: "Standard tariff against time of use",
  shows:
    "kWh that a household uses on a day, by month and tariff, if both tariffs had equal parts of each Acorn group. The axis doesn't begin at zero.",
  sql: `
    SELECT month, tariff, households, kwh_comparable, kwh_per_household_day FROM {tariffs}
    WHERE NOT kwh_comparable IS NULL ORDER BY month NULLS LAST, tariff NULLS LAST`,
  chart: {
    mark: { type: "line", strokeWidth: 2, point: { size: 36 } },
    encoding: { x: MONTH, y: energy("kwh_comparable", "kWh per household and day", false), color: TARIFF },
  },
};

const LOAD_CURVE: Panel = {
  name: "load-curve",
  title: "Load curve",
  shows: "Mean kWh of a household in each half hour of the day, by London's clock: a line for each tariff.",
  // The largest group comes first.
  sql: `
    WITH sizes AS (SELECT acorn_group, sum(readings) AS size FROM {load_curve} GROUP BY acorn_group)
    SELECT c.acorn_group, c.tariff, c.half_hour, c.kwh, c.readings
    FROM {load_curve} c JOIN sizes s ON s.acorn_group = c.acorn_group
    ORDER BY s.size DESC NULLS LAST, c.acorn_group NULLS LAST, c.tariff NULLS LAST, c.half_hour NULLS LAST`,
  choice: { column: "acorn_group", label: "Acorn group" },
  chart: {
    transform: [{ calculate: "datum.half_hour / 2", as: "hour" }],
    mark: { type: "line", strokeWidth: 2, interpolate: "monotone" },
    encoding: {
      x: {
        field: "hour",
        type: "quantitative",
        title: null,
        scale: { domain: [0, 24], nice: false },
        axis: { grid: false, values: [0, 6, 12, 18, 24], labelExpr: "format(datum.value, '02') + ':00'" },
      },
      y: energy("kwh", "kWh per half hour"),
      color: TARIFF,
    },
  },
};

/** The dashboard sets it. */
const DARK = { name: "dark", value: false } as const;

const DAY = { field: "date", type: "temporal", title: null, axis: { grid: false } } as const;
const OF_DAY = { field: "kwh_per_household", type: "quantitative" } as const;

const DAYS: Panel = {
  name: "days",
  title: "Days",
  shows:
    "kWh that a household uses, by day. The peak is marked, and so are the days of 23 and 25 hours on which the clocks change.",
  sql: `
    SELECT date, half_hours, households, kwh_per_household, is_peak FROM {days}
    WHERE NOT kwh_per_household IS NULL ORDER BY date NULLS LAST`,
  chart: {
    params: [DARK],
    encoding: { x: DAY },
    layer: [
      {
        transform: [{ filter: "datum.half_hours !== 48" }],
        mark: { type: "rule", strokeDash: [3, 3] },
      },
      {
        transform: [
          { filter: "datum.half_hours !== 48" },
          { calculate: "datum.half_hours / 2 + ' hours'", as: "label" },
        ],
        mark: { type: "text", align: "left", baseline: "bottom", dx: 5, dy: -4 },
        encoding: { y: { value: "height" }, text: { field: "label" } },
      },
      {
        mark: { type: "line", strokeWidth: 1.5 },
        encoding: { y: energy("kwh_per_household", "kWh per household", false) },
      },
      {
        transform: [
          { joinaggregate: ["min", "max"].map((op) => ({ op, field: "date", as: op })) },
          { filter: "datum.is_peak" },
          { calculate: "'peak: ' + timeFormat(datum.date, '%-d %b %Y')", as: "label" },
          { calculate: "datum.date - datum.min > datum.max - datum.date", as: "late" },
        ],
        encoding: { y: OF_DAY },
        layer: [
          { mark: { type: "point", size: 150, strokeWidth: 2.5, color: "#e2702f" } },
          // Beside the point, where there is more room; what is behind it makes way.
          ...[true, false].flatMap((late) =>
            [{ stroke: { expr: "dark ? '#171b22' : '#ffffff'" }, strokeWidth: 6 }, {}].map((halo) => ({
              transform: [{ filter: `datum.late === ${late}` }],
              mark: { type: "text", align: late ? "right" : "left", dx: late ? -12 : 12, fontWeight: 600, ...halo },
              encoding: { text: { field: "label" } },
            })),
          ),
        ],
      },
    ],
  },
};

const LIBRARY = { field: "library", type: "nominal", title: null } as const;

/** The best comes first. */
const MODEL = {
  field: "model",
  type: "nominal",
  title: null,
  sort: { op: "min", field: "rmse" },
  axis: { ticks: false, domain: false, labelLimit: 130 },
} as const;

const MODELS: Panel = {
  name: "models",
  title: "Models",
  shows:
    "How far each model is off for households that it has not seen: root mean squared error of their consumption in a half hour. The lines show the error of predicting the mean for all of them.",
  sql: `
    SELECT model, library, rmse, r2, mse, sqrt(baseline_mse) AS baseline FROM {models}
    ORDER BY model NULLS LAST, library NULLS LAST`,
  chart: {
    encoding: { y: MODEL },
    layer: [
      {
        mark: { type: "bar" },
        encoding: {
          x: { field: "rmse", type: "quantitative", title: "Error in kWh", axis: { tickCount: 4, format: "~r" } },
          yOffset: { field: "library" },
          color: LIBRARY,
        },
      },
      {
        mark: { type: "tick", thickness: 3, bandSize: 46, color: "#8a93a0" },
        encoding: { x: { field: "baseline", type: "quantitative" } },
      },
    ],
  },
};

const SECONDS: Panel = {
  name: "seconds",
  title: "Training time",
  shows: "Seconds that each model took to learn, on an axis where each step is ten times the one before.",
  sql: "SELECT model, library, seconds, rmse FROM {models} ORDER BY model NULLS LAST, library NULLS LAST",
  chart: {
    mark: { type: "point", filled: true, size: 110, opacity: 1 },
    encoding: {
      y: MODEL,
      x: {
        field: "seconds",
        type: "quantitative",
        title: "Seconds",
        scale: { type: "log", padding: 12 },
        axis: { values: [-3, -2, -1, 0, 1, 2, 3].map((power) => 10 ** power), format: "~g" },
      },
      color: LIBRARY,
    },
  },
};

const SET_ASIDE: Panel = {
  name: "set-aside",
  title: "Set aside",
  shows: "What of the input does not count: lines that are no readings, readings without a number, and repeated ones.",
  sql: `
    WITH lines AS (SELECT count(*) AS rejected FROM {rejected})
    SELECT l.rejected, s.nulls, s.repeated FROM {summary} s CROSS JOIN lines l ORDER BY s.nulls NULLS LAST`,
  chart: {
    layer: [
      { mark: "text", encoding: { text: { field: "rejected", format: ",", title: "lines rejected" } } },
      { mark: "text", encoding: { text: { field: "nulls", format: ",", title: "readings without a number" } } },
      { mark: "text", encoding: { text: { field: "repeated", format: ",", title: "readings that stand twice" } } },
    ],
  },
};

/** What the dashboard shows of a `london-power` run: the answers first, then what they rest on. */
export const panels: readonly Panel[] = [SUMMARY, MONTHLY, TARIFFS, LOAD_CURVE, DAYS, MODELS, SECONDS, SET_ASIDE];
