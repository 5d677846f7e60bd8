import type { Job } from "../../core/job.ts";
import { Prefix } from "../../core/lake-layout.ts";
import { placeholders } from "../../core/placeholders.ts";
import { type Places, placedArguments, sparkSubmit } from "../../core/spark-submit.ts";
import type { SparkStep } from "../../core/step.ts";
import { type ClusterCode, NODE } from "./node-code.ts";

/** A run on the nodes of a cluster with YARN, whoever rents them. */
export interface NodeRun {
  readonly job: Job;
  readonly run: string;
  /** Address: `s3://bucket` or `gs://bucket`. */
  readonly lake: string;
  readonly code: ClusterCode;
  /** Folder of HDFS that the steps write to. @default they write into the lake */
  readonly stageFolder?: string;
  /** Secret to what it is kept under: an ARN, or a version of Secret Manager. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly executors?: { readonly count: number; readonly cores: number; readonly memoryMebibytes: number };
  readonly driverMebibytes?: number;
  /** Spark's properties that every step has. */
  readonly conf: Readonly<Record<string, string>>;
}

/** What assets/steps/step.py is told of a step, but for the command and what is in the job's file. `{deadline}` is filled in when the run is begun. */
export function wrapperArguments(at: NodeRun, step: SparkStep): readonly string[] {
  const { job, run } = at;
  return [
    ...["--lake", at.lake, "--run", run, "--step", step.name],
    ...["--deadline", "{deadline}", "--time-limit", String(step.timeLimitSeconds)],
    ...(at.stageFolder ? ["--stage", at.stageFolder] : []),
    ...(usesScratch(job) ? ["--scratch", scratch(at)] : []),
    ...step.secrets.flatMap((secret) => ["--secret", `${secret}=${at.secrets[secret]}`]),
  ];
}

const scratch = ({ run, lake }: NodeRun) => `${lake}/${Prefix.scratch}/${run}`;

const usesScratch = (job: Job): boolean =>
  job.steps.some((step) => step.arguments.some((argument) => placeholders(argument).includes("scratch")));

/** The command that runs a step on YARN. */
export function yarnSubmit(at: NodeRun, step: SparkStep): readonly string[] {
  const { executors, driverMebibytes } = at;
  const python = NODE.python(at.code.venvOf(step));
  return sparkSubmit(step, {
    master: "yarn",
    conf: {
      "spark.app.name": `${at.job.name}: ${step.name}`,
      ...at.conf,
      ...(step.script && { "spark.pyspark.python": python, "spark.pyspark.driver.python": python }),
      ...(executors && {
        "spark.dynamicAllocation.enabled": "false",
        "spark.executor.instances": String(executors.count),
        "spark.executor.cores": String(executors.cores),
        "spark.executor.memory": `${executors.memoryMebibytes}m`,
      }),
      ...(driverMebibytes && { "spark.driver.memory": `${driverMebibytes}m` }),
    },
    file: (path) => NODE.step(step, path),
    places: placesOf(at),
  });
}

/** A step's own arguments, with values for their placeholders. */
export const stepArguments = (at: NodeRun, step: SparkStep): readonly string[] => placedArguments(step, placesOf(at));

const placesOf = (at: NodeRun): Places => ({
  run: at.run,
  lake: at.lake,
  scratch: scratch(at),
  table: (name) => (at.stageFolder ? `${at.stageFolder}/${name}` : `${at.lake}/${name}/run=${at.run}`),
  secret: (name) => `/dev/shm/oneoff-${name}`,
});
