/** A copy of this project in a folder of its own, as far as Pulumi can tell: own settings, own backend, own lake. */
import { execFile, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Environment variables that programs go by: whose machine it is must not matter. */
export const UNSET: readonly string[] = [
  "AWS_REGION",
  "AWS_DEFAULT_REGION",
  "AWS_PROFILE",
  "GOOGLE_PROJECT",
  "GOOGLE_CLOUD_PROJECT",
  "GCLOUD_PROJECT",
  "CLOUDSDK_CORE_PROJECT",
  "GOOGLE_REGION",
  "GCLOUD_REGION",
  "CLOUDSDK_COMPUTE_REGION",
];

const root = fileURLToPath(new URL("..", import.meta.url));

export interface Outcome {
  readonly code: number;
  /** Standard output and standard error, as they came. */
  readonly output: string;
}

export interface Project {
  readonly folder: string;
  /** Runs `pulumi` on a stack, without colours or questions. */
  pulumi(...args: readonly string[]): Promise<Outcome>;
  /** Runs `oneoff`. */
  oneoff(...args: readonly string[]): Promise<Outcome>;
  /** Runs `pulumi` and throws what it printed when it fails. */
  mustPulumi(...args: readonly string[]): Promise<string>;
  readonly env: NodeJS.ProcessEnv;
  /** File with the settings of a stack. */
  settingsFile(stack: string): string;
  remove(): void;
}

/**
 * @param extra environment variables beside the project's own.
 * @param backend folder of the state; stacks that rent machines refuse the one for local stacks.
 */
export function makeProject(extra: NodeJS.ProcessEnv = {}, backend = ".oneoff/state"): Project {
  const folder = mkdtempSync(join(tmpdir(), "oneoff-test-"));
  mkdirSync(join(folder, backend), { recursive: true });
  mkdirSync(join(folder, ".oneoff"), { recursive: true });
  mkdirSync(join(folder, "stacks"));
  for (const name of [
    "index.ts",
    "assets",
    "cli",
    "clients",
    "components",
    "core",
    "engine",
    "node_modules",
    "package.json",
    "provider",
  ]) {
    symlinkSync(join(root, name), join(folder, name));
  }
  symlinkSync(join(root, ".oneoff", "venv"), join(folder, ".oneoff", "venv"));
  cpSync(join(root, "Pulumi.yaml"), join(folder, "Pulumi.yaml"));
  for (const name of readdirSync(join(root, "stacks")).filter((name) => name.endsWith(".yaml"))) {
    cpSync(join(root, "stacks", name), join(folder, "stacks", name));
  }
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: [join(root, "node_modules", ".bin"), process.env.PATH].join(delimiter),
    PULUMI_BACKEND_URL: `file://${join(folder, backend)}`,
    PULUMI_CONFIG_PASSPHRASE: "",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NO_COLOR: "1",
    ...Object.fromEntries(UNSET.map((name) => [name, undefined])),
    ...extra,
  };
  const run = (command: string, args: readonly string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      const child = execFile(command, args, { cwd: folder, env, maxBuffer: 1 << 26 }, (_, out, err) =>
        resolve({ code: child.exitCode ?? -1, output: out + err }),
      );
    });
  const pulumi = (...args: readonly string[]) => run("pulumi", [...args, "--non-interactive", "--color=never"]);
  return {
    folder,
    env,
    settingsFile: (stack) => join(folder, "stacks", `Pulumi.${stack}.yaml`),
    pulumi,
    async mustPulumi(...args) {
      const { code, output } = await pulumi(...args);
      if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${output}`);
      return output;
    },
    oneoff: (...args) => run("node", [join(root, "cli", "oneoff.mjs"), ...args]),
    remove: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

/** Commands of processes that run from a folder or name it: what a destroy must not leave. */
export function processesOf(folder: string): readonly string[] {
  const { stdout } = spawnSync("ps", ["-axo", "args="], { encoding: "utf8" });
  return stdout.split("\n").filter((line) => line.includes(folder));
}

/** Writes a file with all that is missing on the way there. */
export function writeJsonFile(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(value));
}

export const readJsonFile = (...path: readonly string[]) => JSON.parse(readFileSync(join(...path), "utf8"));
