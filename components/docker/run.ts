import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { driverArchive, jobFiles } from "../../assets/driver/code.ts";
import { quote, UsageError } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import { Prefix } from "../../core/lake-layout.ts";
import type { RunOrigin } from "../../core/run-origin.ts";
import { type RunSpec, runSpec } from "../../core/run-spec.ts";
import { HDFS_EVENTS } from "../common/services/hdfs.ts";
import { executorConf } from "../common/services/spark.ts";
import type { SwarmPlan } from "./args.ts";

/** What the image of Spark has beside Spark's own. */
const JARS = join(import.meta.dirname, "../../assets/images/spark/jars.txt");

/** Docker refuses larger configs. */
const LARGEST_CONFIG = 500 * 1024;

/** Spark's files of events, for the history server. */
export const eventsAddress = ({ hdfs, folder }: SwarmPlan): string =>
  hdfs ? HDFS_EVENTS : `file:${folder}/_spark-events`;

/**
 * What runs a job in a Swarm, as a Python archive: the driver (assets/driver), the steps' files and `run.json`.
 *
 * @param lake address of the lake as the containers see it.
 * @param origin what makes the run, to be recorded.
 * @returns base64.
 * @throws UsageError when it is larger than what Docker takes for a config.
 */
export function runArchive(job: Job, plan: SwarmPlan, lake: string, origin?: RunOrigin): string {
  const archive = driverArchive(job, swarmRunSpec(job, plan, lake, origin));
  if (archive.length > LARGEST_CONFIG) throw tooLarge(job, archive.length);
  return Buffer.from(archive).toString("base64");
}

function swarmRunSpec(job: Job, plan: SwarmPlan, lake: string, origin?: RunOrigin): RunSpec {
  const { runId, hdfs } = plan;
  const places = jobFiles(job);
  return runSpec(
    withoutImages(job),
    {
      run: runId,
      lake,
      stage: hdfs ? `webhdfs://namenode:9870/runs/${runId}` : null,
      scratch: hdfs ? `webhdfs://namenode:9870/scratch/${runId}` : `${lake}/${Prefix.scratch}/${runId}`,
      work: "/tmp/oneoff",
      deadlineSeconds: plan.deadlineSeconds,
      master: "spark://master:7077",
      masterPage: "http://master:8080",
      origin: origin ? JSON.stringify(origin) : null,
      secretsFile: "/run/secrets/run",
      secretsCommand: null,
      exactRequirements: true,
    },
    {
      conf: executorConf(plan.workers),
      driverMebibytes: Math.round(plan.driverMebibytes * 0.5),
      place: (path) => places.get(path) as string,
    },
  );
}

/** The job without the packages that the image has: its containers may reach no repository. */
function withoutImages(job: Job): Job {
  const jars = readFileSync(JARS, "utf8");
  const isThere = (coordinate: string) => {
    const [group = "", artifact, version] = coordinate.split(":");
    return jars.includes(`  ${group.replaceAll(".", "/")}/${artifact}/${version}/`);
  };
  const steps = job.steps.map((step) => ({ ...step, packages: step.packages.filter((one) => !isThere(one)) }));
  return { ...job, steps };
}

function tooLarge(job: Job, bytes: number): UsageError {
  const largest = [...jobFiles(job).keys()].sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0] ?? "";
  return new UsageError(
    `job ${quote(job.name)}: its files come to ${Math.ceil(bytes / 1024)} kB, and Docker takes ${LARGEST_CONFIG / 1024} kB for what a service is sent; put ${quote(basename(largest))} into an image of your own (images.spark)`,
  );
}
