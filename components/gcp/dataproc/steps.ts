/** What Dataproc is asked for to run the steps of a job. */
import { basename, join } from "node:path";
import type { SparkStep } from "../../../core/step.ts";
import { RECORDER } from "../../common/node-code.ts";
import { type NodeRun, stepArguments, wrapperArguments, yarnSubmit } from "../../common/node-run.ts";
import type { DataprocPlan } from "./args.ts";

/** What is known once there is a lake. */
export interface StepPlace {
  readonly bucket: string;
  /** Secret to its version in Secret Manager, `projects/.../secrets/.../versions/...`. */
  readonly secrets: Readonly<Record<string, string>>;
  /** E-mail address of the machines' service account. */
  readonly account: string;
  readonly subnetwork: string;
  readonly staging: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly kmsKey?: string | undefined;
}

const nodeRun = (plan: DataprocPlan, { bucket, secrets }: StepPlace): NodeRun => ({
  job: plan.job,
  run: plan.run,
  lake: `gs://${bucket}`,
  code: plan.code,
  secrets,
  ...(plan.driverMebibytes && { driverMebibytes: plan.driverMebibytes }),
  conf: {},
});

const codeOf = (plan: DataprocPlan, { bucket }: Pick<StepPlace, "bucket">) => `gs://${bucket}/${plan.code.prefix}`;

/** Attributes of the machines, which assets/nodes/dataproc/init.sh reads. */
export const nodeMetadata = (plan: DataprocPlan, bucket: string): Record<string, string> => ({
  "oneoff-code": codeOf(plan, { bucket }),
  "oneoff-venvs": Object.entries(plan.code.wheels)
    .map(([venv, prefix]) => `${venv}=gs://${bucket}/${prefix}`)
    .join(" "),
});

/** Address of the machines' initialization action. */
export const setUpScript = (plan: DataprocPlan, bucket: string): string => `${codeOf(plan, { bucket })}/node/init.sh`;

/** A step as a job of a cluster (https://cloud.google.com/dataproc/docs/reference/rest/v1/PySparkJob). */
export function pysparkJob(plan: DataprocPlan, place: StepPlace, step: SparkStep) {
  const run = nodeRun(plan, place);
  return {
    mainPythonFileUri: `${codeOf(plan, place)}/node/main.py`,
    args: [...wrapperArguments(run, step), "--", ...yarnSubmit(run, step)],
  };
}

/** Key of the zip of a virtual environment's packages, which batches import from. */
export const packagesKey = (plan: DataprocPlan, venv: string): string => `${plan.code.wheels[venv]}/packages.zip`;

/** A step as a serverless batch (https://cloud.google.com/dataproc-serverless/docs/reference/rest/v1/projects.locations.batches#Batch). */
export function batch(plan: DataprocPlan, place: StepPlace, step: SparkStep) {
  const run = nodeRun(plan, place);
  const code = codeOf(plan, place);
  const packages = [...new Set([plan.code.venvOf(step), RECORDER])].map(
    (venv) => `gs://${place.bucket}/${packagesKey(plan, venv)}`,
  );
  const file = (path: string) => `${code}/steps/${step.name}/${basename(path)}`;
  return {
    pysparkBatch: {
      mainPythonFileUri: `${code}/node/batch.py`,
      args: [
        ...["--code", code],
        ...packages.flatMap((address) => ["--packages", address]),
        ...wrapperArguments(run, step),
        "--",
        join("steps", step.name, basename(step.script as string)),
        ...stepArguments(run, step),
      ],
      pythonFileUris: [`${code}/node/google_cloud.py`, ...step.pyFiles.map(file)],
      fileUris: step.files.map(file),
      archiveUris: [`${packages[0]}#packages`],
    },
    runtimeConfig: { version: plan.runtimeVersion, properties: batchProperties(plan, step) },
    environmentConfig: {
      executionConfig: {
        serviceAccount: place.account,
        subnetworkUri: place.subnetwork,
        stagingBucket: place.staging,
        ...(place.kmsKey && { kmsKey: place.kmsKey }),
      },
    },
    labels: place.labels,
  };
}

/** Sizes are Dataproc's least, four cores each, so that the bill is known; it gives them 4 GB a core. */
function batchProperties({ job, workers, driverMebibytes }: DataprocPlan, step: SparkStep): Record<string, string> {
  return {
    ...step.conf, // what sizes the batch comes after: the bill rests on it
    "spark.app.name": `${job.name}: ${step.name}`,
    "spark.driver.cores": "4",
    "spark.executor.cores": "4",
    ...(driverMebibytes && { "spark.driver.memory": `${driverMebibytes}m` }),
    "spark.executor.instances": String(workers.count),
    "spark.dynamicAllocation.enabled": String(workers.upTo !== undefined),
    ...(workers.upTo !== undefined && {
      "spark.dynamicAllocation.minExecutors": "2",
      "spark.dynamicAllocation.maxExecutors": String(workers.upTo),
    }),
    "spark.executorEnv.PYTHONPATH": "./packages",
  };
}
