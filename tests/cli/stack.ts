/** A stack as the command line finds it: settings in files, outputs in a Pulumi backend. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { makeProject, type Project } from "../project.ts";

export const STACK = "emr-oneoff";

export interface StackInCloud extends Project {
  setOutputs(outputs: Readonly<Record<string, unknown>>): Promise<void>;
}

export type StackOnAws = StackInCloud;

/** @param env of the commands, beside the project's own. */
export const stackOnAws = (env: NodeJS.ProcessEnv, outputs: Readonly<Record<string, unknown>>): Promise<StackOnAws> =>
  stackInCloud(STACK, { "aws:region": "us-west-2", "oneoff:workers": "3" }, env, outputs);

/**
 * @param settings of the stack.
 * @param env of the commands, beside the project's own.
 */
export async function stackInCloud(
  stack: string,
  settings: Readonly<Record<string, string>>,
  env: NodeJS.ProcessEnv,
  outputs: Readonly<Record<string, unknown>>,
): Promise<StackInCloud> {
  const backend = mkdtempSync(join(tmpdir(), "oneoff-backend-"));
  const project = makeProject({ ...env, PULUMI_BACKEND_URL: pathToFileURL(backend).href });
  const lines = Object.entries(settings).map(([key, value]) => `  ${key}: "${value}"\n`);
  writeFileSync(project.settingsFile(stack), `config:\n${lines.join("")}`);
  await project.mustPulumi("stack", "init", stack);
  const setOutputs = async (outputs: Readonly<Record<string, unknown>>) => {
    const file = join(project.folder, "state.json");
    const type = "pulumi:pulumi:Stack";
    const urn = `urn:pulumi:${stack}::oneoff::${type}::oneoff-${stack}`;
    const manifest = { time: "2026-01-01T00:00:00Z", magic: "", version: "" };
    const salt = /^encryptionsalt: (.+)$/m.exec(readFileSync(project.settingsFile(stack), "utf8"))?.[1];
    const deployment = {
      manifest,
      ...(salt && { secrets_providers: { type: "passphrase", state: { salt } } }),
      resources: [{ urn, custom: false, type, outputs }],
    };
    writeFileSync(file, JSON.stringify({ version: 3, deployment }));
    await project.mustPulumi("stack", "import", "--file", file, "--stack", stack);
  };
  await setOutputs(outputs);
  return {
    ...project,
    setOutputs,
    remove() {
      project.remove();
      rmSync(backend, { recursive: true, force: true });
    },
  };
}

/** Runs the command with a terminal, on which something is typed. */
export async function typed(
  { folder, env }: Pick<Project, "folder" | "env">,
  command: readonly string[],
  text: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const terminal = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
  const args = [process.execPath, join(root, "cli", "oneoff.mjs"), ...command];
  const child = spawn(join(root, ".oneoff", "venv", "bin", "python"), ["-c", terminal, ...args], {
    cwd: folder,
    env,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
    if (output.includes("(y/N)") && child.stdin.writable) child.stdin.end(text);
  });
  const [code] = await once(child, "exit");
  return { code, output };
}
