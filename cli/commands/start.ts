import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { localBackendEnv } from "../../engine/backend.ts";
import { folder } from "../../provider/folder.ts";
import { readJson } from "../../provider/json.ts";
import type { Properties } from "../../provider/resource.ts";
import { programs } from "../../stacks/index.ts";
import { clusterOf } from "../cluster.ts";
import { ensureStack, forgetSalt, outputsOf, pulumi, pulumiOutput } from "../pulumi.ts";
import { watch } from "../watch.ts";

const STACK = "local";

/**
 * Brings a stack up and watches its run to the end; resolves to whether both succeeded.
 * @param options of `pulumi up`.
 */
export async function upAndWatch(stack: string, options: readonly string[] = []): Promise<boolean> {
  if ((await pulumi(stack, ["up", "--yes", "--suppress-outputs", ...options])) !== 0) return false;
  const outputs = await outputsOf(stack);
  const cluster = await clusterOf(stack, outputs);
  const dashboard = (await cluster.pages?.())?.[0]?.address ?? outputs.dashboard;
  if (dashboard) console.log(`The dashboard fills in while the run goes on: ${dashboard}`);
  const leave = () => {
    console.log(`\nThe run goes on: "npx oneoff watch ${stack}" shows it again.`);
    process.exit(130);
  };
  process.once("SIGINT", leave);
  const succeeded = await watch(cluster, String(outputs.run), {
    logs: false,
    output: process.stdout,
    ...(stack !== STACK && { stack }),
  });
  process.off("SIGINT", leave);
  if (dashboard) console.log(`Dashboard: ${dashboard}`);
  return succeeded;
}

/** `npm start`: the local stack, made where there is none. */
export async function start(): Promise<boolean> {
  await ensureStack(STACK);
  const succeeded = await upAndWatch(STACK);
  console.log('What is there stays until "npm run destroy".');
  return succeeded;
}

/** Destroys the local stack and removes it, and the local backend with it when nothing else is in there. */
export async function destroy(): Promise<boolean> {
  await ensureStack(STACK);
  const halfMade = await pendingFolders();
  if ((await pulumi(STACK, ["destroy", "--yes"])) !== 0) return false;
  for (const inputs of halfMade) await folder.delete(inputs);
  const backend = localBackendEnv().PULUMI_BACKEND_URL;
  if (backend === undefined) return true; // the user's own backend keeps its empty stack
  await pulumiOutput(STACK, ["stack", "rm", "--yes", "--preserve-config"]);
  forgetSalt(STACK);
  const state = fileURLToPath(backend);
  if (!hasStacks(state)) rmSync(state, { recursive: true, force: true });
  console.log("The stack is gone: no process, no file and no port is left. What set-up installed stays.");
  return true;
}

/** Lakes that an engine was killed over while it made them: it could not write down that they are there. */
async function pendingFolders(): Promise<readonly Properties[]> {
  const { deployment } = JSON.parse(await pulumiOutput(STACK, ["stack", "export"]));
  const pending: readonly Properties[] = deployment.pending_operations ?? [];
  return pending
    .filter(({ type, resource }) => type === "creating" && resource.type === "oneoff-local:index:Folder")
    .map(({ resource }) => resource.inputs);
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

/** An id for a new run: the time, to the second, in UTC. */
export const newRunId = (now = new Date()): string =>
  now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
