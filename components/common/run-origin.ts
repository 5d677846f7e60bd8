/** What made a run, as the program that asks for it can tell. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import * as pulumi from "@pulumi/pulumi";
import * as runtimeConfig from "@pulumi/pulumi/runtime/config.js";
import type { Job } from "../../core/job.ts";
import { type RunOrigin, withoutSecrets } from "../../core/run-origin.ts";
import type { SparkStep } from "../../core/step.ts";

const SHARED_MODULE = join("assets", "jobs", "oneoff.py");
/** That git may take to answer: a run is not kept waiting for it. */
const GIT_MS = 2000;
/** What names the run itself, or picks the program. */
const LEFT_OUT = ["oneoff:runId", "oneoff:program"];

/** Pulumi's types leave this out. */
const { isConfigSecret: isSecret } = runtimeConfig as unknown as { isConfigSecret(key: string): boolean };

let defaults: Readonly<Record<string, unknown>> = {};

/** Notes a stack's settings, defaults among them, to be recorded with its run. @param settings without namespace. */
export function noteSettings(settings: Readonly<Record<string, unknown>>): void {
  defaults = settings;
}

/**
 * What makes a run of a job, to be recorded with it: settings of the stack whose names begin with `oneoff:` or the project's,
 * of secret ones the names alone.
 */
export function runOrigin(job: Pick<Job, "steps">): pulumi.Output<RunOrigin> {
  const config = runtimeConfig.allConfig();
  const secretKeys = Object.keys(config).filter(isSecret);
  const secrets = Object.fromEntries(
    secretKeys.map((key) => [key, config[key]]).filter((entry): entry is [string, string] => Boolean(entry[1])),
  );
  const known: Record<string, string> = { ...Object.fromEntries(Object.entries(defaults).flatMap(asText)), ...config };
  const namespaces = ["oneoff", pulumi.getProject()];
  const recorded = Object.entries(known)
    .filter(([key]) => namespaces.includes(key.split(":")[0] as string) && !LEFT_OUT.includes(key))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, value]) => [key, secretKeys.includes(key) ? null : withoutSecrets(value, secrets)] as const);
  const origin = {
    version: createRequire(import.meta.url)("pulumi-oneoff/package.json").version as string,
    settings: Object.fromEntries(recorded),
    steps: stepOrigins(job, secrets),
  };
  return pulumi.output(gitState().then((git) => ({ ...origin, ...git })));
}

/** What a job's steps are made of. */
export const stepOrigins = ({ steps }: Pick<Job, "steps">, secrets: Readonly<Record<string, string>>) =>
  steps.map((step): RunOrigin["steps"][number] => ({
    name: step.name,
    arguments: step.arguments.map((argument) => withoutSecrets(argument, secrets)),
    files: Object.fromEntries(filesOf(step).map((path) => [basename(path), digestOfFile(path)])),
  }));

const filesOf = ({ script, jar, pyFiles, files, requirements }: SparkStep): readonly string[] =>
  [script, jar, ...pyFiles, ...files, requirements].filter(
    (path) => path !== undefined && !path.endsWith(SHARED_MODULE), // that one follows from the version
  ) as readonly string[];

const digestOfFile = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 16);

/** A setting as it would be set. */
function asText([key, value]: readonly [string, unknown]): readonly (readonly [string, string])[] {
  return value === undefined || value === null ? [] : [[`oneoff:${key}`, String(value)]];
}

async function gitState(): Promise<Pick<RunOrigin, "commit" | "changed">> {
  const git = async (...args: string[]) => {
    const options = {
      cwd: pulumi.getRootDirectory(),
      timeout: GIT_MS,
      env: { ...process.env, GIT_OPTIONAL_LOCKS: "0" },
    };
    return (await promisify(execFile)("git", args, options)).stdout.trim();
  };
  try {
    // The settings are recorded by themselves, and `oneoff run` changes them.
    const status = ["status", "--porcelain", "--", ".", ":(exclude,glob)**/Pulumi.*.yaml"];
    const changes = git(...status).then(
      (text) => text !== "",
      (error) => (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER" ? true : undefined),
    );
    const [commit, changed] = await Promise.all([git("rev-parse", "HEAD"), changes]);
    return { commit, ...(changed !== undefined && { changed }) };
  } catch {
    return {};
  }
}
