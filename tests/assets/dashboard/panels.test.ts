/** What is found of panels before a run, in the words that their author reads. */
import { DuckDBInstance } from "@duckdb/node-api";
import { describe, expect, test } from "vitest";
import { compiled } from "../../../assets/dashboard/panels/compile.ts";
import { lookAt } from "../../../assets/dashboard/panels/look.ts";
import { lookNow } from "../../../assets/dashboard/panels/now.ts";
import { isRefused, told } from "../../../assets/dashboard/panels/problem.ts";
import { jobs } from "../../../assets/jobs/registry.ts";
import type { Panel } from "../../../core/panel.ts";
import { reservedWords, SQL_ENGINES } from "../../../core/sql-engine.ts";
import type { Table } from "../../../core/table.ts";
import { isTried } from "../../../core/tried.ts";

const tables: readonly Table[] = [
  {
    name: "words",
    about: "A word of a text",
    columns: [
      { name: "word", type: "string" },
      { name: "n", type: "integer" },
      { name: "share", type: "double" },
      { name: "price", type: "decimal", precision: 18, scale: 2 },
      { name: "day", type: "date" },
      { name: "seen", type: "timestamp" },
      { name: "best", type: "boolean" },
    ],
  },
  { name: "texts", about: "A text", columns: [{ name: "title", type: "string" }] },
];
const sql = "SELECT word, n, share, price, day, seen, best FROM {words} ORDER BY n DESC NULLS LAST LIMIT 20";
const x = { field: "n", type: "quantitative" } as const;
const panel: Panel = { name: "top", title: "Top", shows: "The top.", sql, chart: { mark: "bar", encoding: { x } } };
const withPanel = (change: object) => ({ tables, panels: [{ ...panel, ...change }] });
const THERE = "its sql returns word, n, share, price, day, seen, best";
const SHARED = "which is not in the SQL that Athena and BigQuery share with DuckDB";

/** Lines for each panel: the engines that it can't be shown by, and what is told of it. */
const lines = async (change: object) =>
  (await lookAt(withPanel(change))).map((problem) => {
    const engines = SQL_ENGINES.filter((engine) => isRefused(problem, engine));
    const who = engines.length === SQL_ENGINES.length ? "all" : engines.join(" ") || "none";
    return `${who}: ${told(problem).replace('panel "top" ', "")}`;
  });

test("a panel that is in order", async () => {
  expect(await lines({})).toEqual([]);
});

describe("the SQL of a panel", () => {
  test.each<[string, string]>([
    ["SELECT FROM WHERE", `all: has SQL that can't be read, syntax error at or near "WHERE": correct its sql`],
    ["WITH w AS (SELECT 1) DELETE FROM w", "all: has SQL that can't be read, it must be one SELECT: correct its sql"],
    [
      "SELECT m FROM {words}",
      "all: names column m, which its tables don't have: they have word, n, share, price, day, seen, best",
    ],
    ["SELECT n FROM words", "all: reads words, which is no table: the job's tables stand in braces: {name}"],
    [
      "SELECT n FROM {words} w WHERE v.n > 1",
      'all: is refused by DuckDB, Referenced table "v" not found: correct its sql',
    ],
    [
      "SELECT word + 1 AS n FROM {words}",
      "all: is refused by DuckDB, No function matches the given name and argument types '+(VARCHAR, INTEGER_LITERAL)'. You might need to add explicit type casts: correct its sql",
    ],
    [
      "SELECT n, INTERVAL 1 DAY AS d FROM {words}",
      "all: returns d of type INTERVAL: cast it to one of string, integer, double, decimal, boolean, timestamp, date",
    ],
    ["SELECT n, word AS n FROM {words}", "all: returns two columns called n: call one otherwise, with AS"],
    [
      "SELECT table_name AS word, estimated_size AS n FROM duckdb_tables",
      "all: reads duckdb_tables, which is no table of the job: the job's tables stand in braces: {name}",
    ],
    [
      "SELECT n, lower(word) FROM {words}",
      "Athena BigQuery: returns lower(word) without a name, which each engine makes up by itself: give it one, with AS",
    ],
    ["SELECT n, word AS Word FROM {words}", "Athena: returns Word, which Athena calls word: call it word"],
    [
      "SELECT n FROM {words} ORDER BY n",
      "BigQuery: has an ORDER BY without NULLS FIRST or NULLS LAST, and BigQuery puts nulls elsewhere: say which",
    ],
    [
      "SELECT n, rank() OVER (ORDER BY n) AS r FROM {words}",
      "BigQuery: has an ORDER BY without NULLS FIRST or NULLS LAST, and BigQuery puts nulls elsewhere: say which",
    ],
    [
      "SELECT n, n / 2 AS half FROM {words}",
      'Athena: divides in "n / 2", and Athena truncates integers: multiply what is divided by 1e0 first: a * 1e0 / b',
    ],
    ['SELECT "n" FROM {words}', 'BigQuery: quotes the name "n", which is text to BigQuery: write it without quotes'],
    [
      "SELECT n FROM {words} WHERE word = 'it''s'",
      "BigQuery: has the text 'it''s', in which BigQuery reads the backslash or the doubled quote otherwise: take a text without them",
    ],
    [
      "SELECT median(n) AS n FROM {words}",
      `Athena BigQuery: uses MEDIAN, ${SHARED}: docs/jobs.md lists the functions that all engines have`,
    ],
    [
      "SELECT n, date_part('year', day) AS y FROM {words}",
      `Athena BigQuery: uses DATE_PART, ${SHARED}: docs/jobs.md lists the functions that all engines have`,
    ],
    [
      "SELECT n, current_date AS today FROM {words}",
      `Athena BigQuery: uses CURRENT_DATE, ${SHARED}: a run's rows are the same at any time: leave it out`,
    ],
    ["SELECT n, n // 2 AS half FROM {words}", `Athena BigQuery: uses the operator //, ${SHARED}: leave it out`],
    ["SELECT n, n % 2 AS odd FROM {words}", "BigQuery: uses %, which BigQuery doesn't have: write it with FLOOR"],
    ["SELECT n FROM {words} WHERE n == 1", `Athena BigQuery: has ==, ${SHARED}: write =`],
    ["SELECT n::BIGINT AS n FROM {words}", `Athena BigQuery: has ::, ${SHARED}: write CAST(... AS ...)`],
    [
      "SELECT CAST(n AS DOUBLE) AS n FROM {words}",
      "BigQuery: casts to DOUBLE, which BigQuery can't: cast to BIGINT or DATE; for a double, multiply by 1e0",
    ],
    [
      "SELECT CAST(n AS DECIMAL(18, 2)) AS n FROM {words}",
      "none: casts to DECIMAL, which is not the same on every engine: cast to BIGINT or DATE; for a double, multiply by 1e0",
    ],
    [
      "SELECT n, lower(word) AS low FROM {words} WHERE low = 'a'",
      "Athena BigQuery: names low in WHERE, a result of the same SELECT, which Athena and BigQuery can't: repeat what it stands for, or put the SELECT into another",
    ],
    [
      "SELECT lower(word) AS low, count(*) AS n FROM {words} GROUP BY low",
      "Athena: names low in GROUP BY, a result of the same SELECT, which Athena can't: repeat what it stands for, or put the SELECT into another",
    ],
    [
      "SELECT n FROM {words} UNION SELECT n FROM {words}",
      "BigQuery: has a UNION without ALL, which BigQuery refuses: write UNION ALL",
    ],
    [
      "SELECT n FROM {words} LIMIT 5 OFFSET 5",
      "Athena: has OFFSET after LIMIT, which Athena refuses: leave OFFSET out",
    ],
    ["SELECT n, FROM {words}", "Athena: ends a list with a comma, which Athena refuses: leave it out"],
    [
      "SELECT n, word AS rows FROM {words}",
      "BigQuery: has the name rows, a word of SQL that BigQuery reserves: call it otherwise",
    ],
    ["SELECT DISTINCT ON (word) word, n FROM {words}", `Athena BigQuery: has DISTINCT ON, ${SHARED}: use ROW_NUMBER`],
    [
      "SELECT n FROM {words} QUALIFY row_number() OVER (ORDER BY n DESC) = 1",
      "Athena: has QUALIFY, which Athena doesn't know: put the SELECT into another, with WHERE",
    ],
    [
      "SELECT word, sum(n) AS n FROM {words} GROUP BY ALL",
      "Athena: has GROUP BY ALL, which Athena doesn't know: name the columns",
    ],
    [
      "SELECT * EXCLUDE (word) FROM {words}",
      `Athena BigQuery: selects with EXCLUDE, REPLACE, RENAME, COLUMNS or ALL, ${SHARED}: name the columns`,
    ],
    [
      "SELECT n FROM {words} SEMI JOIN {texts} ON title = word",
      `Athena BigQuery: has a join of another kind, ${SHARED}: write INNER, LEFT, RIGHT, FULL or CROSS JOIN`,
    ],
    [
      "SELECT n FROM (SELECT n FROM {words}) t(n)",
      "BigQuery: names columns behind a table's name, which BigQuery doesn't know: name them in the SELECT, with AS",
    ],
    [
      "SELECT n FROM {words} WHERE n = word",
      "Athena BigQuery: compares a number with text, which Athena and BigQuery refuse: compare what is of one type",
    ],
    [
      "SELECT n FROM {words} WHERE n IN ('1', '2')",
      "Athena BigQuery: compares a number with text, which Athena and BigQuery refuse: compare what is of one type",
    ],
    [
      "SELECT n FROM {words} WHERE best = 1",
      "Athena BigQuery: compares a boolean with a number, which Athena and BigQuery refuse: compare what is of one type",
    ],
    [
      "SELECT n FROM {words} WHERE day BETWEEN '2012-01-01' AND '2012-01-31'",
      "Athena: compares a time with text, which Athena refuses: write the day as DATE '2012-01-31'",
    ],
    [
      "SELECT n FROM {words} WHERE word = 1",
      "Athena BigQuery: compares text with a number, which Athena and BigQuery refuse: compare what is of one type",
    ],
    [
      "SELECT n, count(*) / count(DISTINCT word) AS r FROM {words} GROUP BY n",
      'Athena: divides in "count(*) / count", and Athena truncates integers: multiply what is divided by 1e0 first: a * 1e0 / b',
    ],
  ])("%s", async (text, line) => {
    expect(await lines({ sql: text })).toEqual([line]);
  });

  test.each([
    "share / 2",
    "n / share",
    "sum(share) / count(*)",
    "avg(n) / 2",
    "n / 2e0",
    "CASE WHEN n > 1 THEN share END / n",
  ])("no engine truncates %s", async (text) => {
    expect(await lines({ sql: `SELECT n, ${text} AS part FROM {words} GROUP BY n, share` })).toEqual([]);
  });

  test("what reads files is not let", async () => {
    const told = await lines({ sql: "SELECT 1 AS n FROM read_csv('/etc/hostname')" });
    expect(told.at(-1)).toBe(
      'all: is refused by DuckDB, Cannot access file "/etc/hostname" - file system operations are disabled by configuration: correct its sql',
    );
  });

  test("all that the subset has is let", async () => {
    const text = `
      WITH m AS (SELECT word, avg(share) AS mean, stddev_samp(share) AS deviation FROM {words} GROUP BY word)
      SELECT m.word, sum(w.n) * 1e0 / count(*) AS n, CASE WHEN m.mean > 1 THEN 'x' ELSE 'y' END AS kind,
        coalesce(nullif(upper(m.word), 'A'), 'b') || '-' AS text, CAST(round(sqrt(m.mean), 1) AS BIGINT) AS root,
        extract(YEAR FROM w.day) AS year, lag(w.n) OVER (PARTITION BY m.word ORDER BY w.day NULLS FIRST) AS before
      FROM m JOIN {words} w ON w.word = m.word LEFT JOIN {texts} t ON t.title = m.word
      WHERE w.day >= DATE '2012-01-01' AND NOT w.best AND m.word NOT LIKE 'a%' AND w.n IN (1, 2) AND w.seen IS NOT NULL
      GROUP BY m.word, m.mean, w.day, w.n HAVING count(*) > 1
      UNION ALL
      SELECT word, n, 'z' AS kind, word AS text, n AS root, 1 AS year, 2 AS before FROM {words}
      ORDER BY n DESC NULLS LAST LIMIT 5`;
    expect(await lines({ sql: text })).toEqual([]);
  });
});

describe("the chart of a panel", () => {
  const encoded = (encoding: object, more: object = {}) => ({ chart: { mark: "bar", encoding, ...more } });
  const draws = (field: string) =>
    `all: draws field "${field}", which neither its sql nor a transform of its chart returns: ${THERE}`;

  test.each<[string, object, string]>([
    [
      "nothing",
      { chart: {} },
      'all: has a chart that draws nothing: give it a mark, such as { mark: "bar" }, or a layer',
    ],
    [
      "no layer",
      { chart: { layer: [] } },
      'all: has a chart that draws nothing: give it a mark, such as { mark: "bar" }, or a layer',
    ],
    ["no field", { chart: { mark: "bar" } }, `all: has a chart that uses no column: encode some: ${THERE}`],
    [
      "an unknown mark",
      { chart: { mark: { type: "brr" }, encoding: { x } } },
      'all: has the mark "brr": marks are arc, area, bar, boxplot, circle, errorband, errorbar, geoshape, image, line, point, rect, rule, square, text, tick, trail',
    ],
    ["an unknown field", encoded({ x, y: { field: "words", type: "nominal" } }), draws("words")],
    [
      "an unknown field below",
      {
        chart: {
          layer: [
            { mark: "bar", encoding: { x } },
            { mark: "rule", encoding: { y: { condition: { test: "datum.m > 1", field: "n" }, value: 1 } } },
          ],
        },
      },
      draws("m"),
    ],
    [
      "an unknown field to sort by",
      encoded({ x, y: { field: "word", type: "nominal", sort: { field: "rank" } } }),
      draws("rank"),
    ],
    [
      "an unknown field of a facet",
      { chart: { facet: { field: "group" }, spec: { mark: "bar", encoding: { x } } } },
      draws("group"),
    ],
    [
      "an unknown field of a calculation",
      encoded({ x }, { transform: [{ calculate: "datum.m / 2", as: "half" }] }),
      draws("m"),
    ],
    [
      "an unknown field to group by",
      encoded({ x }, { transform: [{ aggregate: [{ op: "sum", field: "n", as: "all" }], groupby: ["m"] }] }),
      draws("m"),
    ],
    [
      "an unknown type",
      encoded({ x: { field: "n", type: "number" } }),
      'all: draws field "n" as "number": types are quantitative, temporal, ordinal, nominal, geojson',
    ],
    [
      "text as a quantity",
      encoded({ x: { field: "word", type: "quantitative" } }),
      'all: draws field "word" as a quantity, and it is a string: make it "nominal" or "ordinal"',
    ],
    [
      "a day as a quantity",
      encoded({ x: { field: "day", type: "quantitative" } }),
      'all: draws field "day" as a quantity, and it is a date: make it "temporal"',
    ],
    [
      "an unknown choice",
      { choice: { column: "m", label: "M" } },
      `all: has a choice of column "m", which its sql doesn't return: ${THERE}`,
    ],
    [
      "an unknown preference",
      { choice: { column: "n", label: "N", preferred: "m" } },
      `all: prefers by column "m", which its sql doesn't return: ${THERE}`,
    ],
    [
      "a preference that is no boolean",
      { choice: { column: "n", label: "N", preferred: "word" } },
      'all: prefers by column "word", which is of type string: take a boolean',
    ],
  ])("with %s", async (_, change, line) => {
    expect(await lines(change)).toEqual([line]);
  });

  test.each<[string, object]>([
    [
      "fields that its transforms make",
      encoded(
        {
          x: { field: "half", type: "quantitative" },
          y: { field: "key", type: "nominal" },
          color: { field: "value", type: "quantitative" },
        },
        { transform: [{ calculate: "datum['n'] / 2", as: "half" }, { fold: ["n", "share"] }] },
      ),
    ],
    [
      "fields of aggregates and windows",
      encoded(
        { x: { field: "most" }, y: { field: "nth" } },
        {
          transform: [
            { joinaggregate: [{ op: "max", field: "n", as: "most" }] },
            { window: [{ op: "rank", as: "nth" }], sort: [{ field: "n" }] },
          ],
        },
      ),
    ],
    ["fields that a pivot makes", encoded({ x: { field: "apple" } }, { transform: [{ pivot: "word", value: "n" }] })],
    ["a field within a column", encoded({ x: { field: "n[0]" }, y: { field: "word.length" } })],
    ["names of an axis's own", encoded({ x: { ...x, axis: { labelExpr: "datum.label" } } })],
    ["a count of texts", encoded({ x: { field: "word", aggregate: "distinct", type: "quantitative" } })],
    [
      "a repetition",
      {
        chart: {
          repeat: ["n", "share"],
          spec: { mark: "bar", encoding: { x, y: { field: { repeat: "repeat" }, type: "quantitative" } } },
        },
      },
    ],
  ])("with %s is let", async (_, change) => {
    expect(await lines(change)).toEqual([]);
  });

  test("what only Vega-Lite can tell", async () => {
    const charts = {
      fine: panel.chart,
      broken: { mark: "bar", transform: [{ calculate: "datum.n +", as: "m" }], encoding: { x } },
      ignored: { mark: "bar", transform: [{ calcuate: "datum.n", as: "m" }], encoding: { x } },
    };
    const found = await compiled(Object.entries(charts).map(([name, chart]) => ({ ...panel, name, chart })));
    expect(found?.map((problem) => [told(problem), isRefused(problem, "DuckDB")])).toEqual([
      ['panel "broken" has a chart that Vega-Lite can\'t compile, Unexpected end of input: correct its chart', true],
      [
        'panel "ignored" has a chart of which Vega-Lite says, Ignoring an invalid transform: {"as":"m","calcuate":"datum.n"}: look at it',
        false,
      ],
    ]);
  });
});

test.each(Object.keys(jobs))("%s: nothing is to be said of its panels, on any engine", async (name) => {
  const job = (jobs[name] as (typeof jobs)[string]).create({});
  expect(isTried(job)).toBe(true);
  expect(await lookAt(job)).toEqual([]);
  expect(await compiled(job.panels)).toEqual([]);
});

test("all that is found is told at once, and once for the same panels", () => {
  const wrong = withPanel({ sql: "SELECT m FROM {words}" });
  const found = lookNow(wrong);
  expect(found.map(told)).toEqual([
    'panel "top" names column m, which its tables don\'t have: they have word, n, share, price, day, seen, best',
  ]);
  expect(lookNow(withPanel({ sql: "SELECT m FROM {words}" }))).toBe(found);
  expect(lookNow(withPanel({}))).toEqual([]);
});

test("who waits is told what keeps the panels from being looked at", () => {
  expect(() => lookNow({ ...withPanel({ title: "Other" }), tables: [null as unknown as Table] })).toThrow(
    "as it is null",
  );
});

test("the words that DuckDB reserves are those that can't name a column", async () => {
  const connection = await (await DuckDBInstance.create()).connect();
  const words = (await connection.runAndReadAll("SELECT keyword_name FROM duckdb_keywords() ORDER BY 1")).getRows();
  const reserved: string[] = [];
  for (const [word] of words) {
    const text = `SELECT x, ${word} FROM (SELECT 1 AS "${word}", 2 AS x) WHERE ${word} > 0 ORDER BY ${word} NULLS LAST`;
    await connection.prepare(text).catch(() => reserved.push(String(word)));
  }
  connection.closeSync();
  expect(words.length).toBeGreaterThan(400);
  expect([...reservedWords("DuckDB")].sort()).toEqual(reserved);
});
