import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { zipSync } from "fflate";
import type { Job } from "../../core/job.ts";
import type { RunSpec } from "../../core/run-spec.ts";

const ASSETS = join(import.meta.dirname, "..");

/** What run.py imports beside what lies with it. */
const SHARED = [
  "jobs/oneoff.py",
  "steps/guard.sh",
  "steps/run_record.py",
  "steps/step_endless.py",
  "steps/step_log.py",
  "steps/step_problem.py",
  "steps/step_runner.py",
  "steps/table_check.py",
  "steps/typed_json.py",
];

/** The driver's own files: where each lies in its folder, and where it is here. */
export const driverFiles: ReadonlyMap<string, string> = new Map(
  [...modulesOf("driver"), ...SHARED].map((path) => [basename(path), join(ASSETS, path)]),
);

/** The files of a job's steps: where each is here, and where it lies in the driver's folder, alone in a folder of its own. */
export function jobFiles({ steps }: Pick<Job, "steps">): ReadonlyMap<string, string> {
  const paths = steps.flatMap(({ script, jar, files, pyFiles, requirements }) =>
    [script, jar, ...files, ...pyFiles, requirements].filter((path) => path !== undefined),
  );
  return new Map([...new Set(paths)].map((path, at) => [path, `job/${at}/${basename(path)}`]));
}

/**
 * The driver, a job's files and the description of a run (`run.json`) as a Python archive, which is run as it is. The same
 * content makes the same bytes, so that a second `up` changes nothing.
 */
export function driverArchive(job: Pick<Job, "steps">, spec: RunSpec): Uint8Array {
  const files: [string, string][] = [
    ...[...driverFiles].map(([place, path]): [string, string] => [place === "run.py" ? "__main__.py" : place, path]),
    ...[...jobFiles(job)].map(([path, place]): [string, string] => [place, path]),
  ];
  const description = Buffer.from(`${JSON.stringify(spec, null, 2)}\n`);
  const contents = Object.fromEntries(files.map(([place, path]) => [place, new Uint8Array(readFileSync(path))]));
  return zipSync({ "run.json": description, ...contents }, { mtime: "1980-01-01T00:00:00", level: 9 });
}

function modulesOf(folder: string): readonly string[] {
  const names = readdirSync(join(ASSETS, folder)).sort();
  return names.filter((name) => name.endsWith(".py")).map((name) => join(folder, name));
}
