import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { folder } from "../assets/local/folder.ts";
import type { Properties } from "../assets/local/resource.ts";
import { localBackendEnv, projectFolder } from "../engine/backend.ts";
import { clusterOf } from "./cluster.ts";
import { ensureStack, outputsOf, pulumi, pulumiOutput } from "./pulumi.ts";
import { watch } from "./watch.ts";

const STACK = "local";

/** Brings a stack up and watches its run to the end; resolves to whether both succeeded. */
export async function upAndWatch(stack: string): Promise<boolean> {
  if ((await pulumi(stack, ["up", "--yes", "--suppress-outputs"])) !== 0) return false;
  const outputs = await outputsOf(stack);
  if (outputs.dashboard) console.log(`The dashboard fills in while the run goes on: ${outputs.dashboard}`);
  const leave = () => {
    console.log(`\nThe run goes on: "npx oneoff watch ${stack}" shows it again.`);
    process.exit(130);
  };
  process.once("SIGINT", leave);
  const cluster = await clusterOf(stack, outputs);
  const succeeded = await watch(cluster, String(outputs.run), {
    logs: false,
    output: process.stdout,
    ...(stack !== STACK && { stack }),
  });
  process.off("SIGINT", leave);
  if (outputs.dashboard) console.log(`Dashboard: ${outputs.dashboard}`);
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
  forgetSalt(join(projectFolder(), "stacks", `Pulumi.${STACK}.yaml`));
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

const hasStacks = (backend: string): boolean => {
  const stacks = join(backend, ".pulumi", "stacks");
  if (!existsSync(stacks)) return false;
  return readdirSync(stacks, { recursive: true, withFileTypes: true }).some(
    (entry) => entry.isFile() && entry.name.endsWith(".json"),
  );
};

/** Takes out the salt that Pulumi wrote into the stack's settings, unless a secret there needs it. */
function forgetSalt(file: string): void {
  if (!existsSync(file)) return;
  const text = readFileSync(file, "utf8");
  if (!/^\s+secure:/m.test(text)) writeFileSync(file, text.replace(/^encryptionsalt:.*\n?/m, ""));
}

/** An id for a new run: the time, to the second, in UTC. */
export const newRunId = (now = new Date()): string =>
  now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
