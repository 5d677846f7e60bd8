/** Which rows a chart can't draw, and how the page says so. */
import { expect, test } from "vitest";
import type { Value } from "../../../assets/dashboard/engine.ts";
import { rowsOf } from "../../../assets/dashboard/page/rows.ts";
import { drawable, undrawn } from "../../../assets/dashboard/page/undrawn.ts";
import type { VegaLiteSpec } from "../../../core/panel.ts";

const quantitative = (field: string, more: object = {}) => ({ field, type: "quantitative", ...more });
const rows = (values: Readonly<Record<string, readonly Value[]>>) => {
  const columns = Object.entries(values).map(([name, values]) => ({ name, type: "double" as const, values }));
  return rowsOf({ columns, rows: columns[0]?.values.length ?? 0 }, () => true);
};
const SAMPLE = rows({
  epoch: [1, 2, 3, 4, 5, 6, 7, 8, 9],
  loss: [0.5, "NaN", "NaN", "NaN", null, 0.4, "Infinity", 0.2, 0],
  size: [1, 1, 1, 1, 1, 1, 1, "-Infinity", 1],
});
const point = (encoding: object): VegaLiteSpec => ({ mark: "point", encoding }) as unknown as VegaLiteSpec;

test("what the engines send apart comes apart to the page", () => {
  expect(rows({ x: [1.5, "NaN", "Infinity", "-Infinity", null] }).map(({ x }) => x)).toEqual([
    ...[1.5, Number.NaN, Infinity, -Infinity, null],
  ]);
});

test.each([
  [
    "by the columns that it measures something by",
    point({ x: quantitative("epoch"), y: quantitative("loss"), size: quantitative("size") }),
    "6 of 9 rows are not drawn: loss is NaN in 3, has no value in 1 and is infinite in 1; size is infinite in 1.",
  ],
  [
    "on a scale of ratios also what is not above zero",
    point({ x: quantitative("epoch"), y: quantitative("loss", { scale: { type: "log" } }) }),
    "6 of 9 rows are not drawn: loss is NaN in 3, has no value in 1, is infinite in 1 and is not above zero in 1.",
  ],
  ["none for a name", point({ x: quantitative("epoch"), color: { field: "loss", type: "nominal" } }), ""],
  ["none by a column that is no result's", point({ x: quantitative("epoch"), y: quantitative("made_up") }), ""],
  [
    "one row",
    point({ y: quantitative("size"), tooltip: [{ field: "epoch" }, { field: "loss" }] }),
    "1 of 9 rows is not drawn: size is infinite in 1.",
  ],
  [
    "only what no layer draws",
    {
      encoding: { x: quantitative("epoch") },
      layer: [
        { mark: "line", encoding: { y: quantitative("loss") } },
        { mark: "point", encoding: { y: quantitative("size") } },
        { mark: "rule", data: { values: [{}] }, encoding: { y: { datum: 1 } } },
      ],
    } as unknown as VegaLiteSpec,
    "",
  ],
  [
    "in each facet",
    { facet: { field: "size" }, spec: point({ x: quantitative("loss") }) } as unknown as VegaLiteSpec,
    "5 of 9 rows are not drawn: loss is NaN in 3, has no value in 1 and is infinite in 1.",
  ],
  [
    "none where a chart draws what is invalid",
    { ...point({ y: quantitative("loss") }), mark: { type: "point", invalid: null } },
    "",
  ],
])("it counts %s", (_, spec, sentence) => {
  expect(undrawn(spec as VegaLiteSpec, SAMPLE)).toBe(sentence);
});

test("Vega is given null for what has no place", () => {
  const spec = point({ x: quantitative("epoch"), y: quantitative("loss", { scale: { type: "log" } }) });
  expect(drawable(spec, SAMPLE).map(({ loss }) => loss)).toEqual([
    ...[0.5, null, null, null, null, 0.4, null, 0.2, null],
  ]);
  expect(drawable(spec, SAMPLE).map(({ size }) => size)).toEqual([1, 1, 1, 1, 1, 1, 1, null, 1]);
});

test("a result without rows leaves none out", () => {
  expect(undrawn(point({ y: quantitative("loss") }), [])).toBe("");
});
