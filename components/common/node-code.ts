import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { quote, UsageError } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import { jobFile } from "../../core/job-file.ts";
import { Prefix } from "../../core/lake-layout.ts";
import type { SparkStep } from "../../core/step.ts";

export const ASSETS = join(import.meta.dirname, "../../assets");

/** Where things lie on every node. assets/nodes/emr/bootstrap.sh and assets/nodes/dataproc/init.sh put them there. */
export const NODE = {
  code: "/opt/oneoff/code",
  python: (venv: string) => `/opt/oneoff/venv/${venv}/bin/python`,
  step: (step: SparkStep, path: string) => `/opt/oneoff/code/steps/${step.name}/${basename(path)}`,
} as const;

/** What the nodes' own scripts need. */
export const RECORDER = "recorder";

/** What is put into the lake for the nodes: files, and folders of wheels by the name of their virtual environment. */
export interface ClusterCode {
  /** Prefix of all files: `_code/<digest>`. */
  readonly prefix: string;
  /** Key below the prefix, and the file that goes there. */
  readonly files: Readonly<Record<string, string>>;
  /** Key below the prefix, and the text that goes there. */
  readonly texts: Readonly<Record<string, string>>;
  /** Virtual environment to prefix: `_wheels/<digest>`. */
  readonly wheels: Readonly<Record<string, string>>;
  /** Prefix of wheels to the file that becomes its requirements.txt. */
  readonly requirements: Readonly<Record<string, string>>;
  /** Virtual environment that a step runs in. */
  readonly venvOf: (step: SparkStep) => string;
}

/** What runs a job's steps on the nodes of one kind of cluster. */
export interface NodeKit {
  /** Folder below the prefix that the nodes' own scripts lie in: "emr". */
  readonly folder: string;
  /** Name in that folder, and the file that goes there. */
  readonly files: Readonly<Record<string, string>>;
  /** Virtual environments beside those of the steps: name, and the requirements file. */
  readonly venvs: Readonly<Record<string, string>>;
}

/**
 * What a job needs on the nodes.
 *
 * @throws UsageError when two different files of a step have one name.
 */
export function clusterCode(job: Job, kit: NodeKit): ClusterCode {
  const own = { ...scripts(join(ASSETS, "steps")), ...kit.files, "oneoff.py": join(ASSETS, "jobs/oneoff.py") };
  const files = Object.fromEntries(Object.entries(own).map(([name, path]) => [`${kit.folder}/${name}`, path]));
  for (const step of job.steps) {
    for (const path of [step.script, step.jar, ...step.files, ...step.pyFiles]) {
      if (path === undefined) continue;
      const key = `steps/${step.name}/${basename(path)}`;
      if (files[key] !== undefined && files[key] !== path) {
        throw new UsageError(`step ${quote(step.name)} has two files called ${quote(basename(path))}; rename one`);
      }
      files[key] = path;
    }
  }
  const requirements: Record<string, string> = {};
  const wheels: Record<string, string> = {};
  const venvs = new Map<string, string>();
  const addVenv = (name: string, path: string) => {
    const prefix = `${Prefix.wheels}/${digestOf([path])}`;
    requirements[prefix] = path;
    wheels[name] = prefix;
    venvs.set(path, name);
  };
  for (const [name, path] of Object.entries(kit.venvs)) addVenv(name, path);
  for (const step of job.steps) {
    if (step.requirements && !venvs.has(step.requirements)) addVenv(`step-${step.name}`, step.requirements);
  }
  const texts = { [`${kit.folder}/job.json`]: `${JSON.stringify(jobFile(job), null, 2)}\n` };
  const named = [...Object.keys(files), ...Object.entries(texts).flat()];
  const prefix = `${Prefix.code}/${digestOf(Object.values(files), named)}`;
  const venvOf = (step: SparkStep) => (step.requirements && venvs.get(step.requirements)) || RECORDER;
  return { prefix, files, texts, wheels, requirements, venvOf };
}

/** An object of a lake. */
interface Upload {
  readonly key: string;
  readonly source: pulumi.asset.Asset;
  /** For the resource's name. */
  readonly logical: string;
}

/** What is uploaded of it. */
export const uploads = (code: ClusterCode): readonly Upload[] => [
  ...Object.entries(code.files).map(([key, path]) => at(code, key, new pulumi.asset.FileAsset(path))),
  ...Object.entries(code.texts).map(([key, text]) => at(code, key, new pulumi.asset.StringAsset(text))),
  ...Object.entries(code.wheels).map(([venv, prefix]) => ({
    key: `${prefix}/requirements.txt`,
    source: new pulumi.asset.FileAsset(code.requirements[prefix] as string),
    logical: `requirements-${venv}`,
  })),
];

const at = ({ prefix }: ClusterCode, key: string, source: pulumi.asset.Asset): Upload => ({
  key: `${prefix}/${key}`,
  source,
  logical: key.replaceAll("/", "-"),
});

/** Scripts of a folder of ours, by name: they import each other. */
export const scripts = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((file) => /\.(py|sh)$/.test(file))
      .sort()
      .map((file) => [file, join(folder, file)]),
  );

/** @throws UsageError when a file is not there. */
export function digestOf(paths: readonly string[], names: readonly string[] = []): string {
  const hash = createHash("sha256").update(names.join("\n"));
  for (const path of paths) {
    if (!existsSync(path)) throw new UsageError(`${quote(path)} is not there`);
    hash.update("\0").update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 16);
}
