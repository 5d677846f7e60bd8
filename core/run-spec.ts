import { dirname, join } from "node:path/posix";
import { z } from "zod";
import { DeclaredTable, declaredTable } from "./declared-table.ts";
import type { Job } from "./job.ts";
import { type Places, sparkSubmit } from "./spark-submit.ts";
import type { SparkStep } from "./step.ts";

const Step = z.strictObject({
  name: z.string(),
  /** The program and its arguments, in which nothing has to be filled in. It is run in `work`. */
  command: z.array(z.string()),
  /** Folders that the step's Python imports from, before those of the environment. */
  pythonPath: z.array(z.string()),
  /** Path of a pip requirements file; null: it needs none. */
  requirements: z.string().nullable(),
  timeLimitSeconds: z.int().positive(),
  /** Whether it goes on until somebody asks for its end. */
  endless: z.boolean(),
  /** Names of the tables that are complete when it ends. */
  leaves: z.array(z.string()),
});

/**
 * All that assets/driver/run.py is told of a run, as JSON: the driver of every cluster whose driver is ours.
 * assets/driver/run_spec.py reads it, and refuses what this refuses.
 */
export const RunSpec = z.strictObject({
  run: z.string(),
  /** Name of the job. */
  job: z.string(),
  /** Address of the lake: an absolute path, or s3://bucket/prefix or gs://bucket/prefix. */
  lake: z.string(),
  /** Address that the steps write to, and from where their tables go to the lake; null: they write to the lake. */
  stage: z.string().nullable(),
  /** Address of a folder that the steps share; it is made, and removed at the end. */
  scratch: z.string(),
  /** Absolute path of a folder of the driver's own; it is made, and removed at the end. The job's files are below `code`. */
  work: z.string(),
  deadlineSeconds: z.int().positive(),
  /** As Spark calls it. */
  master: z.string(),
  /** Address of the master's page, which says whether there are workers; null: there is nothing to wait for. */
  masterPage: z.string().nullable(),
  steps: z.array(Step),
  tables: z.array(DeclaredTable),
  /** What made the run, for its record: a RunOrigin as JSON. */
  origin: z.string().nullable(),
  /** Path of a JSON object of secrets, text by name; null: they are in files already, below `secrets` of `work`. */
  secretsFile: z.string().nullable(),
  /** A program that prints such an object, and its arguments, where there is no file of it; null: there is none. */
  secretsCommand: z.array(z.string()).nullable(),
  /** Whether a Python package that is there in another version than is required is installed as it is required. */
  exactRequirements: z.boolean(),
});
export type RunSpec = z.infer<typeof RunSpec>;

/** What of it does not follow from the job. */
export type RunPlace = Omit<RunSpec, "job" | "steps" | "tables">;

/** How the steps of a run are submitted. */
export interface Submission {
  /** spark-submit. @default wherever it is */
  readonly program?: string;
  /** Spark's properties that every step has. */
  readonly conf: Readonly<Record<string, string>>;
  /** Heap of the driver. */
  readonly driverMebibytes: number;
  /** Where a file of the job is below the folder of code. */
  readonly place: (path: string) => string;
}

/** Below `work`: the driver and the job's files. */
export const CODE = "code";
/** Below `work`: a file per secret, called by its name. */
export const SECRETS = "secrets";

/** The description of a job's run somewhere. */
export const runSpec = (
  job: Pick<Job, "name" | "steps" | "tables">,
  place: RunPlace,
  submission: Submission,
): RunSpec => ({
  ...place,
  job: job.name,
  steps: job.steps.map((step) => stepOf(job.name, step, place, submission)),
  tables: job.tables.map(declaredTable),
});

function stepOf(job: string, step: SparkStep, at: RunPlace, how: Submission): RunSpec["steps"][number] {
  const { run, lake, stage, scratch, work, master } = at;
  const places: Places = {
    run,
    lake,
    scratch,
    table: (name) => `${stage ?? lake}/${name}/run=${run}`,
    secret: (name) => join(work, SECRETS, name),
  };
  const file = (path: string) => join(work, CODE, how.place(path));
  // Of a module that goes by --py-files the driver gets a copy, and Spark refuses steps that add the copy as well, by
  // `SparkContext(pyFiles=[module.__file__])`. Executors can import what goes by --files; the driver, where it lies.
  const modules = step.pyFiles.filter((path) => path.endsWith(".py"));
  const command = sparkSubmit(step, {
    ...(how.program !== undefined && { program: how.program }),
    master,
    conf: {
      "spark.app.name": `${job} ${run} ${step.name}`,
      "spark.driver.memory": `${how.driverMebibytes}m`,
      "spark.log.level": "WARN",
      "spark.sql.warehouse.dir": join(work, "warehouse"),
      "spark.ui.showConsoleProgress": "false",
      ...how.conf,
    },
    file,
    listed: (path) => join(CODE, how.place(path)), // the folder of work is where it is run, and may have a comma
    files: [...modules, ...step.files],
    pyFiles: step.pyFiles.filter((path) => !modules.includes(path)),
    places,
  });
  return {
    name: step.name,
    command: [...command],
    pythonPath: modules.map((path) => dirname(file(path))),
    requirements: step.requirements === undefined ? null : file(step.requirements),
    timeLimitSeconds: step.timeLimitSeconds,
    endless: step.endless ?? false,
    leaves: [...step.leaves],
  };
}
