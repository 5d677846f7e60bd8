import { fill } from "./placeholders.ts";
import type { SparkStep } from "./step.ts";

/** What the placeholders of a step's arguments stand for on a cluster. */
export interface Places {
  /** The run's id. */
  readonly run: string;
  /** Address of the lake. */
  readonly lake: string;
  /** Folder that the steps of a run share. */
  readonly scratch: string;
  /** Folder of this run's rows of a table. */
  readonly table: (name: string) => string;
  /** Path of the file with a secret. */
  readonly secret: (name: string) => string;
}

/** A step's arguments, with values for their placeholders. */
export const placedArguments = (step: SparkStep, places: Places): readonly string[] =>
  step.arguments.map((argument) =>
    fill(argument, (name) => {
      if (name === "run" || name === "lake" || name === "scratch") return places[name];
      return name.startsWith("secret:") ? places.secret(name.slice("secret:".length)) : places.table(name);
    }),
  );

/** What a cluster adds to a step's own. */
export interface SparkSubmit {
  /** @default "spark-submit", wherever it is */
  readonly program?: string;
  /** Spark's own word for where executors are: "yarn", "local[2]", "spark://master:7077". */
  readonly master: string;
  /** Spark's properties; those of the step come on top. */
  readonly conf: Readonly<Record<string, string>>;
  /** Where a file of the step is. */
  readonly file: (path: string) => string;
  /** The same as it stands in a list, which commas part. @default `file` */
  readonly listed?: (path: string) => string;
  /** Files that lie in every executor's working directory. @default the step's */
  readonly files?: readonly string[];
  /** What Spark gives driver and executors to import. @default the step's */
  readonly pyFiles?: readonly string[];
  readonly places: Places;
}

/** The command that runs a step, with the driver where the command is run. */
export function sparkSubmit(step: SparkStep, on: SparkSubmit): readonly string[] {
  const { program = "spark-submit", files = step.files, pyFiles = step.pyFiles, listed = on.file } = on;
  const list = (option: string, items: readonly string[]) => (items.length > 0 ? [option, items.join(",")] : []);
  return [
    ...[program, "--master", on.master, "--deploy-mode", "client"],
    ...Object.entries({ ...on.conf, ...step.conf }).flatMap(([key, value]) => ["--conf", `${key}=${value}`]),
    ...list("--packages", step.packages),
    ...list("--py-files", pyFiles.map(listed)),
    ...list("--files", files.map(listed)),
    ...(step.mainClass ? ["--class", step.mainClass] : []),
    on.file((step.script ?? step.jar) as string),
    ...placedArguments(step, on.places),
  ];
}
