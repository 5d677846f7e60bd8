import { driverArchive, jobFiles } from "../../../assets/driver/code.ts";
import type { Job } from "../../../core/job.ts";
import type { RunOrigin } from "../../../core/run-origin.ts";
import { runSpec } from "../../../core/run-spec.ts";
import type { FleetPlan } from "./args.ts";
import { placeOf, sharingOf } from "./sharing.ts";
import { FLEET_SCRIPTS, homeOf, PYTHON } from "./units.ts";

/** Heap of the driver: the head has memory for little more. */
const DRIVER_MEBIBYTES = 1024;

export interface FleetRun {
  readonly job: Job;
  readonly run: string;
  /** "s3://bucket". */
  readonly lake: string;
  /** Address of the head. */
  readonly head: string;
  readonly origin: RunOrigin;
  /** Digests of the manifests of what the steps require; assets/fleet/head.py has it brought. */
  readonly requirements: readonly string[];
  /** Parameters of Systems Manager that hold the job's secrets, by the secret. */
  readonly secrets: Readonly<Record<string, string>>;
}

/**
 * What runs a job on a fleet, as a Python archive: the driver, the steps' files and the description of the run.
 * @returns base64.
 */
export function runArchive(plan: FleetPlan, { job, run, lake, head, origin, requirements, secrets }: FleetRun): string {
  const places = jobFiles(job);
  const { master, manager, conf, runConf } = sharingOf(plan, head);
  const spec = runSpec(
    job,
    {
      run,
      lake,
      stage: `webhdfs://${head}:9870/runs/${run}`,
      scratch: `webhdfs://${head}:9870/scratch/${run}`,
      work: `${homeOf("run")}/runs/${run}`,
      deadlineSeconds: plan.deadlineSeconds,
      master,
      masterPage: `http://${placeOf(manager, head)}`,
      origin: JSON.stringify(origin),
      secretsFile: null,
      secretsCommand: secretsCommand(secrets),
      exactRequirements: true,
    },
    {
      program: `${FLEET_SCRIPTS}/submit`,
      conf: { ...conf, ...runConf },
      driverMebibytes: DRIVER_MEBIBYTES,
      place: (path) => places.get(path) as string,
    },
  );
  const steps = spec.steps.map((step, i) => ({
    ...step,
    command: [...step.command.slice(0, 1), ...pythonOf(requirements[i] ?? ""), ...step.command.slice(1)],
    requirements: null,
  }));
  return Buffer.from(driverArchive(job, { ...spec, steps })).toString("base64");
}

/** What prints the secrets, by the credentials that the run has and nobody else. */
const secretsCommand = (secrets: FleetRun["secrets"]): string[] | null =>
  Object.keys(secrets).length === 0
    ? null
    : [PYTHON, `${FLEET_SCRIPTS}/job_secrets.py`, ...Object.entries(secrets).map(([name, at]) => `${name}=${at}`)];

/** Machines bring what a step requires from the lake, each for itself; `submit` tells the driver what this tells executors. */
const pythonOf = (digest: string): readonly string[] =>
  [`spark.pyspark.python=${FLEET_SCRIPTS}/run-python`, `spark.executorEnv.ONEOFF_REQUIREMENTS=${digest}`].flatMap(
    (conf) => ["--conf", conf],
  );
