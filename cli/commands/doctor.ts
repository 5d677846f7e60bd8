import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify, styleText } from "node:util";
import type { StackProgram } from "../../components/common/stack.ts";
import { UsageError } from "../../core/errors.ts";
import { ownBackend, projectFolder } from "../../engine/backend.ts";
import { type Check, failedCheck } from "../check.ts";
import { aws, google } from "../cloud.ts";
import type { StackFiles } from "../config.ts";
import { isOn, programFiles, programOf, resourcesOf } from "../program.ts";
import { pulumiOutput } from "../pulumi.ts";

/** What installs, and what is asked for what is installed. */
export const setupScript = fileURLToPath(new URL("../../engine/setup.mjs", import.meta.url));

/** What set-up checks for runs on this machine, and on no other. */
const LOCAL_ONLY: readonly string[] = ["Java", "Python", "PySpark"];

/** What runs on this machine itself. */
const LOCAL_RUN = "oneoff-local:index:Run";

/** Says what a stack needs and whether it is there; resolves to whether all of it is. */
export async function doctor(stack: string): Promise<boolean> {
  const files = programFiles(stack);
  const program = await programOf(files);
  const checks = [...(await setupChecks()), backendCheck(program.rents)];
  const own = program.rents ? await rentedChecks(program, files) : await ownChecks(program, files);
  const isNeeded = ({ name }: Check) => own.runsHere || !LOCAL_ONLY.includes(name);
  const all = [...checks.filter(isNeeded), ...own.checks];
  for (const check of all) console.log(line(check));
  return all.every(({ ok, later }) => ok || later);
}

/** What is asked of a stack beside what set-up has. */
interface OwnChecks {
  /** Whether its job runs on this machine, without a container. */
  readonly runsHere: boolean;
  readonly checks: readonly Check[];
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

async function rentedChecks(program: StackProgram, files: StackFiles): Promise<OwnChecks> {
  const stack = ownBackend() === undefined ? [] : await stackChecks(files.stack, initStack(files.stack));
  return { runsHere: false, checks: [...stack, ...(await rentChecks(program, files))] };
}

const initStack = (stack: string): string => `npx pulumi stack init ${stack}`;

/** Whether the backend has the stack. */
async function stackChecks(stack: string, make: string): Promise<readonly Check[]> {
  try {
    await pulumiOutput(stack, ["stack", "--show-name"]);
    return [{ name: "stack", ok: true, detail: stack }];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (!/no stack named/.test(error.message)) return [{ name: "stack", ok: false, detail: error.message }];
    const cure = `Make it, once: ${make}`;
    return [{ name: "stack", ok: false, later: true, detail: `there is no stack ${stack} yet`, cure }];
  }
}

/** What is rented is known from the program, which is run without making anything. */
async function rentChecks(program: StackProgram, files: StackFiles): Promise<readonly Check[]> {
  const { rehearse } = await import("../rehearse.ts");
  const { vcpusOf } = await import("../needs.ts");
  try {
    const { bill, ceiling, resources, refusal } = await rehearse(program, files);
    const settings: Check = refusal
      ? { name: "settings", ok: false, detail: refusal }
      : { name: "settings", ok: true, detail: `${bill.length} things cost money, at most ${ceiling.toFixed(2)} USD` };
    return [
      settings,
      ...(isOn("aws", resources) ? await (await aws()).accountChecks(files.stack, vcpusOf(resources)) : []),
      ...(isOn("gcp", resources) ? await (await google()).projectChecks(files.stack, resources) : []),
    ];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return [failedCheck("settings", error)];
  }
}

/** What a stack on one's own machines needs is known from its program too; its settings are told of where they are refused. */
async function ownChecks(program: StackProgram, files: StackFiles): Promise<OwnChecks> {
  const { wantsDocker } = await import("../docker/needs.ts");
  const { resources, refused } = await resourcesOf(program, files);
  const settings = refused ? [failedCheck("settings", refused)] : [];
  const runsHere = resources.some(({ type }) => type === LOCAL_RUN);
  if (!wantsDocker(resources)) return { runsHere, checks: settings };
  const { dockerNeeds } = await import("../docker/needs.ts");
  const { dockerChecks } = await import("../docker/doctor.ts");
  const stack = stateIsAnywhere() ? await stackChecks(files.stack, makeStack(files.stack)) : [];
  return { runsHere, checks: [...stack, ...settings, ...(await dockerChecks(files, dockerNeeds(resources)))] };
}

/** Asking a backend that is not there would make it. */
const stateIsAnywhere = (): boolean =>
  ownBackend() !== undefined || existsSync(join(projectFolder(), ".oneoff", "state"));

const makeStack = (stack: string): string =>
  ownBackend() === undefined ? `eval "$(npx oneoff env ${stack})"` : initStack(stack);
