import { expect, test } from "vitest";
import { londonPower } from "../../assets/jobs/london-power/index.ts";
import { job } from "../../core/job.ts";
import { listed, reservedBy } from "../../core/sql-engine.ts";

const named = (table: string, column: string) =>
  job({
    name: "words",
    from: import.meta.url,
    steps: [{ name: "count", script: "../components/step.py", arguments: [`{${table}}`] }],
    tables: [{ name: table, about: "A word", columns: [{ name: column, type: "string" }] }],
  });

test("names that an engine reserves are refused when the job is made", () => {
  expect(() => named("words", "order")).toThrow(
    'job "words", table "words": a column\'s name is "order", a word of SQL that DuckDB, Athena and BigQuery reserve: call it otherwise, such as "order_1"',
  );
  expect(() => named("rows", "word")).toThrow(
    'job "words", table "rows": the table\'s name is "rows", a word of SQL that BigQuery reserves: call it otherwise, such as "rows_1"',
  );
  expect(() => named("words", "skip")).toThrow('"skip", a word of SQL that Athena reserves');
  expect(() => named("words", "at")).toThrow('"at", a word of SQL that DuckDB and BigQuery reserve');
});

test("words of SQL that no engine reserves are names", () => {
  for (const name of ["date", "day", "count", "value", "key", "user_1", "timestamp"]) {
    expect(named(name, name).tables[0]?.name).toBe(name);
  }
  expect(reservedBy("Order")).toEqual(["DuckDB", "Athena", "BigQuery"]);
  expect(reservedBy("word")).toEqual([]);
});

test("a column that was there before stays", () => {
  expect(reservedBy("nulls")).toEqual(["BigQuery"]);
  const names = londonPower().tables.flatMap(({ name, columns }) => [name, ...columns.map((column) => column.name)]);
  expect(names.filter((name) => reservedBy(name).length > 0)).toEqual(["nulls"]);
});

test("a list as people say it", () => {
  expect([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(listed)).toEqual(["", "a", "a and b", "a, b and c"]);
});
