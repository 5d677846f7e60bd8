import { parse } from "csv-parse/sync";
import { expect, test } from "vitest";
import { parseCsv } from "../../../assets/dashboard/engines/athena/csv.ts";
import { engine, fake, ONE, SQL, values } from "./athena-toy.ts";
import { csv, type Plan } from "./fake-athena.ts";

test("values come as JSON has them, and what was scanned with them", async () => {
  const columns = {
    big: "bigint",
    small: "tinyint",
    x: "double",
    money: "decimal",
    good: "boolean",
    label: "varchar",
    at: "timestamp",
    zoned: "timestamp with time zone",
    day: "date",
  };
  const time = "2012-01-01 00:00:00.000";
  fake.plan = () => ({
    columns,
    rows: [
      ["9007199254740991", "-3", "1.0E-5", "1.25", "true", 'a "b", c\nd', time, `${time} UTC`, "2012-02-29"],
      [
        "0",
        "0",
        "NaN",
        "0.10",
        "false",
        "",
        "2012-01-01 23:59:59.123456",
        "2012-01-01 01:00:00.5 +01:00",
        "1969-12-31",
      ],
      ["1", "1", "Infinity", "-1", "true", "é", "1969-12-31 23:59:59", `${time} UTC`, "2012-01-01"],
      ["2", "1", "-Infinity", "-1", "true", " ", time, `${time} UTC`, "2012-01-01"],
      [null, null, null, null, null, null, null, null, null],
    ],
    scanned: 12_345,
  });
  const result = await engine.query(SQL, "r1");
  expect(Object.fromEntries(result.columns.map(({ name, type }) => [name, type]))).toEqual({
    big: "integer",
    small: "integer",
    x: "double",
    money: "double",
    good: "boolean",
    label: "string",
    at: "timestamp",
    zoned: "timestamp",
    day: "date",
  });
  const iso = "2012-01-01T00:00:00.000Z";
  expect(values(result)).toEqual({
    big: [9007199254740991, 0, 1, 2, null],
    small: [-3, 0, 1, 1, null],
    x: [0.00001, "NaN", "Infinity", "-Infinity", null],
    money: [1.25, 0.1, -1, -1, null],
    good: [true, false, true, true, null],
    label: ['a "b", c\nd', "", "é", " ", null],
    at: [iso, "2012-01-01T23:59:59.123Z", "1969-12-31T23:59:59.000Z", iso, null],
    zoned: [iso, "2012-01-01T00:00:00.500Z", iso, iso, null],
    day: ["2012-02-29", "1969-12-31", "2012-01-01", "2012-01-01", null],
  });
  expect(result.rows).toBe(5);
  expect(result.statistics).toEqual({ milliseconds: expect.any(Number), bytesScanned: 12_345 });
});

test("a result without rows has its columns", async () => {
  fake.plan = () => ({ columns: { id: "bigint", label: "varchar" } });
  const { columns, rows } = await engine.query(SQL, "r1");
  expect(columns).toEqual([
    { name: "id", type: "integer", values: [] },
    { name: "label", type: "string", values: [] },
  ]);
  expect(rows).toBe(0);
});

const large = (rows: number): Plan => ({
  columns: { id: "bigint", label: "varchar" },
  rows: Array.from({ length: rows }, (_, i) => [String(i), i % 3 === 0 ? null : i % 3 === 1 ? "" : 'say "x", y\n']),
});

test("what fits on a page comes by one request", async () => {
  fake.plan = () => large(999);
  expect((await engine.query(SQL, "r1")).rows).toBe(999);
  expect(fake.called("GetQueryResults")).toHaveLength(1);
  expect(fake.called("GetObject")).toHaveLength(0);
});

test("a larger result comes as one file, and from the second time on by nothing else", async () => {
  for (const [i, rows] of [1000, 5000, 10].entries()) {
    fake.plan = () => large(rows);
    const result = await engine.query(SQL, "r1");
    expect(result.rows).toBe(rows);
    expect(values(result).label?.slice(0, 4)).toEqual([null, "", 'say "x", y\n', null]);
    expect(values(result).id?.at(-1)).toBe(rows - 1);
    expect(fake.called("GetQueryResults")).toHaveLength(1);
    expect(fake.called("GetObject")).toHaveLength(i + 1);
  }
  // Another query's result is not taken for large.
  fake.plan = () => ONE;
  await engine.query("SELECT count(*) AS n FROM {monthly}", "r1");
  expect(fake.called("GetQueryResults")).toHaveLength(2);
});

test("a result that no page can show is not read", async () => {
  fake.plan = () => ({ columns: { text: "varchar" }, rows: Array(1100).fill(["x".repeat(65_536)]) });
  await expect(engine.query(SQL, "r1")).rejects.toThrow(
    /^its result is 72 MB, more than a page can show; aggregate it/,
  );
});

test("result files are read as a general parser reads them, but that null is not empty", () => {
  const odd = [null, "", '"', '""', "a,b", "line\nline", 'x"', '"x', "é", " "];
  const rows = Array.from({ length: 200 }, (_, i) =>
    [0, 1, 2].map((j) => odd[(i * 7 + j * 3 + i * j) % odd.length] ?? null),
  );
  const text = csv({ columns: { a: "varchar", "b,c": "varchar", 'd"': "varchar" }, rows });
  const columns = parseCsv(text);
  expect(columns.map(([name]) => name)).toEqual(["a", "b,c", 'd"']);
  expect(rows.map((_, i) => columns.map((column) => column[i + 1]))).toEqual(rows);
  const general: string[][] = parse(text);
  expect(general.map((_, i) => columns.map((column) => column[i] ?? ""))).toEqual(general);
  // A line with nothing on it is a row of one column, which is null; the last line may lack its end.
  expect(parseCsv('"a"\n\n"x"\n')).toEqual([["a", null, "x"]]);
  expect(parseCsv('"a","b"\n"x",')).toEqual([
    ["a", "x"],
    ["b", null],
  ]);
  expect(parseCsv('"a","b"\n,\n')).toEqual([
    ["a", null],
    ["b", null],
  ]);
  expect(() => parseCsv('"a","b"\n"x"\n')).toThrow("row 1 has 1 values, expected 2");
  expect(() => parseCsv('"a"\n"x","y"\n')).toThrow("row 1 has 2 values, expected 1");
  expect(() => parseCsv("a\n")).toThrow("a value of row 0 is not quoted");
  expect(() => parseCsv('"a\n')).toThrow("quotes are not closed");
});

test.each([
  ["a list", "array", "[1]", "column v has type array; cast it to one of string, integer, double"],
  [
    "a region's time",
    "timestamp with time zone",
    "2012-01-01 00:00:00.000 Europe/Paris",
    /Europe\/Paris is no time in UTC/,
  ],
])("%s is refused", async (_, type, text, message) => {
  fake.plan = () => ({ columns: { v: type }, rows: [[text]] });
  await expect(engine.query(SQL, "r1")).rejects.toThrow(message);
});
