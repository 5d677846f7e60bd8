import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify, styleText } from "node:util";
import { ownBackend } from "../engine/backend.ts";
import { loadProgram } from "../stacks/index.ts";

/** What installs, and what is asked for what is installed. */
export const setupScript = fileURLToPath(new URL("../engine/setup.mjs", import.meta.url));

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly cure?: string;
}

/** Says what a stack needs and whether it is there; resolves to whether all of it is. */
export async function doctor(stack: string): Promise<boolean> {
  const program = await loadProgram(stack);
  const checks = [...(await setupChecks()), backendCheck(program.rents)];
  for (const { name, ok, detail, cure } of checks) {
    const mark = ok ? styleText("green", "ok     ") : styleText("red", "missing");
    console.log(`${mark}  ${name.padEnd(20)}  ${detail}${ok || !cure ? "" : `\n         ${cure}`}`);
  }
  return checks.every((check) => check.ok);
}

async function setupChecks(): Promise<readonly Check[]> {
  const { stdout } = await promisify(execFile)(process.execPath, [setupScript, "--check", "--json"]).catch(
    (error) => error,
  );
  return JSON.parse(stdout);
}

function backendCheck(rents: boolean): Check {
  const own = ownBackend();
  return {
    name: "Pulumi backend",
    ok: own !== undefined || !rents,
    detail: own ?? (rents ? "you are not logged in" : "none of your own: .oneoff/state is used"),
    cure: 'Log in with "pulumi login", or set PULUMI_BACKEND_URL.',
  };
}
