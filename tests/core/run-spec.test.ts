import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, describe, expect, test } from "vitest";
import { driverArchive, driverFiles, jobFiles } from "../../assets/driver/code.ts";
import { declaredTable } from "../../core/declared-table.ts";
import { job } from "../../core/job.ts";
import { type RunPlace, RunSpec, runSpec } from "../../core/run-spec.ts";

const folder = mkdtempSync(join(tmpdir(), "oneoff-run-spec-"));
for (const name of ["count.py", "words.py", "words.zip", "stop.txt", "count.jar", "requirements.txt"]) {
  writeFileSync(join(folder, name), name === "requirements.txt" ? "" : name);
}
afterAll(() => rmSync(folder, { recursive: true }));

const count = job({
  name: "count",
  from: join(folder, "index.ts"),
  steps: [
    {
      name: "script",
      script: "count.py",
      arguments: ["{run}:{lake}:{scratch}", "--to={counts}", "{secret:token}"],
      files: ["stop.txt"],
      pyFiles: ["words.py", "words.zip"],
      requirements: "requirements.txt",
      conf: { "spark.log.level": "INFO" },
      secrets: ["token"],
    },
    { name: "jar", jar: "count.jar", mainClass: "Count", packages: ["a:b:1"], timeLimit: "2 minutes" },
  ],
  tables: [
    {
      name: "counts",
      about: "A word",
      columns: [
        { name: "word", type: "string" },
        { name: "seconds", type: "double", measured: true },
      ],
    },
  ],
});
const place: RunPlace = {
  run: "7",
  lake: "s3://lake/x",
  stage: null,
  scratch: "s3://lake/x/_scratch/7",
  work: "/driver",
  deadlineSeconds: 60,
  master: "spark://there:7077",
  masterPage: "http://there:8080",
  origin: null,
  secretsFile: "/run/secrets/run",
  secretsCommand: null,
  exactRequirements: true,
};
const places = jobFiles(count);
const submission = {
  conf: { "spark.executor.cores": "2" },
  driverMebibytes: 512,
  place: (path: string) => places.get(path) as string,
};
const spec = runSpec(count, place, submission);

describe("a run that is described", () => {
  test("says all that its place says, the job's name, and its tables as they are declared", () => {
    expect(spec).toMatchObject(place);
    expect(spec.job).toBe("count");
    expect(spec.tables).toEqual([
      {
        name: "counts",
        columns: [
          { name: "word", type: "string", measured: false },
          { name: "seconds", type: "double", measured: true },
        ],
        partitions: [],
        mayBeEmpty: false,
      },
    ]);
    expect(RunSpec.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
  });

  test("has its steps as commands in which nothing is to be filled in", () => {
    const [script] = spec.steps;
    const at = (path: string) => `/driver/code/${places.get(path.startsWith("/") ? path : join(folder, path))}`;
    const listed = (path: string) => at(path).replace("/driver/", "");
    const shared = count.steps[0]?.pyFiles[0] as string;
    expect(script).toEqual({
      name: "script",
      command: [
        ...["spark-submit", "--master", "spark://there:7077", "--deploy-mode", "client"],
        ...["--conf", "spark.app.name=count 7 script", "--conf", "spark.driver.memory=512m"],
        ...["--conf", "spark.log.level=INFO", "--conf", "spark.sql.warehouse.dir=/driver/warehouse"],
        ...["--conf", "spark.ui.showConsoleProgress=false", "--conf", "spark.executor.cores=2"],
        ...["--py-files", listed("words.zip")],
        ...["--files", [shared, "words.py", "stop.txt"].map(listed).join(",")],
        at("count.py"),
        ...["7:s3://lake/x:s3://lake/x/_scratch/7", "--to=s3://lake/x/counts/run=7", "/driver/secrets/token"],
      ],
      pythonPath: [shared, "words.py"].map((path) => at(path).replace(/\/[^/]*$/, "")),
      requirements: at("requirements.txt"),
      timeLimitSeconds: 3600,
      endless: false,
      leaves: ["counts"],
    });
  });

  test("has a jar with its class, and a program that is told", () => {
    const jar = runSpec(count, place, { ...submission, program: "/venv/bin/spark-submit" }).steps[1];
    expect(jar).toMatchObject({ pythonPath: [], requirements: null, timeLimitSeconds: 120 });
    expect(jar?.command[0]).toBe("/venv/bin/spark-submit");
    expect(jar?.command.slice(-5)).toEqual([
      ...["--packages", "a:b:1", "--class", "Count", `/driver/code/${places.get(join(folder, "count.jar"))}`],
    ]);
  });

  test("has its steps write to the stage where there is one", () => {
    const staged = runSpec(count, { ...place, stage: "webhdfs://namenode:9870/runs/7" }, submission);
    expect(staged.steps[0]?.command).toContain("--to=webhdfs://namenode:9870/runs/7/counts/run=7");
  });

  test("is refused where it says too little, too much, or something else", () => {
    const problem = (change: object) => RunSpec.safeParse({ ...spec, ...change }).success;
    expect(problem({})).toBe(true);
    for (const change of [{ more: 1 }, { run: 7 }, { deadlineSeconds: 0 }, { stage: undefined }, { steps: [{}] }]) {
      expect(problem(change), JSON.stringify(change)).toBe(false);
    }
  });
});

test("a table is declared with its digits, the folders of its partitions, and whether it may be empty", () => {
  const table = {
    name: "meters",
    about: "A meter",
    columns: ["price", "month", "hour", "tariff", "zone"].map((name) => ({ name, type: "string" as const })),
    partitions: ["month", "hour", "tariff", "zone"],
    partitionValues: {
      month: { from: "2012-01", to: "2012-12" },
      hour: { from: 0, to: 23, digits: 2 },
      tariff: { values: ["flat", "tou"] },
    },
    mayBeEmpty: true,
  };
  const declared = declaredTable({
    ...table,
    columns: [{ name: "price", type: "decimal", precision: 18, scale: 2 }, ...table.columns.slice(1)],
  });
  const nothing = { values: null, first: null, last: null, digits: null };
  expect(declared.columns[0]).toEqual({ name: "price", type: "decimal(18,2)", measured: false });
  expect(declared.partitions).toEqual([
    { ...nothing, column: "month", first: "2012-01", last: "2012-12" },
    { ...nothing, column: "hour", first: "0", last: "23", digits: 2 },
    { ...nothing, column: "tariff", values: ["flat", "tou"] },
    { ...nothing, column: "zone" },
  ]);
  expect(declared.mayBeEmpty).toBe(true);
});

test("a file of the job lies alone in a folder, once however many steps have it", () => {
  expect([...places.values()].every((path, at) => path.startsWith(`job/${at}/`))).toBe(true);
  const twice = { steps: [...count.steps, ...count.steps] };
  expect(jobFiles(twice)).toEqual(places);
});

test("the archive has driver, files and description, and the same content makes the same bytes", () => {
  const files = unzipSync(driverArchive(count, spec));
  const ours = [...driverFiles.keys()].map((name) => name.replace(/^run\.py$/, "__main__.py"));
  expect(Object.keys(files).sort()).toEqual([...ours, ...places.values(), "run.json"].sort());
  expect(ours).toEqual(
    expect.arrayContaining(["__main__.py", "run_spec.py", "requirements.py", "oneoff.py", "guard.sh"]),
  );
  expect(JSON.parse(Buffer.from(files["run.json"] ?? []).toString())).toEqual(spec);
  expect(driverArchive(count, spec)).toEqual(driverArchive(count, spec));
});
