import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { parse } from "yaml";
import { UsageError } from "../core/errors.ts";
import { projectFolder } from "../engine/backend.ts";

/** What runs the programs of stacks/: a project with another `main` has a program of its own. */
const PROGRAM = "engine/program.mjs";

/** What the project's files say of a stack: no backend and no cloud is asked. */
export interface StackFiles {
  /** Name of the Pulumi project. */
  readonly project: string;
  readonly stack: string;
  /** The project's other stacks, as far as they have settings here. */
  readonly others: readonly string[];
  /** Its configuration as text, by full key; secrets are left out. */
  readonly config: Readonly<Record<string, string>>;
  /** Keys of the secrets that were left out. */
  readonly secret: readonly string[];
  /** Whether its program is one of those that come with this package; a project of the user's own has its own. */
  readonly bundled: boolean;
}

/** @throws UsageError when there is no Pulumi.yaml, or a file is no YAML. */
export function stackFiles(stack: string): StackFiles {
  const files = filesIfAny(stack);
  if (files) return files;
  throw new UsageError(`there is no Pulumi.yaml in ${projectFolder()} or above: go to the folder of the project`);
}

/**
 * As {@link stackFiles}, but undefined where there is no project.
 * @throws UsageError when a file is no YAML.
 */
export function filesIfAny(stack: string): StackFiles | undefined {
  const folder = projectFolder();
  const project = readYaml(join(folder, "Pulumi.yaml"));
  if (typeof project?.name !== "string") return undefined;
  const parts = stack.split("/"); // [[organization/]project/]stack
  const own = parts.at(-1) as string;
  const isOfProject = parts.length < 3 || parts[1] === project.name;
  const settingsFolder = join(folder, String(project.stackConfigDir ?? ""));
  const settings = readYaml(join(settingsFolder, `Pulumi.${own}.yaml`));
  const entries = Object.entries((settings?.config ?? {}) as Record<string, unknown>);
  const isSecret = (value: unknown) => typeof value === "object" && value !== null && "secure" in value;
  const text = (value: unknown) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  return {
    project: project.name,
    stack: own,
    others: settingsIn(settingsFolder).filter((name) => name !== own),
    config: Object.fromEntries(
      entries.filter(([, value]) => !isSecret(value)).map(([key, value]) => [key, text(value)]),
    ),
    secret: entries.filter(([, value]) => isSecret(value)).map(([key]) => key),
    bundled: isOfProject && posix.normalize(String(project.main ?? "")) === PROGRAM,
  };
}

/**
 * Region of a stack on AWS: of its outputs when it is up, else of its settings, else AWS_REGION.
 * @throws UsageError when none of them says.
 */
export function regionOf(stack: string, outputs: Readonly<Record<string, unknown>> = {}): string {
  const region =
    outputs.region ??
    filesIfAny(stack)?.config["aws:region"] ??
    process.env.AWS_REGION ??
    process.env.AWS_DEFAULT_REGION;
  if (typeof region === "string" && region !== "") return region;
  throw new UsageError(
    `stack ${stack} has no region: set one with "npx pulumi config set aws:region us-west-2 --stack ${stack}", or set AWS_REGION`,
  );
}

/** As Pulumi's provider for Google Cloud takes them where its settings are not set, gcloud's own last. */
const GOOGLE = {
  project: ["GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT"],
  region: ["GOOGLE_REGION", "GCLOUD_REGION", "CLOUDSDK_COMPUTE_REGION"],
} as const;

/**
 * Project of a stack on Google Cloud: of its outputs when it is up, else of its settings, else GOOGLE_CLOUD_PROJECT.
 * @throws UsageError when none of them says.
 */
export const googleProjectOf = (stack: string, outputs: Readonly<Record<string, unknown>> = {}): string =>
  googleSetting("project", "my-project", "GOOGLE_CLOUD_PROJECT", stack, outputs);

/**
 * Region of a stack on Google Cloud, as {@link googleProjectOf}.
 * @throws UsageError when nothing says which.
 */
export const googleRegionOf = (stack: string, outputs: Readonly<Record<string, unknown>> = {}): string =>
  googleSetting("region", "europe-west1", "GOOGLE_REGION", stack, outputs);

function googleSetting(
  key: keyof typeof GOOGLE,
  example: string,
  variable: string,
  stack: string,
  outputs: Readonly<Record<string, unknown>>,
): string {
  const environment = GOOGLE[key].map((name) => process.env[name]).find((value) => value);
  const value = outputs[key] ?? filesIfAny(stack)?.config[`gcp:${key}`] ?? environment;
  if (typeof value === "string" && value !== "") return value;
  throw new UsageError(
    `stack ${stack} has no ${key}: set one with "npx pulumi config set gcp:${key} ${example} --stack ${stack}", or set ${variable}`,
  );
}

const settingsIn = (folder: string): readonly string[] =>
  readdirSync(folder).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);

function readYaml(file: string): Readonly<Record<string, unknown>> | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return parse(readFileSync(file, "utf8")) ?? {};
  } catch (error) {
    throw new UsageError(`${file} is not YAML: ${(error as Error).message.split("\n")[0]}`);
  }
}
