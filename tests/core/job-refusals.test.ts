/** What is no job, as programs without types write it: each wrong use is refused in one sentence, and none by a TypeError. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { UsageError } from "../../core/errors.ts";
import { type JobArgs, job } from "../../core/job.ts";

const folder = mkdtempSync(join(tmpdir(), "oneoff-refusals-"));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, "src"));
const hash = `--hash=sha256:${"0".repeat(64)}`;
const files = {
  "count.py": "",
  "loose.txt": "numpy>=1.26\n",
  "bare.txt": "# pinned, and not by hash\nnumpy==1.26.4\n",
  "opt.txt": `--index-url https://x\nnumpy==1.26.4 ${hash}\n`,
  "url.txt": "numpy @ https://x/y.whl\n",
  "good.txt": `# as uv writes it\nnumpy==1.26.4 ; python_version >= "3.10" \\\n    ${hash} \\\n    ${hash}\n    # via pandas\n`,
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);

const step = { name: "count", script: "count.py", arguments: ["{points}"] };
const table = { name: "points", about: "A point", columns: [{ name: "x", type: "double" }] };
const panel = { name: "all", title: "All", shows: "All.", sql: "SELECT x FROM {points}", chart: { mark: "point" } };
const good = { name: "tiny", from: join(folder, "job.mjs"), steps: [step], tables: [table], panels: [panel] };

const s = (change: object) => ({ ...good, steps: [{ ...step, ...change }] });
const t = (change: object) => ({ ...good, tables: [{ ...table, ...change }] });
const p = (change: object) => ({ ...good, panels: [{ ...panel, ...change }] });
/** A column, and a partition `y`. */
const c = (change: object) => t({ columns: [{ name: "x", type: "double", ...change }] });
const q = (type: string, values: unknown) =>
  t({ columns: [...table.columns, { name: "y", type }], partitions: ["y"], partitionValues: { y: values } });
/** Arguments of the step. */
const a = (...given: readonly unknown[]) => s({ arguments: given });
const without = (whole: object, key: string) =>
  Object.fromEntries(Object.entries(whole).filter(([name]) => name !== key));
const circular: Record<string, unknown> = {};
circular.me = circular;

test.each<[unknown, string]>([
  [undefined, "job is undefined: expected an object"],
  [null, "job is null: expected an object"],
  ["tiny", 'job is "tiny": expected an object'],
  [[], "job is []: expected an object"],
  [{}, 'job has no name: expected lower-case words joined by dashes, such as "london-power"'],
  [without(good, "name"), 'job has no name: expected lower-case words joined by dashes, such as "london-power"'],
  [{ ...good, name: 5 }, 'job: name is 5: expected lower-case words joined by dashes, such as "london-power"'],
  [{ ...without(good, "tables"), tabels: [table] }, 'job "tiny": there is no "tabels": did you mean "tables"?'],
  [{ ...good, cluster: "x" }, 'job "tiny": there is no "cluster": there are name, from, steps, tables, panels, reads'],
  [without(good, "from"), 'job "tiny" has no from: expected import.meta.url, in CommonJS __filename'],
  [
    { ...good, from: "https://x/y.js" },
    'job "tiny": from is "https://x/y.js": expected import.meta.url, in CommonJS __filename',
  ],
  [
    { ...good, from: { url: "x" } },
    'job "tiny": from is {"url":"x"}: expected import.meta.url, in CommonJS __filename',
  ],
  [{ ...good, from: "file:x" }, 'job "tiny": from is "file:x": expected import.meta.url, in CommonJS __filename'],
  [
    { ...good, steps: step },
    'job "tiny": steps is {"name":"count","script":"count.py","arguments":["{points}"]}: expected a list of steps',
  ],
  [{ ...good, steps: ["count.py"] }, 'job "tiny", step 1 is "count.py": expected an object'],
  [without(good, "steps"), 'job "tiny" has no steps: expected a list of steps'],
  [{ ...good, steps: null }, 'job "tiny": steps is null: expected a list of steps'],
  [
    { ...good, steps: [without(step, "name")] },
    'job "tiny", step 1 has no name: expected lower-case words joined by dashes, such as "london-power"',
  ],
  [s({ argments: ["x"] }), 'job "tiny", step "count": there is no "argments": did you mean "arguments"?'],
  [s({ pyfiles: ["x.py"] }), 'job "tiny", step "count": there is no "pyfiles": did you mean "pyFiles"?'],
  [
    s({ arguments: "--x 5" }),
    'job "tiny", step "count": arguments is "--x 5": expected a list of texts, such as ["--x","5"]',
  ],
  [a("--rows", 50), 'job "tiny", step "count": arguments has 50 at place 2: expected text, such as "50"'],
  [a(true), 'job "tiny", step "count": arguments has true at place 1: expected text, such as "true"'],
  [a(10n), 'job "tiny", step "count": arguments has 10 at place 1: expected text, such as "10"'],
  [a(undefined), 'job "tiny", step "count": arguments has undefined at place 1: expected text'],
  [a(null), 'job "tiny", step "count": arguments has null at place 1: expected text'],
  [a({ a: 1 }), 'job "tiny", step "count": arguments has {"a":1} at place 1: expected text'],
  [
    s({ script: "src" }),
    'job "tiny", step "count": script "src" must be a file that ends in .py: Spark tells by that what it is',
  ],
  [
    s({ script: "./" }),
    'job "tiny", step "count": script "./" must be a file that ends in .py: Spark tells by that what it is',
  ],
  [s({ script: ["count.py"] }), 'job "tiny", step "count": script is ["count.py"]: expected text'],
  [
    s({ script: "count.sh" }),
    'job "tiny", step "count": script "count.sh" must be a file that ends in .py: Spark tells by that what it is',
  ],
  [
    s({ requirements: "loose.txt" }),
    'job "tiny", step "count": requirements "loose.txt" has "numpy>=1.26": expected name==version with --hash=sha256:..., as "uv pip compile --generate-hashes" or "pip-compile --generate-hashes" writes it',
  ],
  [
    s({ requirements: "bare.txt" }),
    'job "tiny", step "count": requirements "bare.txt" has "numpy==1.26.4": expected name==version with --hash=sha256:..., as "uv pip compile --generate-hashes" or "pip-compile --generate-hashes" writes it',
  ],
  [
    s({ requirements: "opt.txt" }),
    'job "tiny", step "count": requirements "opt.txt" has "--index-url https://x": expected name==version with --hash=sha256:..., as "uv pip compile --generate-hashes" or "pip-compile --generate-hashes" writes it',
  ],
  [
    s({ requirements: "url.txt" }),
    'job "tiny", step "count": requirements "url.txt" has "numpy @ https://x/y.whl": expected name==version with --hash=sha256:..., as "uv pip compile --generate-hashes" or "pip-compile --generate-hashes" writes it',
  ],
  [
    s({ requirements: ["numpy==1.2"] }),
    'job "tiny", step "count": requirements is ["numpy==1.2"]: expected the path of a pip requirements file',
  ],
  [s({ requirements: "src" }), 'job "tiny", step "count": requirements "src" is a folder: give the file in it'],
  [s({ conf: { "spark.x": 1 } }), 'job "tiny", step "count": conf "spark.x" is 1: expected text, such as "1"'],
  [
    s({ conf: ["spark.x=1"] }),
    'job "tiny", step "count": conf is ["spark.x=1"]: expected Spark\'s properties, such as { "spark.x": "1" }',
  ],
  [
    s({ conf: { "spark.x=1": "y" } }),
    'job "tiny", step "count": conf "spark.x=1" is not a Spark property; they start with "spark." and have neither "=" nor blanks',
  ],
  [
    s({ conf: { "spark.x": "a\0b" } }),
    'job "tiny", step "count": conf "spark.x", "spark.x=a\\u0000b", has a NUL character, which ends it: leave it out',
  ],
  [s({ timeLimit: 60 }), 'job "tiny", step "count": timeLimit is 60: expected text such as "20 minutes"'],
  [s({ timeLimitSeconds: 60 }), 'job "tiny", step "count": there is no "timeLimitSeconds": did you mean "timeLimit"?'],
  [
    s({ timeLimit: "1h" }),
    'job "tiny", step "count": timeLimit is "1h": expected a number and a unit that come to whole seconds above zero, such as "90 minutes", "1.5 hours" or "7 days"',
  ],
  [
    s({ secrets: "token" }),
    'job "tiny", step "count": secrets is "token": expected a list of texts, such as ["token"]',
  ],
  [s({ secrets: ["a", "a"] }), 'job "tiny", step "count": two secrets are called "a"; names must differ'],
  [
    s({ leaves: "points" }),
    'job "tiny", step "count": leaves is "points": expected a list of texts, such as ["points"]',
  ],
  [s({ leaves: ["points", "points"] }), 'job "tiny", step "count": two tables are called "points"; names must differ'],
  [a("a\0b"), 'job "tiny", step "count": an argument, "a\\u0000b", has a NUL character, which ends it: leave it out'],
  [
    a("\ud800"),
    'job "tiny", step "count": an argument, "\\ud800", has half a character (a lone surrogate), which can\'t be written: leave it out',
  ],
  [
    a("x".repeat(131072)),
    'job "tiny", step "count": an argument, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"..., has 131072 bytes, and Linux takes 131071: put it into a file of the step (files)',
  ],
  [
    a("é".repeat(70000)),
    'job "tiny", step "count": an argument, "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"..., has 140000 bytes, and Linux takes 131071: put it into a file of the step (files)',
  ],
  [
    a('{"rows": 5}'),
    'job "tiny", step "count": argument "{\\"rows\\": 5}" has a brace that is no placeholder\'s: double it, {{ or }}, as in \'{{"rows": 5}}\'',
  ],
  [
    a('{"out": "{points}"}'),
    'job "tiny", step "count": argument "{\\"out\\": \\"{points}\\"}" has a brace that is no placeholder\'s: double it, {{ or }}, as in \'{{"rows": 5}}\'',
  ],
  [
    a("50}"),
    'job "tiny", step "count": argument "50}" has a brace that is no placeholder\'s: double it, {{ or }}, as in \'{{"rows": 5}}\'',
  ],
  [
    a('{{"a": {"b": "{points}"}}}'),
    'job "tiny", step "count": argument "{{\\"a\\": {\\"b\\": \\"{points}\\"}}}" has a brace that is no placeholder\'s: double it, {{ or }}, as in \'{{"rows": 5}}\'',
  ],
  [a("{point}"), 'job "tiny", step "count": {point} in argument "{point}" is unknown: did you mean {points}?'],
  [
    a("{{deadline}}"),
    'job "tiny", step "count": argument "{{deadline}}" has the text {deadline}, which some clusters fill in themselves: write it otherwise',
  ],
  [
    a("{}"),
    'job "tiny", step "count": argument "{}" has a brace that is no placeholder\'s: double it, {{ or }}, as in \'{{"rows": 5}}\'',
  ],
  [{ ...good, tables: "points" }, 'job "tiny": tables is "points": expected a list of tables'],
  [
    { ...good, tables: { points: table } },
    'job "tiny": tables is {"points":{"name":"points","about":"A point","columns":[{"name":"x","type":"doub...: expected a list of tables',
  ],
  [
    { ...good, tables: [without(table, "about")] },
    'job "tiny", table "points" has no about: expected a sentence of what a row is',
  ],
  [t({ colums: [] }), 'job "tiny", table "points": there is no "colums": did you mean "columns"?'],
  [
    t({ columns: { x: "double" } }),
    'job "tiny", table "points": columns is {"x":"double"}: expected a list of columns, such as [{ name: "x", type: "double" }]',
  ],
  [t({ columns: ["x"] }), 'job "tiny", table "points", column 1 is "x": expected an object'],
  [
    c({ type: "toString" }),
    'job "tiny", table "points", column "x": type is "toString": expected one of string, integer, double, decimal, boolean, timestamp, date; did you mean "string"?',
  ],
  [
    c({ type: "Double" }),
    'job "tiny", table "points", column "x": type is "Double": expected one of string, integer, double, decimal, boolean, timestamp, date; did you mean "double"?',
  ],
  [
    c({ type: "integr" }),
    'job "tiny", table "points", column "x": type is "integr": expected one of string, integer, double, decimal, boolean, timestamp, date; did you mean "integer"?',
  ],
  [
    c({ type: 5 }),
    'job "tiny", table "points", column "x": type is 5: expected one of string, integer, double, decimal, boolean, timestamp, date',
  ],
  [
    t({ columns: [{ name: "x" }] }),
    'job "tiny", table "points", column "x" has no type: expected one of string, integer, double, decimal, boolean, timestamp, date',
  ],
  [c({ unti: "s" }), 'job "tiny", table "points", column "x": there is no "unti": did you mean "unit"?'],
  [c({ measured: "yes" }), 'job "tiny", table "points", column "x": measured is "yes": expected true or false'],
  [
    c({ type: "decimal", precision: "18", scale: 2 }),
    'job "tiny", table "points", column "x": precision is "18": expected a whole number',
  ],
  [t({ partitions: "x" }), 'job "tiny", table "points": partitions is "x": expected a list of texts, such as ["x"]'],
  [t({ partitions: ["x"] }), 'job "tiny", table "points" has partitions alone: a file needs a column that is none'],
  [
    t({
      columns: [
        { name: "x", type: "double" },
        { name: "y", type: "string" },
      ],
      partitions: ["y", "y"],
    }),
    'job "tiny", table "points": two partitions are called "y"; names must differ',
  ],
  [
    q("integer", { from: 5, to: 1 }),
    'job "tiny", table "points", partition "y": from 5 to 1 goes backwards: swap them',
  ],
  [
    q("date", { from: "2012-02-01", to: "2012-01-01" }),
    'job "tiny", table "points", partition "y": from "2012-02-01" to "2012-01-01" goes backwards: swap them',
  ],
  [
    q("date", { from: "2012-02-30", to: "2012-03-01" }),
    'job "tiny", table "points", partition "y": from "2012-02-30" to "2012-03-01" is no range of months ("2012-01") or days ("2012-01-31")',
  ],
  [
    q("date", { from: "2012-01", to: "2012-01-31" }),
    'job "tiny", table "points", partition "y": from "2012-01" to "2012-01-31" is no range of months ("2012-01") or days ("2012-01-31")',
  ],
  [
    q("date", { from: "2012-01", to: "2012-02" }),
    'job "tiny", table "points", partition "y" is of type "date", which its partitionValues are not: months are for "string"',
  ],
  [
    q("string", { from: 1, to: 2 }),
    'job "tiny", table "points", partition "y" is of type "string", which its partitionValues are not: whole numbers are for "integer"',
  ],
  [
    q("integer", { from: 0.5, to: 2 }),
    'job "tiny", table "points", partition "y": from 0.5 to 2 is no range of whole numbers',
  ],
  [
    q("integer", { from: 0, to: 100, digits: 2 }),
    'job "tiny", table "points", partition "y": digits is 2: expected a whole number, 3 or more, or none',
  ],
  [
    q("date", { from: "2012-01-01", to: "2012-01-02", digits: 2 }),
    'job "tiny", table "points", partition "y": its partitionValues are {"from":"2012-01-01","to":"2012-01-02","digits":2}: expected { values: [...] } or { from, to }, both ends numbers or both dates',
  ],
  [
    q("string", { values: "a,b" }),
    'job "tiny", table "points", partition "y": its partitionValues are {"values":"a,b"}: expected { values: [...] } or { from, to }, both ends numbers or both dates',
  ],
  [
    q("string", ["a", "b"]),
    'job "tiny", table "points", partition "y": its partitionValues are ["a","b"]: expected { values: [...] } or { from, to }, both ends numbers or both dates',
  ],
  [q("string", { values: [] }), 'job "tiny", table "points", partition "y": values is empty: give at least one'],
  [
    q("string", { values: ["a,b"] }),
    'job "tiny", table "points", partition "y": value "a,b" can\'t be listed: it is empty, or has a comma or a slash',
  ],
  [
    q("string", { values: ["a/b"] }),
    'job "tiny", table "points", partition "y": value "a/b" can\'t be listed: it is empty, or has a comma or a slash',
  ],
  [q("string", { values: ["a", "a"] }), 'job "tiny", table "points", partition "y": value "a" is listed twice'],
  [
    q("integer", { values: [1, 2] }),
    'job "tiny", table "points", partition "y": value 1 is no text: give it as it stands in the folder\'s name, "1"',
  ],
  [
    q("integer", { values: ["one"] }),
    'job "tiny", table "points", partition "y": value "one" is none of type "integer": expected whole numbers, such as "7"',
  ],
  [
    q("boolean", { values: ["yes"] }),
    'job "tiny", table "points", partition "y": value "yes" is none of type "boolean": expected "true" and "false"',
  ],
  [
    q("date", { values: ["2012-01-01"] }),
    'job "tiny", table "points", partition "y" is of type "date", whose values can\'t be listed: give { from, to }',
  ],
  [
    q("string", null),
    'job "tiny", table "points", partition "y": its partitionValues are null: expected { values: [...] } or { from, to }, both ends numbers or both dates',
  ],
  [
    q("string", { value: ["a"] }),
    'job "tiny", table "points", partition "y": its partitionValues have "value": expected { values: [...] } or { from, to }',
  ],
  [
    q("integer", { from: 1 }),
    'job "tiny", table "points", partition "y": its partitionValues are {"from":1}: expected { values: [...] } or { from, to }, both ends numbers or both dates',
  ],
  [
    q("string", { values: ["a"], to: "b" }),
    'job "tiny", table "points", partition "y": its partitionValues have "to": expected { values: [...] } or { from, to }',
  ],
  [
    t({ partitionValues: { z: { values: ["a"] } } }),
    'job "tiny", table "points": partitionValues has "z", which is none of its partitions',
  ],
  [
    t({
      columns: [
        { name: "x", type: "double" },
        { name: "month", type: "string" },
      ],
      partitions: ["month"],
      partitionValues: { months: { values: ["a"] } },
    }),
    'job "tiny", table "points": partitionValues has "months", which is none of its partitions; did you mean "month"?',
  ],
  [t({ mayBeEmpty: "true" }), 'job "tiny", table "points": mayBeEmpty is "true": expected true or false'],
  [
    { ...good, panels: panel },
    'job "tiny": panels is {"name":"all","title":"All","shows":"All.","sql":"SELECT x FROM {points}","chart...: expected a list of panels',
  ],
  [{ ...good, panels: [without(panel, "title")] }, 'job "tiny", panel "all" has no title: expected text'],
  [p({ sql: ["SELECT"] }), 'job "tiny", panel "all": sql is ["SELECT"]: expected one SELECT'],
  [p({ chart: "bar" }), 'job "tiny", panel "all": chart is "bar": expected a Vega-Lite specification'],
  [
    p({ chart: { mark: () => 1 } }),
    'job "tiny", panel "all": chart holds what JSON can\'t: expected text, numbers, true and false, lists and objects',
  ],
  [
    p({ chart: circular }),
    'job "tiny", panel "all": chart holds what JSON can\'t: expected text, numbers, true and false, lists and objects',
  ],
  [
    p({ chart: { width: NaN } }),
    'job "tiny", panel "all": chart holds what JSON can\'t: expected text, numbers, true and false, lists and objects',
  ],
  [p({ tilte: "x" }), 'job "tiny", panel "all": there is no "tilte": did you mean "title"?'],
  [p({ choice: "x" }), 'job "tiny", panel "all": choice is "x": expected an object'],
  [
    p({ choice: { column: "x", lable: "X" } }),
    'job "tiny", panel "all": there is no "lable" in choice: did you mean "label"?',
  ],
  [{ ...good, reads: "s3://b" }, 'job "tiny": reads is "s3://b": expected a list of texts, such as ["s3://b"]'],
  [{ ...good, reads: [5] }, 'job "tiny": reads has 5 at place 1: expected text, such as "5"'],
])("wrong use %#", (args, message) => {
  let refusal: unknown;
  try {
    job(args as JobArgs);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(UsageError);
  expect((refusal as Error).message.replaceAll(folder, "FOLDER")).toBe(message);
});

test("what is right is taken: pins with hashes, values of each kind, JSON in an argument of any length that Linux takes", () => {
  expect(job(s({ requirements: "good.txt" }) as JobArgs).steps[0]?.requirements).toBe(join(folder, "good.txt"));
  for (const [type, values] of [
    ["string", { from: "2012-01", to: "2012-12" }],
    ["string", { from: "2012-02-29", to: "2012-02-29" }],
    ["date", { from: "2012-01-31", to: "2012-12-31" }],
    ["integer", { from: -5, to: 23 }],
    ["integer", { from: 0, to: 23, digits: 2 }],
    ["string", { values: ["flat", "tou"] }],
    ["integer", { values: ["0", "-7"] }],
    ["double", { values: ["0.5", "1e6"] }],
    ["boolean", { values: ["true", "false"] }],
  ] as const) {
    expect(() => job(q(type, values) as JobArgs)).not.toThrow();
  }
  const json = '{{"to": "{points}", "in": {{"rows": 5}}}}';
  expect(job(a(json, "x".repeat(131_071)) as JobArgs).steps[0]).toMatchObject({ leaves: ["points"] });
  expect(() => job(p({ choice: undefined, chart: { mark: "bar", width: undefined } }) as JobArgs)).not.toThrow();
});
