// @module-tag go
import { expect, test } from "vitest";
import { engine, fake, loaded, SQL, values } from "./bigquery-toy.ts";
import type { Plan } from "./fake-bigquery.ts";

test("values come as JSON has them, and what was scanned with them", async () => {
  await loaded("r1");
  fake.plan = () => ({
    columns: {
      big: "INTEGER",
      x: "FLOAT",
      money: "NUMERIC",
      good: "BOOLEAN",
      label: "STRING",
      at: "TIMESTAMP",
      local: "DATETIME",
      day: "DATE",
    },
    rows: [
      [
        "9007199254740991",
        "1.0E-5",
        "1.25",
        "true",
        'a "b"\nc',
        "1325376000000000",
        "2012-01-01T00:00:00",
        "2012-02-29",
      ],
      ["-3", "NaN", "0.10", "false", "", "1325462399123456", "2012-01-01T23:59:59.123456", "1969-12-31"],
      ["0", "Infinity", "-1", "true", "é", "-1", "1969-12-31T23:59:59.5", "2012-01-01"],
      ["1", "-Infinity", "-1", "true", " ", "0", "2012-01-01T00:00:00", "2012-01-01"],
      [null, null, null, null, null, null, null, null],
    ],
    scanned: 12_345,
  });
  const result = await engine.query(SQL, "r1");
  expect(result.columns.map(({ type }) => type).join(" ")).toBe(
    "integer double double boolean string timestamp timestamp date",
  );
  const iso = "2012-01-01T00:00:00.000Z";
  expect(values(result)).toEqual({
    big: [9007199254740991, -3, 0, 1, null],
    x: [0.00001, "NaN", "Infinity", "-Infinity", null],
    money: [1.25, 0.1, -1, -1, null],
    good: [true, false, true, true, null],
    label: ['a "b"\nc', "", "é", " ", null],
    at: [iso, "2012-01-01T23:59:59.123Z", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00.000Z", null],
    local: [iso, "2012-01-01T23:59:59.123Z", "1969-12-31T23:59:59.500Z", iso, null],
    day: ["2012-02-29", "1969-12-31", "2012-01-01", "2012-01-01", null],
  });
  expect(result.rows).toBe(5);
  expect(result.statistics).toEqual({ milliseconds: expect.any(Number), bytesScanned: 12_345, bytesExpected: 12_345 });
  expect(fake.called("query")[0]?.input.formatOptions).toEqual({ useInt64Timestamp: true });
});

test("a result without rows has its columns", async () => {
  await loaded("r1");
  fake.plan = () => ({ columns: { id: "INT64", label: "STRING" } });
  const { columns, rows } = await engine.query(SQL, "r1");
  expect(columns).toEqual([
    { name: "id", type: "integer", values: [] },
    { name: "label", type: "string", values: [] },
  ]);
  expect(rows).toBe(0);
});

const large = (rows: number): Plan => ({
  columns: { id: "INTEGER", at: "TIMESTAMP" },
  rows: Array.from({ length: rows }, (_, i) => [String(i), i % 3 === 0 ? null : "1325376000000000"]),
  pageRows: 1000,
});

test.each([
  [1000, 0],
  [2500, 2],
])("a result of %i rows comes with %i further requests", async (rows, requests) => {
  await loaded("r1");
  fake.plan = () => large(rows);
  const result = await engine.query(SQL, "r1");
  expect(result.rows).toBe(rows);
  expect(values(result).id).toEqual(Array.from({ length: rows }, (_, i) => i));
  expect(
    values(result)
      .at?.slice(-2)
      .some((value) => value === "2012-01-01T00:00:00.000Z"),
  ).toBe(true);
  const pages = fake.called("results");
  expect(pages).toHaveLength(requests);
  for (const { input } of pages) expect(input["formatOptions.useInt64Timestamp"]).toBe("true");
});

test("a result that no page can show is given up after its first page", async () => {
  await loaded("r1");
  fake.plan = () => ({ columns: { text: "STRING" }, rows: Array(1100).fill(["x".repeat(65_536)]), pageRows: 50 });
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^its result is 72 MB, more than a page can show; aggregate it, or give it a LIMIT$/,
  );
  expect(fake.called("results")).toHaveLength(0);
});

test.each([
  ["a list", "INTEGER[]", ["1"], "column v has type ARRAY<INTEGER>; cast it to one of string, integer, double"],
  ["a record", "RECORD", { f: [] }, "column v has type RECORD; cast it"],
])("%s is refused", async (_, type, value, message) => {
  await loaded("r1");
  fake.plan = () => ({ columns: { v: type }, rows: [[value]] });
  await expect(engine.query(SQL, "r1")).rejects.toThrow(message);
});
