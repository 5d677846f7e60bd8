import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { jobKind, jobs } from "../../assets/jobs/registry.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import { UsageError } from "../../core/errors.ts";
import { jobFor } from "../../core/job/same.ts";
import { type Job, type JobArgs, job, readsInAll } from "../../core/job.ts";

const SHARED = fileURLToPath(new URL("../../assets/jobs/oneoff.py", import.meta.url));
const SCRIPT = fileURLToPath(new URL("../components/step.py", import.meta.url));
const good: JobArgs = {
  name: "tiny",
  from: import.meta.url,
  steps: [
    {
      name: "count",
      script: "../components/step.py",
      arguments: ["--in", "{points}", "--run={run}", "{lake}", "{scratch}/x", "{secret:token}"],
      secrets: ["token"],
    },
  ],
  tables: [{ name: "points", about: "A point", columns: [{ name: "x", type: "double" }] }],
  panels: [
    { name: "all", title: "All", shows: "All of them.", sql: "SELECT x FROM {points}", chart: { mark: "point" } },
  ],
};

test("a job is plain data with defaults filled in and files found beside the module that declares it", () => {
  const made = job(good);
  expect(made.steps).toEqual([
    {
      name: "count",
      script: SCRIPT,
      arguments: ["--in", "{points}", "--run={run}", "{lake}", "{scratch}/x", "{secret:token}"],
      files: [],
      pyFiles: [SHARED],
      packages: [],
      leaves: ["points"],
      conf: {},
      timeLimitSeconds: 3600,
      secrets: ["token"],
    },
  ]);
  expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  expect(job({ ...good, from: fileURLToPath(import.meta.url) })).toEqual(made);
  expect(made.reads).toEqual([]);
  const { steps } = good;
  expect(job({ ...made, from: import.meta.url, steps })).toEqual(made);
});

const step = good.steps[0] as JobArgs["steps"][number];
const table = good.tables[0] as JobArgs["tables"][number];
const panel = good.panels?.[0] as NonNullable<JobArgs["panels"]>[number];
const withStep = (change: object) => ({ ...good, steps: [{ ...step, ...change }] });
const withTable = (change: object) => ({ ...good, tables: [{ ...table, ...change }] });
const withPanel = (change: object) => ({ ...good, panels: [{ ...panel, ...change }] });

test("the module that steps share is there without being named, unless a step brings one of that name", () => {
  const pyFilesOf = (change: object) => job(withStep(change)).steps[0]?.pyFiles;
  const here = fileURLToPath(import.meta.url);
  expect(pyFilesOf({ pyFiles: ["job.test.ts"] })).toEqual([SHARED, here]);
  const named = relative(dirname(here), SHARED);
  expect(pyFilesOf({ pyFiles: ["job.test.ts", named] })).toEqual([here, SHARED]);
  const folder = mkdtempSync(join(tmpdir(), "oneoff-own-"));
  const own = join(folder, "oneoff.py");
  writeFileSync(own, "");
  expect(pyFilesOf({ pyFiles: [own] })).toEqual([own]);
  expect(pyFilesOf({ files: [own] })).toEqual([]);
  expect(pyFilesOf({ script: own })).toEqual([]);
  expect(pyFilesOf({ script: undefined, jar: "job.test.ts", mainClass: "Main" })).toEqual([]);
  rmSync(folder, { recursive: true });
});

test("a step leaves the tables that its arguments are the first to name, or those that it says", () => {
  const names = ["points", "models", "extra"];
  const leaves = (...steps: object[]) =>
    job({
      ...good,
      tables: names.map((name) => ({ ...table, name })),
      steps: steps.map((change, at) => ({ ...step, name: `s${at}`, ...change })),
    }).steps.map((step) => step.leaves);
  const train = { arguments: ["{points}", "{models}", "--again={models}"] };
  expect(leaves({}, train)).toEqual([["points"], ["models"]]);
  expect(leaves({}, { ...train, leaves: ["models", "extra"] })).toEqual([["points"], ["models", "extra"]]);
  expect(leaves({ leaves: [] }, train)).toEqual([[], ["models"]]);
});

const decimal = { name: "x", type: "decimal" };
test.each<[string, JobArgs, string]>([
  ["a decimal without digits", withTable({ columns: [decimal] }), "give its precision and scale, such as"],
  [
    "digits of a double",
    withTable({ columns: [{ name: "x", type: "double", scale: 2 }] }),
    "has no precision and scale",
  ],
  [
    "more digits behind the point than in all",
    withTable({ columns: [{ ...decimal, precision: 2, scale: 3 }] }),
    "has precision 2 and scale 3: give digits in all",
  ],
  ["half a digit", withTable({ columns: [{ ...decimal, precision: 2.5, scale: 0 }] }), "give digits in all"],
  ["ten decimals", withTable({ columns: [{ ...decimal, precision: 12, scale: 10 }] }), "BigQuery holds 29 digits"],
  ["thirty digits", withTable({ columns: [{ ...decimal, precision: 32, scale: 2 }] }), "declare fewer, or a double"],
  [
    "folders of decimals",
    withTable({ columns: [{ ...decimal, precision: 9, scale: 2 }], partitions: ["x"] }),
    'partition "x" is a decimal, which no folder\'s name is',
  ],
  ["leaves of no table", withStep({ leaves: ["pints"] }), 'leaves has "pints"; the tables of the job are points'],
  ["a name with blanks", { ...good, name: "My Job" }, 'job "My Job": the name must be lower-case words'],
  ["no steps", { ...good, steps: [] }, "has no steps"],
  ["no tables", { ...good, tables: [] }, "leaves no tables"],
  ["a script that is not there", withStep({ script: "no.py" }), 'script "no.py" is not there; it was looked for at'],
  ["neither script nor jar", withStep({ script: undefined }), "give either a script or a jar"],
  ["both script and jar", withStep({ jar: "x.jar" }), "give either a script or a jar"],
  ["a main class without a jar", withStep({ mainClass: "Main" }), "jar and mainClass go together"],
  ["a jar without a main class", withStep({ script: undefined, jar: "job.test.ts" }), "jar and mainClass go together"],
  ["an unknown placeholder", withStep({ arguments: ["{pints}"] }), "{pints} in argument"],
  ["a secret that is not declared", withStep({ secrets: [] }), "{secret:token} in argument"],
  ["a file that is not there", withStep({ files: ["no.txt"] }), 'file "no.txt" is not there'],
  [
    "two files of one name",
    withStep({ pyFiles: ["a/util.py", "b/util.py"] }),
    'has two files called "util.py"; rename one',
  ],
  [
    "a folder",
    withStep({ pyFiles: ["../core"] }),
    'Python file "../core" is a folder: give the files, or a zip of them',
  ],
  ["a Python file that is not there", withStep({ pyFiles: ["no.py"] }), 'Python file "no.py" is not there'],
  ["requirements that are not there", withStep({ requirements: "no.txt" }), 'requirements "no.txt" is not there'],
  ["a coordinate without a version", withStep({ packages: ["a:b"] }), 'package "a:b" must be group:artifact:version'],
  ["conf that is not Spark's", withStep({ conf: { "yarn.x": "1" } }), 'conf "yarn.x" is not a Spark property'],
  ["conf that sizes the cluster", withStep({ conf: { "spark.executor.memory": "4g" } }), "sizes the cluster"],
  [
    "an endless step with a time limit",
    withStep({ endless: true, timeLimit: "1 hour" }),
    "is endless and has a timeLimit",
  ],
  ["a time limit that is no duration", withStep({ timeLimit: "soon" }), 'timeLimit is "soon"'],
  ["two steps of one name", { ...good, steps: [step, step] }, 'two steps are called "count"'],
  ["a table called run", withTable({ name: "run" }), 'and none of "run", "lake", "scratch"'],
  ["a table called scratch", withTable({ name: "scratch" }), 'and none of "run", "lake", "scratch"'],
  ["a table without columns", withTable({ columns: [] }), "has no columns"],
  [
    "an unknown type",
    withTable({ columns: [{ name: "x", type: "float" }] }),
    'type is "float": expected one of string,',
  ],
  [
    "two columns of one name",
    withTable({ columns: [...table.columns, ...table.columns] }),
    'two columns are called "x"',
  ],
  ["a partition that is no column", withTable({ partitions: ["day"] }), 'partition "day" is not one of its columns'],
  ["two tables of one name", { ...good, tables: [table, table] }, 'two tables are called "points"'],
  [
    "a panel of a table that is not left",
    withPanel({ sql: "SELECT x FROM {pints}" }),
    "reads {pints}; the tables of the job are points",
  ],
  ["a panel that is no SELECT", withPanel({ sql: "DROP TABLE {points}" }), "sql must be one SELECT"],
  ["a panel of two statements", withPanel({ sql: "SELECT 1; SELECT 2" }), "sql must be one SELECT"],
  ["a chart with data of its own", withPanel({ chart: { data: {} } }), 'must not have "data"'],
  [
    "a relative path",
    { ...good, reads: ["data/x"] },
    'job "tiny": reads has "data/x": expected an address, "s3://bucket',
  ],
  ["another scheme", { ...good, reads: ["/x", "hdfs:///x"] }, 'reads has "hdfs:///x": expected'],
  ["an address of the web", { ...good, reads: ["https://host/x"] }, 'reads has "https://host/x": expected'],
  ["a scheme without a bucket", { ...good, reads: ["s3:///x"] }, 'reads has "s3:///x": expected'],
  ["a wildcard", { ...good, reads: ["s3://bucket/*.csv"] }, 'reads has "s3://bucket/*.csv": expected'],
  ["a placeholder to be read", { ...good, reads: ["/data/{run}"] }, 'reads has "/data/{run}": expected'],
  ["nothing to be read", { ...good, reads: [""] }, 'reads has "": expected'],
  ["two panels of one name", { ...good, panels: [panel, panel] }, 'two panels are called "all"'],
])("%s is refused", (_, args, message) => expect(() => job(args)).toThrow(message));

test("what a job reads is kept as it is told", () => {
  const reads = ["s3://bucket", "s3://my.bucket/a b/c.csv", "gs://my_bucket/x/", "/data/power.csv", "/"];
  const made = job({ ...good, reads });
  expect(made.reads).toEqual(reads);
  expect(job({ ...made, from: import.meta.url, steps: good.steps }).reads).toEqual(reads);
});

test.each<[string, readonly string[], readonly string[], readonly string[]]>([
  ["what is given stays as it is where the job reads nothing", ["/a", "/a/b", "/a"], [], ["/a", "/a/b", "/a"]],
  ["what the job reads comes after it", ["/a"], ["/b", "/c"], ["/a", "/b", "/c"]],
  ["the same is read once", ["/a", "s3://b/x/"], ["/a/", "s3://b/x", "/c", "/c"], ["/a", "s3://b/x/", "/c"]],
  ["what lies within another goes with it", ["/a"], ["/a/b", "/c/d", "/c"], ["/a", "/c"]],
  ["also where the job reads more", ["/a/b", "/x"], ["/a"], ["/x", "/a"]],
  ["a beginning of a name is no folder", ["/a", "s3://b"], ["/ab", "s3://bc/x"], ["/a", "s3://b", "/ab", "s3://bc/x"]],
  ["all of a machine", ["/a"], ["/"], ["/"]],
])("%s", (_, given, own, all) => expect(readsInAll(given, own)).toEqual(all));

test("xo takes its arguments into its steps", () => {
  const [generate, train] = xo({ rows: 50, hidden: [3, 4], seeds: 2 }).steps;
  expect(generate?.arguments).toEqual(["--points", "{points}", "--rows", "50", "--seed", "1"]);
  expect(train?.arguments.slice(-4)).toEqual(["--hidden", "3,4", "--seeds", "2"]);
  expect(() => xo({ hidden: [0] })).toThrow("xo: hidden is [0]: expected whole numbers above zero");
  expect(() => xo({ hidden: [] })).toThrow("xo: hidden is []: expected whole numbers above zero");
  expect(() => xo({ rows: 0.5 })).toThrow("xo: rows is 0.5: expected a whole number");
});

test("every job that comes along can be made from its defaults, and an unknown one is refused with the known ones", () => {
  for (const [name, kind] of Object.entries(jobs)) expect(kind.create({}).name).toBe(name);
  expect(() => jobKind("xx")).toThrow('oneoff:job is "xx": there is no such job; there are xo');
  expect(() => jobKind("toString")).toThrow("there is no such job");
});

describe("the job of what works over a lake", () => {
  const two = job({ ...good, panels: [panel, { ...panel, name: "few" }] });
  const altered = (change: object): Job => ({ ...two, ...change });
  const withColumns = (columns: Job["tables"][number]["columns"]) => altered({ tables: [{ ...table, columns }] });

  test("is the lake's, or the one given where the lake has none", () => {
    expect(jobFor({ lake: { job: two } })).toBe(two);
    expect(jobFor({ job: two, lake: {} })).toBe(two);
    expect(() => jobFor({ lake: {} })).toThrow(
      "job is not set, and a lake that is but a path or an address has none: give the job whose tables lie in it",
    );
  });

  test("may be given where it is the same, whatever object it is, in whatever order, and whatever its steps are told", () => {
    const more = job({ ...good, tables: [table, { ...table, name: "lines" }] });
    for (const [same, of] of [
      [structuredClone(two), two],
      [JSON.parse(JSON.stringify(two)), two],
      [altered({ tables: [{ ...table, partitions: undefined }] }), two],
      [altered({ panels: two.panels.toReversed() }), two],
      [{ ...more, tables: more.tables.toReversed() }, more],
      [altered({ steps: [] }), two],
    ] as const) {
      expect(jobFor({ job: same, lake: { job: of } })).toBe(same);
      expect(jobFor({ job: same, lake: { job: of } }, "some")).toBe(same);
    }
  });

  const cure = "leave job out, which takes the lake's, or make a lake for this one";
  const column = table.columns[0] as (typeof table.columns)[number];
  test.each<[Job, string]>([
    [altered({ name: "other" }), 'job is "other" and lake is of job "tiny"'],
    [altered({ tables: [{ ...table, name: "dots" }] }), 'that has no table "dots"'],
    [altered({ tables: [] }), 'that has a table "points" too'],
    [altered({ tables: [{ ...table, about: "A dot" }] }), 'whose table "points" is another'],
    [altered({ tables: [{ ...table, partitions: ["x"] }] }), 'whose table "points" is another'],
    [withColumns([{ name: "x", type: "integer" }]), 'whose table "points" has other columns'],
    [withColumns([{ ...column, unit: "m" }]), 'whose table "points" has other columns'],
    [withColumns([column, { name: "y", type: "double" }]), 'whose table "points" has other columns'],
    [altered({ panels: [panel, { ...panel, name: "new" }] }), 'that has no panel "new"'],
    [altered({ panels: [{ ...panel, title: "Dots" }] }), 'whose panel "all" is another'],
    [altered({ panels: [{ ...panel, chart: { mark: "bar" } }] }), 'whose panel "all" is another'],
  ])("is refused where it is another: %#, %s", (other, message) => {
    for (const shown of ["all", "some"] as const) {
      const attempt = () => jobFor({ job: other, lake: { job: two } }, shown);
      expect(attempt).toThrow(UsageError);
      expect(attempt).toThrow(message);
      expect(attempt).toThrow(cure);
    }
  });

  test("has all panels, but for a dashboard, which may show some or none", () => {
    for (const panels of [[panel], []]) {
      const few = altered({ panels });
      expect(jobFor({ job: few, lake: { job: two } }, "some")).toBe(few);
      expect(() => jobFor({ job: few, lake: { job: two } })).toThrow(
        /^job is "tiny" and lake is of a job of that name that has a panel "(few|all)" too: leave job out/,
      );
    }
  });
});
