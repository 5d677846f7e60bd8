import { execFile, spawn } from "node:child_process";
import { constants } from "node:os";
import { promisify } from "node:util";
import { UsageError } from "../components/core/errors.ts";
import { localBackendEnv, ownBackend, projectFolder, releaseDeadLocks } from "../engine/backend.ts";
import { programs } from "../stacks/index.ts";
import { stackFiles } from "./config.ts";
import { programOf } from "./program.ts";

/** The environment that `pulumi` gets for a stack: the local backend only where nothing is rented. */
export async function pulumiEnv(stack: string): Promise<NodeJS.ProcessEnv> {
  const local = await isLocal(stack);
  if (!local && !ownBackend()) {
    throw new UsageError(
      `stack ${stack} rents machines and you are not logged in to a Pulumi backend: log in with "pulumi login" (or set PULUMI_BACKEND_URL), so that its state outlives this folder`,
    );
  }
  const own = local ? localBackendEnv() : {};
  if (own.PULUMI_BACKEND_URL) releaseDeadLocks(own.PULUMI_BACKEND_URL);
  return { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true", ...own };
}

/** Whether a stack rents nothing, as far as its program tells: one of another project is not ours to judge. */
async function isLocal(stack: string): Promise<boolean> {
  const files = stackFiles(stack);
  if (!programs().includes(files.config["oneoff:program"] ?? files.stack)) return true;
  return !(await programOf(files)).rents;
}

/** Runs `pulumi` for the user to see and resolves to its exit code. */
export async function pulumi(stack: string, args: readonly string[]): Promise<number> {
  const options = { cwd: projectFolder(), env: await pulumiEnv(stack), stdio: "inherit" } as const;
  const child = spawn("pulumi", [...args, "--stack", stack], options);
  const ignore = () => {}; // Ctrl-C reaches Pulumi as well, which cancels in good order
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(explain(error)));
    child.once("close", (code, signal) => {
      process.off("SIGINT", ignore);
      resolve(code ?? 128 + constants.signals[signal ?? "SIGTERM"]);
    });
  });
}

/**
 * Runs `pulumi` and resolves to what it printed.
 * @throws UsageError with what Pulumi said when it fails.
 */
export async function pulumiOutput(stack: string, args: readonly string[]): Promise<string> {
  const options = { cwd: projectFolder(), env: await pulumiEnv(stack), maxBuffer: 1 << 26 };
  try {
    return (await promisify(execFile)("pulumi", [...args, "--stack", stack, "--non-interactive"], options)).stdout;
  } catch (error) {
    throw explain(error as Error & { stderr?: string });
  }
}

function explain(error: Error & { readonly code?: unknown; readonly stderr?: string }): UsageError {
  if (error.code === "ENOENT") {
    return new UsageError(
      'pulumi is not there: in a checkout "npm start" sets it up; else see https://www.pulumi.com/docs/install',
    );
  }
  return new UsageError(error.stderr?.trim().replace(/^error: /, "") || error.message);
}

/** Makes a stack where there is none yet. */
export async function ensureStack(stack: string): Promise<void> {
  try {
    await pulumiOutput(stack, ["stack", "init"]);
  } catch (error) {
    if (!/already exists/.test((error as Error).message)) throw error;
  }
}

/**
 * The outputs of a stack.
 * @throws UsageError when it has none: it isn't up.
 */
export async function outputsOf(stack: string): Promise<Readonly<Record<string, unknown>>> {
  const outputs = JSON.parse(await pulumiOutput(stack, ["stack", "output", "--json"])) as Record<string, unknown>;
  if (Object.keys(outputs).length === 0) {
    throw new UsageError(`stack ${stack} is not up: bring it up with "npx pulumi up --stack ${stack}"`);
  }
  return outputs;
}
