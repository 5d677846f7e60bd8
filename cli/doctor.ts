import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify, styleText } from "node:util";
import { UsageError } from "../components/core/errors.ts";
import type { StackProgram } from "../components/core/stack.ts";
import { ownBackend } from "../engine/backend.ts";
import { aws } from "./cloud.ts";
import type { StackFiles } from "./config.ts";
import { programFiles, programOf } from "./program.ts";
import { pulumiOutput } from "./pulumi.ts";

/** What installs, and what is asked for what is installed. */
export const setupScript = fileURLToPath(new URL("../engine/setup.mjs", import.meta.url));

/** What set-up checks for runs on this machine, and on no other. */
const LOCAL_ONLY: readonly string[] = ["Java", "Python", "PySpark"];

/** One thing that a stack needs. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** What to do where it isn't ok. */
  readonly cure?: string;
  /** It isn't there and need not be yet. @default false: it is missing */
  readonly later?: boolean;
}

/** Says what a stack needs and whether it is there; resolves to whether all of it is. */
export async function doctor(stack: string): Promise<boolean> {
  const files = programFiles(stack);
  const program = await programOf(files);
  const setup = (await setupChecks()).filter(({ name }) => !program.rents || !LOCAL_ONLY.includes(name));
  const checks = [...setup, backendCheck(program.rents)];
  if (program.rents) checks.push(...(await stackChecks(stack)), ...(await rentChecks(program, files)));
  for (const check of checks) console.log(line(check));
  return checks.every(({ ok, later }) => ok || later);
}

function line({ name, ok, detail, cure, later }: Check): string {
  const mark = ok
    ? styleText("green", "ok     ")
    : later
      ? styleText("yellow", "later  ")
      : styleText("red", "missing");
  return `${mark}  ${name.padEnd(20)}  ${detail}${ok || !cure ? "" : `\n         ${cure}`}`;
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

/** Whether the backend has the stack, where there is a backend to ask. */
async function stackChecks(stack: string): Promise<readonly Check[]> {
  if (ownBackend() === undefined) return [];
  try {
    await pulumiOutput(stack, ["stack", "--show-name"]);
    return [{ name: "stack", ok: true, detail: stack }];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (!/no stack named/.test(error.message)) return [{ name: "stack", ok: false, detail: error.message }];
    const cure = `Make it, once: npx pulumi stack init ${stack}`;
    return [{ name: "stack", ok: false, later: true, detail: `there is no stack ${stack} yet`, cure }];
  }
}

/** What is rented is known from the program, which is run without making anything. */
async function rentChecks(program: StackProgram, files: StackFiles): Promise<readonly Check[]> {
  const { rehearse } = await import("./rehearse.ts");
  const { vcpusOf } = await import("./needs.ts");
  try {
    const { bill, ceiling, resources, refusal } = await rehearse(program, files);
    const settings: Check = refusal
      ? { name: "settings", ok: false, detail: refusal }
      : { name: "settings", ok: true, detail: `${bill.length} things cost money, at most ${ceiling.toFixed(2)} USD` };
    if (!resources.some(({ type }) => type.startsWith("aws:"))) return [settings];
    return [settings, ...(await (await aws()).accountChecks(files.stack, vcpusOf(resources)))];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [{ name: "settings", ok: false, detail: error.message }];
  }
}
