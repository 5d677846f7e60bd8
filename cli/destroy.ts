import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Exit } from "../core/errors.ts";
import { localBackendEnv } from "../engine/backend.ts";
import { folder } from "../provider/folder.ts";
import { readJson } from "../provider/json.ts";
import { lakeState } from "../provider/lake.ts";
import type { Properties } from "../provider/resource.ts";
import { programs } from "../stacks/index.ts";
import { type StackFiles, stackFiles } from "./config.ts";
import { programOf, resourcesOf } from "./program.ts";
import { forgetSalt, pulumi, pulumiOutput, STATE } from "./pulumi.ts";

/**
 * Destroys a stack, and what an engine that was killed left of it on this machine; removes it, and the local backend with it when
 * nothing else is in there.
 *
 * @param flags of `pulumi destroy`.
 * @returns Pulumi's exit code, or 1 where flags had it leave something.
 */
export async function destroyAll(stack: string, flags: readonly string[] = []): Promise<number> {
  const { halfMade, lakes } = await contentOf(stack);
  const code = await pulumi(stack, ["destroy", "--yes", ...flags]);
  if (code !== 0) return code;
  const left = flags.length > 0 ? (await contentOf(stack)).resources : 0; // they may have said to end a part, or none
  if (left > 0) {
    console.error(`Stack ${stack} is still there, with ${left} resource${left === 1 ? "" : "s"}: ${flags.join(" ")}`);
    return Exit.no;
  }
  for (const inputs of halfMade) await folder.delete(inputs);
  await removeBareLakes(stackFiles(stack), [...lakes, ...halfMade.map(({ path }) => path)]);
  const backend = localBackendEnv().PULUMI_BACKEND_URL;
  if (backend === undefined) return code; // the user's own backend keeps its empty stack
  await pulumiOutput(stack, ["stack", "rm", "--yes", "--preserve-config"]);
  forgetSalt(stack);
  const state = fileURLToPath(backend);
  if (!hasStacks(state)) rmSync(state, { recursive: true, force: true });
  const kept = [...lakes, ...halfMade.map(({ path }) => path)].filter((path) => existsSync(path));
  const files = kept.length > 0 ? `what stays is in ${kept.join(" and ")}` : "no file is left";
  console.log(`The stack is gone: no process, no port, and ${files}. What set-up installed stays, and what is set.`);
  return code;
}

const FOLDER = "oneoff-local:index:Folder";

/**
 * A lake of the stack's that has its marker and nothing else is of no use to anybody: the state knows nothing of one whose engine
 * was killed in an unlucky moment.
 */
async function removeBareLakes(files: StackFiles, known: readonly string[]): Promise<void> {
  const paths = known.length > 0 || !files.bundled ? known : await lakesOfProgram(files);
  for (const path of paths) {
    const state = lakeState(path);
    const isOwn = state.is === "lake" && state.owner?.startsWith(`urn:pulumi:${files.stack}::${files.project}::`);
    if (isOwn && readdirSync(path).length === 1) await folder.delete({ path, retain: false });
  }
}

async function lakesOfProgram(files: StackFiles): Promise<readonly string[]> {
  const { resources } = await resourcesOf(await programOf(files), files);
  return resources.filter(({ type }) => type === FOLDER).map(({ inputs }) => String(inputs.path));
}

interface Content {
  /** Lakes that an engine was killed over while it made them: it could not write down that they are there. */
  readonly halfMade: readonly Properties[];
  /** Paths of the others. */
  readonly lakes: readonly string[];
  /** How many resources the stack has. */
  readonly resources: number;
}

async function contentOf(stack: string): Promise<Content> {
  const { deployment } = JSON.parse(await pulumiOutput(stack, STATE));
  const pending: readonly Properties[] = deployment.pending_operations ?? [];
  const made: readonly Properties[] = deployment.resources ?? [];
  return {
    halfMade: pending
      .filter(({ type, resource }) => type === "creating" && resource.type === FOLDER)
      .map(({ resource }) => resource.inputs),
    lakes: made.filter(({ type }) => type === FOLDER).map(({ inputs }) => inputs.path),
    resources: made.length,
  };
}

/** Whether there is a stack that has something, or that `oneoff env` would not make again. */
const hasStacks = (backend: string): boolean => {
  const stacks = join(backend, ".pulumi", "stacks");
  if (!existsSync(stacks)) return false;
  return readdirSync(stacks, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".json"))
    .some(({ name, parentPath }) => {
      const stack = readJson(join(parentPath, name)) as Stack | undefined;
      const isOurs = programs().includes(name.slice(0, -".json".length));
      return !isOurs || (stack?.checkpoint?.latest?.resources ?? []).length > 0;
    });
};

/** As Pulumi keeps it in a folder. */
interface Stack {
  readonly checkpoint?: { readonly latest?: { readonly resources?: readonly unknown[] } };
}
