import { fill, type Job, placeholders } from "../../core/job.ts";
import { Prefix } from "../../core/lake-layout.ts";
import type { SparkStep } from "../../core/step.ts";
import type { Table } from "../../core/table.ts";
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

/** What assets/steps/step.py is told of a step, but for the command. `{deadline}` is filled in when the run is begun. */
export function wrapperArguments(at: NodeRun, step: SparkStep): readonly string[] {
  const { job, run } = at;
  const digested = (table: Table) => table.columns.filter((column) => !column.measured).map((column) => column.name);
  return [
    ...["--lake", at.lake, "--run", run, "--job", job.name],
    ...["--step", step.name, "--steps", job.steps.map((step) => step.name).join(",")],
    ...job.tables.flatMap((table) => ["--table", `${table.name}=${digested(table).join(",")}`]),
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
export function sparkSubmit(at: NodeRun, step: SparkStep): readonly string[] {
  const { executors, driverMebibytes } = at;
  const python = NODE.python(at.code.venvOf(step));
  const conf: Record<string, string> = {
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
    ...step.conf,
  };
  const on = (path: string) => NODE.step(step, path);
  const list = (option: string, items: readonly string[]) => (items.length > 0 ? [option, items.join(",")] : []);
  return [
    ...["spark-submit", "--master", "yarn", "--deploy-mode", "client"],
    ...Object.entries(conf).flatMap(([key, value]) => ["--conf", `${key}=${value}`]),
    ...list("--packages", step.packages),
    ...list("--py-files", step.pyFiles.map(on)),
    ...list("--files", step.files.map(on)),
    ...(step.mainClass ? ["--class", step.mainClass] : []),
    on((step.script ?? step.jar) as string),
    ...stepArguments(at, step),
  ];
}

/** A step's own arguments, with values for their placeholders. */
export const stepArguments = (at: NodeRun, step: SparkStep): readonly string[] =>
  step.arguments.map((argument) => fill(argument, (placeholder) => place(at, placeholder)));

function place(at: NodeRun, placeholder: string): string {
  const { run, lake, stageFolder } = at;
  if (placeholder === "run") return run;
  if (placeholder === "lake") return lake;
  if (placeholder === "scratch") return scratch(at);
  if (placeholder.startsWith("secret:")) return `/dev/shm/oneoff-${placeholder.slice("secret:".length)}`;
  return stageFolder ? `${stageFolder}/${placeholder}` : `${lake}/${placeholder}/run=${run}`;
}
