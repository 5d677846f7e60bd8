import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { quote, UsageError } from "../core/errors.ts";
import { stackTags } from "../core/naming.ts";
import type { Job } from "../job/job.ts";
import type { SparkStep } from "../job/step.ts";
import { Prefix } from "../lake/prefixes.ts";
import type { S3Lake } from "../lake/s3.ts";

const ASSETS = join(import.meta.dirname, "../../assets");

/** Where things lie on every node. assets/emr/bootstrap.sh puts them there. */
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
  /** Virtual environment to prefix: `_wheels/<digest>`. */
  readonly wheels: Readonly<Record<string, string>>;
  /** Prefix of wheels to the file that becomes its requirements.txt. */
  readonly requirements: Readonly<Record<string, string>>;
  /** Virtual environment that a step runs in. */
  readonly venvOf: (step: SparkStep) => string;
}

/**
 * What a job needs on the nodes.
 *
 * @throws UsageError when two different files of a step have one name.
 */
export function clusterCode(job: Job, jupyter: boolean): ClusterCode {
  const files: Record<string, string> = {
    ...scripts(join(ASSETS, "emr")),
    ...scripts(join(ASSETS, "steps")),
    "emr/oneoff.py": join(ASSETS, "jobs/oneoff.py"),
    ...(jupyter && { "emr/jupyter.sh": join(ASSETS, "emr/jupyter/jupyter.sh") }),
  };
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
  addVenv(RECORDER, join(ASSETS, "emr/requirements.txt"));
  if (jupyter) addVenv("jupyter", join(ASSETS, "emr/jupyter/requirements.txt"));
  for (const step of job.steps) {
    if (step.requirements && !venvs.has(step.requirements)) addVenv(`step-${step.name}`, step.requirements);
  }
  const prefix = `${Prefix.code}/${digestOf(Object.values(files), Object.keys(files))}`;
  const venvOf = (step: SparkStep) => (step.requirements && venvs.get(step.requirements)) || RECORDER;
  return { prefix, files, wheels, requirements, venvOf };
}

/**
 * Puts the code into the lake, where it stays for nodes that a running cluster gets later, also when there is newer; it
 * goes with the bucket.
 */
export function uploadCode(name: string, code: ClusterCode, lake: S3Lake, parent: pulumi.Resource): pulumi.Resource[] {
  const put = (key: string, path: string, logical: string) =>
    new aws.s3.BucketObjectv2(
      `${name}-${logical}`,
      { bucket: lake.bucket, key, source: new pulumi.asset.FileAsset(path), tags: stackTags() },
      { parent, retainOnDelete: true },
    );
  return [
    ...Object.entries(code.files).map(([key, path]) => put(`${code.prefix}/${key}`, path, key.replaceAll("/", "-"))),
    ...Object.entries(code.wheels).map(([venv, prefix]) =>
      put(`${prefix}/requirements.txt`, code.requirements[prefix] as string, `requirements-${venv}`),
    ),
  ];
}

/** The nodes' own scripts, which import each other. */
const scripts = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((file) => /\.(py|sh)$/.test(file))
      .sort()
      .map((file) => [`emr/${file}`, join(folder, file)]),
  );

function digestOf(paths: readonly string[], names: readonly string[] = []): string {
  const hash = createHash("sha256").update(names.join("\n"));
  for (const path of paths) {
    if (!existsSync(path)) throw new UsageError(`${quote(path)} is not there`);
    hash.update("\0").update(readFileSync(path));
  }
  return hash.digest("hex").slice(0, 16);
}
