/** Job london-power: how its settings come into its steps, and which are refused. */
import { expect, test } from "vitest";
import { londonPower } from "../../assets/jobs/london-power/index.ts";
import { londonPowerSettings } from "../../assets/jobs/london-power/settings.ts";
import { jobKind } from "../../assets/jobs/registry.ts";
import { describeSettings, parseSettings } from "../../core/settings.ts";

const names = (job: ReturnType<typeof londonPower>) => job.steps.map(({ name }) => name);
const argumentsOf = (job: ReturnType<typeof londonPower>, name: string) =>
  job.steps.find((step) => step.name === name)?.arguments.join(" ");

test("without an input a twin is made up, below the cluster's scratch folder, and converted", () => {
  const job = londonPower({ households: 7, days: 3, start: "2013-03-30", seed: 5 });
  expect(names(job)).toEqual(["generate", "convert", "analyze", "model"]);
  expect(argumentsOf(job, "generate")).toBe("--csv {scratch}/csv --households 7 --days 3 --start 2013-03-30 --seed 5");
  expect(argumentsOf(job, "convert")).toBe(
    "--from csv --to parquet --input {scratch}/csv --readings {readings} --rejected {rejected}",
  );
  expect(argumentsOf(job, "analyze")).toBe(
    "--readings {readings} --summary {summary} --monthly {monthly} --tariffs {tariffs} --load-curve {load_curve} --days {days}",
  );
  expect(argumentsOf(job, "model")).toBe("--readings {readings} --models {models} --seed 5");
  expect(job.steps.flatMap(({ secrets }) => secrets)).toEqual([]);
});

test.each(["/data/power.csv", "s3://bucket/power", "gs://bucket/power.csv", "webhdfs://namenode:9870/power/part"])(
  "an input at %s is converted, and nothing is made up",
  (input) => {
    const job = londonPower({ input });
    expect(names(job)).toEqual(["convert", "analyze", "model"]);
    expect(argumentsOf(job, "convert")).toContain(` --input ${input} `);
  },
);

test.each([
  ["/data/power.csv", ["/data/power.csv"]],
  ["s3://bucket/power", ["s3://bucket/power"]],
  ["gs://public/power.csv", []],
  ["webhdfs://namenode:9870/power", []],
  ["s3://bucket/*", []], // no policy can be made of it
  [undefined, []],
])("of an input %j the job says that it reads %j", (input, reads) => {
  expect(londonPower({ ...(input && { input }) }).reads).toEqual(reads);
});

test("a table of the households' Acorn groups is read by the same rules as the readings", () => {
  const job = londonPower({ input: "s3://bucket/power", acorn: "s3://other/households.csv" });
  expect(argumentsOf(job, "convert")).toContain(
    " --input s3://bucket/power --acorn s3://other/households.csv --readings ",
  );
  expect(job.reads).toEqual(["s3://bucket/power", "s3://other/households.csv"]);
  expect(londonPower({ input: "gs://bucket/power", acorn: "gs://bucket/households.csv" }).reads).toEqual([]);
  expect(argumentsOf(londonPower({ input: "/data" }), "convert")).not.toContain("--acorn");
});

test("with MongoDB readings and results go there too, by a connection string that is a secret", () => {
  const job = londonPower({ mongo: true });
  expect(names(job)).toEqual(["generate", "convert", "load", "analyze", "model"]);
  expect(argumentsOf(job, "load")).toBe(
    "--from parquet --to mongo --input {readings} --run {run} --mongo-uri {secret:mongo-uri}",
  );
  for (const step of job.steps) {
    const loads = ["load", "analyze", "model"].includes(step.name);
    expect(step.arguments.includes("{secret:mongo-uri}")).toBe(loads);
    expect(step.secrets).toEqual(loads ? ["mongo-uri"] : []);
  }
});

test("steps are given the modules that they import, and the time that the published readings take", () => {
  const job = londonPower({ mongo: true });
  for (const step of job.steps) {
    expect(step.pyFiles.map((path) => path.split("/").at(-1))).toEqual([
      "oneoff.py",
      "lcl.py",
      "london_input.py",
      "london_load.py",
      "london_mongo.py",
      "london_readings.py",
    ]);
    expect(step.requirements).toMatch(/london-power\/requirements\.txt$/);
  }
  expect(Object.fromEntries(job.steps.map((step) => [step.name, step.timeLimitSeconds / 3600]))).toEqual({
    generate: 1,
    convert: 3,
    load: 6,
    analyze: 1,
    model: 1,
  });
});

test("only lines that are no readings may be none", () => {
  const empty = londonPower().tables.filter(({ mayBeEmpty }) => mayBeEmpty);
  expect(empty.map(({ name }) => name)).toEqual(["rejected"]);
});

test("only what is measured is left out of the digests", () => {
  const measured = londonPower().tables.flatMap(({ name, columns }) =>
    columns.filter((column) => column.measured).map((column) => `${name}.${column.name}`),
  );
  expect(measured).toEqual(["models.seconds"]);
});

test.each<[string, object, string]>([
  [
    "a relative path",
    { input: "data/power.csv" },
    'input is "data/power.csv": expected an absolute path, or an address',
  ],
  ["another scheme", { input: "https://host/power.csv" }, "that begins with s3://, gs:// or webhdfs://"],
  ["a scheme alone", { input: "s3://" }, "expected an absolute path"],
  ["a placeholder", { input: "/data/{run}" }, "expected an absolute path"],
  [
    "an archive",
    { input: "/data/Partitioned LCL Data.zip" },
    "not an archive: unpack it with \"unzip 'Partitioned LCL Data.zip' -d FOLDER\"",
  ],
  ["a file that is packed", { input: "s3://bucket/a.CSV.GZ" }, "not an archive: unpack it with \"gunzip 'a.CSV.GZ'\""],
  [
    "a table of households of readings that are made up",
    { acorn: "/data/households.csv" },
    'acorn is "/data/households.csv": it goes with input, as readings that are made up have Acorn; set that too, or leave it out',
  ],
  [
    "households at another address",
    { input: "/data", acorn: "households.csv" },
    'acorn is "households.csv": expected an',
  ],
  [
    "households where the machines that read the readings can't read",
    { input: "s3://bucket/power", acorn: "/data/households.csv" },
    'acorn is "/data/households.csv": expected an address that begins with s3://, as input is "s3://bucket/power": put it there',
  ],
  [
    "households elsewhere than the file",
    { input: "/data/power.csv", acorn: "gs://bucket/households.csv" },
    'acorn is "gs://bucket/households.csv": expected an absolute path, as input is "/data/power.csv": put it there',
  ],
  ["no households", { households: 0 }, "londonPower: households is 0: expected a number above zero"],
  ["half a day", { days: 1.5 }, "londonPower: days is 1.5: expected a whole number"],
  [
    "a day that the calendar lacks",
    { start: "2012-02-30" },
    'start is "2012-02-30": expected a day such as "2012-10-01"',
  ],
  ["no day", { start: "October" }, 'start is "October": expected a day'],
  ["a time", { start: "2012-10-01T00:00:00" }, "expected a day"],
])("%s is refused", (_, args, message) => expect(() => londonPower(args)).toThrow(message));

test("settings of a stack are those of the job, and it takes no notice of the stack's others", () => {
  expect(describeSettings(londonPowerSettings).map(({ key, default: value }) => [key, value])).toEqual([
    ["oneoff:input", undefined],
    ["oneoff:acorn", undefined],
    ["oneoff:households", "100"],
    ["oneoff:days", "60"],
    ["oneoff:start", "2012-10-01"],
    ["oneoff:seed", "1"],
  ]);
  const parsed = parseSettings(londonPowerSettings, { "oneoff:households": "20", "oneoff:input": "gs://bucket/csv" });
  const job = jobKind("london-power").create({ ...parsed, workers: 3 });
  expect(job).toEqual(londonPower({ input: "gs://bucket/csv" }));
  expect(() => jobKind("london-power").create({ acorn: "/a.csv" })).toThrow(
    'oneoff:acorn is "/a.csv": it goes with oneoff:input, as readings',
  );
  expect(() => parseSettings(londonPowerSettings, { "oneoff:start": "soon" })).toThrow(
    'oneoff:start is "soon": expected a day such as "2012-10-01"; set it with: pulumi config set oneoff:start VALUE',
  );
});
