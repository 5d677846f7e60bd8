import { expect, test } from "vitest";
import type { ResultColumn } from "../../../assets/dashboard/engine.ts";
import { LiveRows } from "../../../assets/dashboard/page/live-rows.ts";
import type { Live } from "../../../core/panel.ts";

const live: Live = { feed: "points", key: ["part", "offset"], time: "at", where: { topic: "train" }, rows: 4 };

const answer = (offsets: readonly number[]) => ({
  rows: offsets.length,
  columns: [
    { name: "part", type: "integer", values: offsets.map(() => 0) },
    { name: "offset", type: "integer", values: offsets },
    { name: "y", type: "double", values: offsets.map((offset) => offset / 2) },
  ] satisfies ResultColumn[],
});
const fed = (offset: number, y = offset / 2, topic = "train") => ({
  ...{ topic, part: 0, offset, y },
  at: new Date(1000 * offset).toISOString(),
});
const offsets = (rows: LiveRows, found: readonly number[]) => rows.with(answer(found)).columns[1]?.values;

test("rows of the sql and of the feed are there once each, the last of them", () => {
  const rows = new LiveRows(live);
  expect(offsets(rows, [1, 2])).toEqual([1, 2]);
  expect(rows.add([fed(2, 9), fed(3)])).toBe(true);
  const both = rows.with(answer([1, 2]));
  expect([both.rows, both.columns[1]?.values, both.columns[2]?.values]).toEqual([3, [1, 2, 3], [0.5, 9, 1.5]]);
  rows.add([fed(4), fed(5)]);
  expect(offsets(rows, [1, 2])).toEqual([2, 3, 4, 5]);
  rows.add([fed(6), fed(7)]);
  expect(offsets(rows, [1, 2])).toEqual([4, 5, 6, 7]);
  expect(offsets(rows, [1, 2, 3, 4, 5, 6])).toEqual([4, 5, 6, 7]);
});

test("rows of other panels are not its own, and columns that a row lacks are empty", () => {
  const rows = new LiveRows(live);
  expect(rows.add([fed(3, 1, "test")])).toBe(false);
  const { y: _, ...without } = fed(3);
  rows.add([without]);
  expect(rows.with(answer([])).columns[2]?.values).toEqual([null]);
});

test("what is new has not been seen, once", () => {
  const rows = new LiveRows(live);
  expect(rows.takeUnseen()).toBeUndefined();
  rows.add([fed(5), fed(3)]);
  expect(rows.takeUnseen()).toBe(5000);
  expect(rows.takeUnseen()).toBeUndefined();
});
