import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { jobKind, jobs } from "../../assets/jobs/registry.ts";
import { xo } from "../../assets/jobs/xo/index.ts";
import { type JobArgs, job } from "../../core/job.ts";

const good: JobArgs = {
  name: "tiny",
  from: import.meta.url,
  steps: [
    {
      name: "count",
      script: "job.test.ts",
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
      script: fileURLToPath(import.meta.url),
      arguments: ["--in", "{points}", "--run={run}", "{lake}", "{scratch}/x", "{secret:token}"],
      files: [],
      pyFiles: [],
      packages: [],
      conf: {},
      timeLimitSeconds: 3600,
      secrets: ["token"],
    },
  ]);
  expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  expect(job({ ...good, from: fileURLToPath(import.meta.url) })).toEqual(made);
});

const step = good.steps[0] as JobArgs["steps"][number];
const table = good.tables[0] as JobArgs["tables"][number];
const panel = good.panels?.[0] as NonNullable<JobArgs["panels"]>[number];
const withStep = (change: object) => ({ ...good, steps: [{ ...step, ...change }] });
const withTable = (change: object) => ({ ...good, tables: [{ ...table, ...change }] });
const withPanel = (change: object) => ({ ...good, panels: [{ ...panel, ...change }] });

test.each<[string, JobArgs, string]>([
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
  ["a Python file that is not there", withStep({ pyFiles: ["no.py"] }), 'Python file "no.py" is not there'],
  ["requirements that are not there", withStep({ requirements: "no.txt" }), 'requirements "no.txt" is not there'],
  ["a coordinate without a version", withStep({ packages: ["a:b"] }), 'package "a:b" must be group:artifact:version'],
  ["conf that is not Spark's", withStep({ conf: { "yarn.x": "1" } }), 'conf "yarn.x" is not a Spark property'],
  ["conf that sizes the cluster", withStep({ conf: { "spark.executor.memory": "4g" } }), "sizes the cluster"],
  ["a time limit that is no duration", withStep({ timeLimit: "soon" }), 'timeLimit is "soon"'],
  ["two steps of one name", { ...good, steps: [step, step] }, 'two steps are called "count"'],
  ["a table called run", withTable({ name: "run" }), 'and none of "run", "lake", "scratch"'],
  ["a table called scratch", withTable({ name: "scratch" }), 'and none of "run", "lake", "scratch"'],
  ["a table without columns", withTable({ columns: [] }), "has no columns"],
  ["an unknown type", withTable({ columns: [{ name: "x", type: "float" }] }), 'has type "float"; types are string,'],
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
  ["two panels of one name", { ...good, panels: [panel, panel] }, 'two panels are called "all"'],
])("%s is refused", (_, args, message) => expect(() => job(args)).toThrow(message));

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
