import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Exit, LoginError, MissingError, quote, UsageError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import { hasBackend, localBackendEnv, ownBackend, projectFolder, releaseDeadLocks } from "../engine/backend.ts";
import { loadProgram, programs } from "../stacks/index.ts";
import { DEFAULT_STACK } from "./arguments.ts";
import { backendProblem, PulumiError } from "./backend-error.ts";
import { type StackFiles, settingsFile, stackFiles } from "./config.ts";
import type { Outputs } from "./platform.ts";
import { programName, programOf } from "./program.ts";

/** The environment that `pulumi` gets for a stack: the local backend only where nothing is rented. */
async function pulumiEnv(stack: string): Promise<NodeJS.ProcessEnv> {
  const files = stackFiles(stack);
  if (!ownBackend()) await refuseToKeepHere(files);
  const own = localBackendEnv();
  if (own.PULUMI_BACKEND_URL) releaseDeadLocks(own.PULUMI_BACKEND_URL);
  return plainEnv(own);
}

/** @throws LoginError when nobody is logged in to where a stack's state may be kept. */
export const checkLogin = async (stack: string): Promise<void> => void (await pulumiEnv(stack));

/** For what only reads: who reads locks nothing, and needs no program. */
const plainEnv = (own = localBackendEnv()): NodeJS.ProcessEnv => ({
  ...process.env,
  PULUMI_SKIP_UPDATE_CHECK: "true",
  ...own,
});

/** @throws LoginError when a stack's state must not be kept in the project's folder. */
async function refuseToKeepHere(files: StackFiles): Promise<void> {
  const login = 'log in with "pulumi login" (or set PULUMI_BACKEND_URL)';
  // What a program of the user's own rents is not known here: the folder is for it only if the user made it so.
  if (!files.bundled) {
    if (hasBackend()) return;
    const cure = `${login}; if it rents nothing, eval "$(npx --no oneoff env ${files.stack})" keeps it in .oneoff/state`;
    throw new LoginError(
      `you are not logged in to a Pulumi backend, where stack ${files.stack} would be: ${cure}`,
      cure,
    );
  }
  if (!programs().includes(programName(files)) || !(await programOf(files)).rents) return;
  const cure = `${login}, so that its state outlives this folder`;
  throw new LoginError(
    `stack ${files.stack} rents machines and you are not logged in to a Pulumi backend: ${cure}`,
    cure,
  );
}

/**
 * Runs `pulumi` for the user to see, after the command itself, and resolves to its exit code.
 * @param out where what it prints goes. @default standard output
 */
export async function pulumi(
  stack: string,
  args: readonly string[],
  out: NodeJS.WriteStream = process.stdout,
): Promise<number> {
  const command = [...args, "--stack", stack];
  const env = await pulumiEnv(stack);
  console.error(`$ pulumi ${command.map((word) => (/^[\w./:=,@-]+$/.test(word) ? word : `'${word}'`)).join(" ")}`);
  const child = spawn("pulumi", command, { cwd: projectFolder(), env, stdio: ["inherit", out, "inherit"] });
  const ignore = () => {}; // Ctrl-C reaches Pulumi as well, which cancels in good order
  process.on("SIGINT", ignore);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(explain(error, stack)));
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
  return output([...args, "--stack", stack], await pulumiEnv(stack), stack);
}

/**
 * What `pulumi` prints that is about no stack, or about the selected one.
 * @throws as {@link pulumiOutput}; NoStackError also when none is selected.
 */
export const pulumiText = (args: readonly string[]): Promise<string> => output(args, plainEnv(), "that is selected");

async function output(args: readonly string[], env: NodeJS.ProcessEnv, stack: string): Promise<string> {
  const options = { cwd: projectFolder(), env: { ...env, PULUMI_OPTION_COLOR: "never" }, maxBuffer: 1 << 26 };
  try {
    return (await promisify(execFile)("pulumi", [...args, "--non-interactive"], options)).stdout;
  } catch (error) {
    throw explain(error as Error & { stderr?: string }, stack);
  }
}

/** The backend has no such stack. */
export class NoStackError extends MissingError {}

/** A stack that is there has nothing yet. */
export class NotUpError extends MissingError {}

/** The engine is not installed. */
export class NoPulumiError extends UsageError {}

function explain(error: Error & { readonly code?: unknown; readonly stderr?: string }, stack: string): UsageError {
  // The npm package fetches the engine when it is first used.
  if (error.code === "ENOENT" || /^Downloading pulumi/.test(error.stderr ?? "")) {
    const cure =
      '"npm install pulumi" brings it into a project, as "npm start" does into a checkout; or see https://www.pulumi.com/docs/install';
    return new NoPulumiError(`pulumi is not there: ${cure}`, cure);
  }
  if (/no stack (named|selected)/.test(error.stderr ?? "")) return noStack(stack);
  const problem = backendProblem(error.stderr ?? "", stack);
  if (problem) return problem;
  const said = error.stderr?.trim().replace(/^error: /, "") || error.message;
  if (error.code === Exit.login) return new LoginError(said);
  return new PulumiError(said);
}

/** Which there are, as the files of settings say: the backend has not this one. */
function noStack(stack: string): NoStackError {
  const { others, bundled } = stackFiles(stack);
  if (existsSync(settingsFile(stack)) || (bundled && programs().includes(stack))) {
    const cure = `"npx --no oneoff up ${stack}" makes it and brings it up`;
    return new NoStackError(`there is no stack ${stack}: ${cure}`, cure);
  }
  const names = [...new Set([...others, ...(bundled ? programs() : [])])].sort();
  const meant = nearest(stack, names);
  const there =
    names.length === 0 ? "" : `${meant ? " T" : "; t"}here are ${new Intl.ListFormat("en-GB").format(names)}`;
  return new NoStackError(
    `there is no stack ${quote(stack)}${meant === undefined ? "" : `; did you mean ${quote(meant)}?`}${there}`,
  );
}

/** Makes a stack where there is none yet. */
export async function ensureStack(stack: string, args: readonly string[] = []): Promise<void> {
  try {
    await pulumiOutput(stack, ["stack", "init", ...args]);
  } catch (error) {
    if (!/already exists/.test((error as Error).message)) throw error;
  }
}

/**
 * Makes the stack of this machine where there is none, and in the project's own folder the other stacks of this package that rent
 * nothing: there it costs nothing and is seen by nobody. Their settings stay as they are.
 */
export async function ensureOwnStacks(): Promise<void> {
  const own = ownBackend() === undefined ? await stacksThatRentNothing() : [];
  for (const stack of own) {
    await ensureStack(stack, ["--no-select"]);
    forgetSalt(stack);
  }
  await ensureStack(DEFAULT_STACK);
}

/** Beside that one, as far as they are not there yet. */
async function stacksThatRentNothing(): Promise<readonly string[]> {
  const { project } = stackFiles(DEFAULT_STACK);
  const folder = join(projectFolder(), ".oneoff", "state", ".pulumi", "stacks", project);
  const others = programs().filter((name) => name !== DEFAULT_STACK && !existsSync(join(folder, `${name}.json`)));
  const all = await Promise.all(others.map(async (name) => ({ name, rents: (await loadProgram(name)).rents })));
  return all.filter(({ rents }) => !rents).map(({ name }) => name);
}

/** Takes out the salt that Pulumi wrote into a stack's settings, unless a secret there needs it. */
export function forgetSalt(stack: string): void {
  const file = join(projectFolder(), "stacks", `Pulumi.${stack}.yaml`);
  if (!existsSync(file)) return;
  const text = readFileSync(file, "utf8");
  if (!/^\s+secure:/m.test(text)) writeFileSync(file, text.replace(/^encryptionsalt:.*\n?/m, ""));
}

/**
 * The outputs of a stack; secrets among them only when they are asked for.
 * @throws NotUpError when it has none, NoStackError when there is no such stack.
 */
export async function outputsOf(
  stack: string,
  { secrets = false }: { readonly secrets?: boolean } = {},
): Promise<Outputs> {
  if (!hasBackend()) {
    await refuseToKeepHere(stackFiles(stack));
    throw noStack(stack);
  }
  const args = secrets ? ["stack", "output", "--json", "--show-secrets"] : STATE;
  const printed = await output([...args, "--stack", stack], plainEnv(), stack).catch(async (error) => {
    if (error instanceof NoStackError) await pulumiEnv(stack); // it may be where nobody is logged in
    throw error;
  });
  return secrets ? orNotUp(JSON.parse(printed), stack) : outputsIn(printed, stack);
}

/** Prints what {@link outputsIn} reads, in half the time of `stack output`, which derives the key of secrets also when it shows none. */
export const STATE: readonly string[] = ["stack", "export"];

/** A stack's outputs in its state, with "[secret]" for each that is one. @throws NotUpError when it has none. */
export function outputsIn(state: string, stack: string): Outputs {
  const { deployment } = JSON.parse(state, hideSecret) as State;
  const root = deployment?.resources?.find(({ type }) => type === "pulumi:pulumi:Stack");
  return orNotUp(root?.outputs ?? {}, stack);
}

interface State {
  readonly deployment?: { readonly resources?: readonly { readonly type: string; readonly outputs?: Outputs }[] };
}

/** By the key that marks what is special, as all of Pulumi's SDKs have it, and the value for a secret. */
const hideSecret = (_: string, value: unknown): unknown =>
  (value as Outputs | null)?.["4dabf18193072939515e22adb298388d"] === "1b47061264138c4ac30d75fd1eb44270"
    ? "[secret]"
    : value;

function orNotUp(outputs: Outputs, stack: string): Outputs {
  if (Object.keys(outputs).length > 0) return outputs;
  const cure = `"npx --no oneoff up ${stack}" brings it up`;
  throw new NotUpError(`stack ${stack} is not up: ${cure}`, cure);
}
