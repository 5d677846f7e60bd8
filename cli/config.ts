import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, posix, resolve } from "node:path";
import { MissingError, quote, UsageError } from "../core/errors.ts";
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
  /** Name of the project that it is said to be of. @default this one */
  readonly elsewhere?: string;
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
  if (!project) return undefined;
  if (typeof project.name !== "string") {
    throw new UsageError(
      `${join(folder, "Pulumi.yaml")} has no name: give the project one, such as "name: my-project"`,
    );
  }
  const parts = stack.split("/"); // [[organization/]project/]stack
  const own = parts.at(-1) as string;
  const elsewhere = parts.length > 2 && parts[1] !== project.name ? parts[1] : undefined;
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
    bundled: elsewhere === undefined && posix.normalize(String(project.main ?? "")) === PROGRAM,
    ...(elsewhere !== undefined && { elsewhere }),
  };
}

/** @throws MissingError for a stack that is said to be another project's. */
export function refuseElsewhere({ stack, project, elsewhere }: StackFiles): void {
  if (elsewhere === undefined) return;
  throw new MissingError(
    `stack ${stack} is of project ${quote(elsewhere)}, and this is ${quote(project)}: go to its folder`,
  );
}

/** Where a stack's settings are, whether there are any or not. */
export function settingsFile(stack: string): string {
  const folder = projectFolder();
  const project = readYaml(join(folder, "Pulumi.yaml"));
  return join(folder, String(project?.stackConfigDir ?? ""), `Pulumi.${stack.split("/").at(-1)}.yaml`);
}

/**
 * What Pulumi runs for the project: the program's file, or the folder that it is in.
 * @throws UsageError for a program in another language: here it can't be run.
 */
export function projectProgram(): { readonly entry: string; readonly typescript: boolean } {
  const folder = projectFolder();
  const { main, runtime } = readYaml(join(folder, "Pulumi.yaml")) ?? {};
  const { name, options } = (typeof runtime === "string" ? { name: runtime } : (runtime ?? {})) as Runtime;
  if (name !== "nodejs") {
    throw new UsageError(
      `the runtime in ${join(folder, "Pulumi.yaml")} is ${quote(name)}: this command runs the program, which it can where that is "nodejs"`,
    );
  }
  return { entry: resolve(folder, String(main ?? ".")), typescript: options?.typescript !== false };
}

interface Runtime {
  readonly name?: string;
  readonly options?: { readonly typescript?: boolean };
}

const settingsIn = (folder: string): readonly string[] =>
  (existsSync(folder) ? readdirSync(folder) : []).flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? []);

const require = createRequire(import.meta.url);

function readYaml(file: string): Readonly<Record<string, unknown>> | undefined {
  if (!existsSync(file)) return undefined;
  const { parse } = require("yaml") as typeof import("yaml"); // 80 modules: most commands ask Pulumi first
  try {
    return parse(readFileSync(file, "utf8")) ?? {};
  } catch (error) {
    throw new UsageError(`${file} is not YAML: ${(error as Error).message.split("\n")[0]}`);
  }
}
