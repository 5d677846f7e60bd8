import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { zipSync } from "fflate";
import { quote, UsageError } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import type { SparkStep } from "../../core/step.ts";
import type { SwarmPlan } from "./args.ts";

const ASSETS = join(import.meta.dirname, "../../assets");

/** Docker refuses larger configs. */
const LARGEST_CONFIG = 500 * 1024;

/** Spark's files of events, for the history server. */
export const eventsAddress = ({ hdfs, folder }: SwarmPlan): string =>
  hdfs ? "hdfs://namenode:8020/spark-events" : `file:${folder}/_spark-events`;

/** MiB of Java heap of an executor: the rest of a worker's memory is for Python, where Arrow does the work. */
export const executorHeap = ({ workers }: SwarmPlan): number => Math.round(workers.memoryMebibytes * 0.4);

/**
 * What runs a job in a Swarm, as a Python archive: assets/driver/run.py, the steps' files and `run.json`.
 *
 * @param lake address of the lake as the containers see it.
 * @returns base64.
 * @throws UsageError when it is larger than what Docker takes for a config.
 */
export function runArchive(job: Job, plan: SwarmPlan, lake: string): string {
  const places = new Map<string, string>();
  const place = (path: string): string => {
    const known = places.get(path) ?? `job/${places.size}/${basename(path)}`;
    places.set(path, known);
    return known;
  };
  const steps = job.steps.map((step) => placed(step, place));
  const spec = { ...runSpec(job, plan, lake), steps };
  const files: [string, Uint8Array][] = [
    ["run.json", Buffer.from(`${JSON.stringify(spec, null, 2)}\n`)],
    ...scripts("driver").map((path) => entry(ROOT[basename(path)] ?? basename(path), path)),
    ...SHARED.map((file) => entry(basename(file), join(ASSETS, file))),
    ...[...places].map(([path, name]) => entry(name, path)),
  ];
  // The same content makes the same bytes, so that a second `up` changes nothing.
  const archive = zipSync(Object.fromEntries(files), { mtime: "1980-01-01T00:00:00", level: 9 });
  if (archive.length > LARGEST_CONFIG) throw tooLarge(job, archive.length, [...places.keys()]);
  return Buffer.from(archive).toString("base64");
}

/** What run.py imports beside its own. */
const SHARED = ["jobs/oneoff.py", "steps/guard.sh", "steps/step_log.py", "steps/step_runner.py"];

/** Python runs an archive's `__main__.py`. */
const ROOT: Readonly<Record<string, string>> = { "run.py": "__main__.py" };

const scripts = (folder: string): readonly string[] =>
  readdirSync(join(ASSETS, folder))
    .filter((file) => file.endsWith(".py"))
    .sort()
    .map((file) => join(ASSETS, folder, file));

const entry = (name: string, path: string): [string, Uint8Array] => [name, readFileSync(path)];

/** A step whose files have their places in the archive. */
const placed = (step: SparkStep, place: (path: string) => string) => ({
  ...step,
  ...(step.script && { script: place(step.script) }),
  ...(step.jar && { jar: place(step.jar) }),
  files: step.files.map(place),
  pyFiles: step.pyFiles.map(place),
  ...(step.requirements && { requirements: place(step.requirements) }),
});

/** What run.py is told, beside the steps. */
function runSpec(job: Job, plan: SwarmPlan, lake: string) {
  const { runId, hdfs } = plan;
  return {
    run: runId,
    job: job.name,
    lake,
    stage: hdfs ? `webhdfs://namenode:9870/runs/${runId}` : null,
    scratch: hdfs ? `webhdfs://namenode:9870/scratch/${runId}` : `${lake}/_scratch/${runId}`,
    deadlineSeconds: plan.deadlineSeconds,
    master: "spark://master:7077",
    driverMemoryMebibytes: Math.round(plan.driverMebibytes * 0.5),
    conf: {
      "spark.executor.cores": String(plan.workers.cores),
      "spark.executor.memory": `${executorHeap(plan)}m`,
    },
    tables: job.tables.map(({ name, columns }) => ({
      name,
      columns: columns.filter(({ measured }) => !measured).map((column) => column.name),
    })),
    secretsFile: "/run/secrets/run",
  };
}

function tooLarge(job: Job, bytes: number, paths: readonly string[]): UsageError {
  const largest = [...paths].sort((a, b) => readFileSync(b).length - readFileSync(a).length)[0] ?? "";
  return new UsageError(
    `job ${quote(job.name)}: its files come to ${Math.ceil(bytes / 1024)} kB, and Docker takes ${LARGEST_CONFIG / 1024} kB for what a service is sent; put ${quote(basename(largest))} into an image of your own (images.spark)`,
  );
}
