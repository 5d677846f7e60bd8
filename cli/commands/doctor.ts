import { execFile } from "node:child_process";
import { promisify, styleText } from "node:util";
import type { StackProgram } from "../../components/common/stack.ts";
import { LoginError, UsageError } from "../../core/errors.ts";
import { hasBackend, ownBackend, projectFolder } from "../../engine/backend.ts";
import { answerJson } from "../answer.ts";
import { DEFAULT_STACK, fail, jsonOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { PulumiError } from "../backend-error.ts";
import { type Check, failedCheck } from "../check.ts";
import type { OneoffCommand } from "../command.ts";
import { stackNamed } from "../meant-stack.ts";
import type { RehearsedResource, StackContext } from "../platform.ts";
import { programFiles, programOf, rehearseOwn, resourcesOf } from "../program.ts";
import { NoStackError, pulumiOutput } from "../pulumi.ts";
import { partsOf, platforms, platformsOn } from "../registry.ts";
import { setupScript } from "../setup.ts";
import { stackContext } from "../stack.ts";

export const doctor: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command).addOption(jsonOption()).action(examine),
      {
        "oneoff doctor": "what this machine has",
        "oneoff doctor emr-oneoff": "also credentials, quotas and plugins",
      },
      { 1: "something is missing" },
    ),
};

async function examine(word: string | undefined, options: StackOptions & { readonly json?: boolean }): Promise<void> {
  const problems: Check[] = [];
  const name = await stackNamed(word, options).catch((error) => {
    if (!(error instanceof PulumiError || error instanceof LoginError)) throw error;
    problems.push(failedCheck(BACKEND, error));
    return DEFAULT_STACK;
  });
  const found = await checksOf(stackContext(name, programFiles(name)));
  const checks = found.map((check) => problems.find((problem) => problem.name === check.name) ?? check);
  const ok = checks.every(({ ok, later }) => ok || later);
  const plain = ({ name, ok, later = false, detail, cure }: Check) => ({ name, ok, later, detail, cure });
  if (options.json) answerJson("doctor/1", { stack: name, ok, checks: checks.map(plain) });
  else for (const check of checks) console.log(line(check));
  fail(!ok);
}

/** What a stack needs, and whether it is there. */
async function checksOf(stack: StackContext): Promise<readonly Check[]> {
  const { resources, checks } = stack.files.bundled ? await bundledChecks(stack) : await programChecks(stack);
  const isNeeded = ({ name }: Check) =>
    platforms.every(({ setup }) => !setup?.checks.includes(name) || setup.needs(resources));
  const machine = platformsOn(resources).flatMap((platform) => platform.machine?.(resources) ?? []);
  return [...(await setupChecks()).filter(isNeeded), ...checks, ...machine];
}

/** What a stack of this package needs is known from its program. */
async function bundledChecks(stack: StackContext): Promise<StackChecks> {
  const program = await programOf(stack.files);
  const { resources, checks } = program.rents ? await rentedChecks(program, stack) : await ownChecks(program, stack);
  return { resources, checks: [backendCheck(program.rents), ...checks] };
}

/** So is what one needs whose program is the user's own: it is run without an engine, and nothing is made. */
async function programChecks(stack: StackContext): Promise<StackChecks> {
  const backend = hasBackend()
    ? backendCheck(false)
    : { ...backendCheck(true), cure: `Log in with "pulumi login"; if it rents nothing: ${makeStack(stack.name)}` };
  const made = hasBackend() ? await stackChecks(stack.name, makeStack(stack.name)) : [];
  try {
    const { resources } = await rehearseOwn(stack.files);
    const platforms = platformsOn(resources).map(({ title }) => title);
    const on = platforms.length === 0 ? "" : `, on ${new Intl.ListFormat("en-GB").format(platforms)}`;
    const program: Check = { name: "program", ok: true, detail: `${resources.length} resources${on}` };
    return { resources, checks: [backend, ...made, program, ...(await platformChecks(stack, resources))] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { resources: [], checks: [backend, ...made, failedCheck("program", error)] };
  }
}

/** What is asked of a stack beside what set-up has. */
interface StackChecks {
  /** What its program asks for: it decides what set-up must have brought. */
  readonly resources: readonly RehearsedResource[];
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
  const { stdout } = await promisify(execFile)(process.execPath, [setupScript, "--check", "--json"], {
    cwd: projectFolder(),
  }).catch((error) => error);
  return JSON.parse(stdout);
}

const BACKEND = "Pulumi backend";

function backendCheck(rents: boolean): Check {
  const own = ownBackend();
  return {
    name: BACKEND,
    ok: own !== undefined || !rents,
    detail: own ?? (rents ? "you are not logged in" : "none of your own: .oneoff/state is used"),
    cure: 'Log in with "pulumi login", or set PULUMI_BACKEND_URL.',
  };
}

/** What is rented is known from the program, which is run without making anything. */
async function rentedChecks(program: StackProgram, stack: StackContext): Promise<StackChecks> {
  const { rehearse } = await import("../rehearse.ts");
  const made = ownBackend() === undefined ? [] : await stackChecks(stack.name, initStack(stack.name));
  try {
    const { bill, ceiling, resources, refusal } = await rehearse(program, stack.files);
    const things = bill.length === 1 ? "1 thing costs" : `${bill.length} things cost`;
    const settings: Check = refusal
      ? { name: "settings", ok: false, detail: refusal }
      : { name: "settings", ok: true, detail: `${things} money, at most ${ceiling.toFixed(2)} USD` };
    return { resources, checks: [...made, settings, ...(await platformChecks(stack, resources))] };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { resources: [], checks: [...made, failedCheck("settings", error)] };
  }
}

const initStack = (stack: string): string => `npx pulumi stack init ${stack}`;

/** Whether the backend has the stack. */
async function stackChecks(stack: string, make: string): Promise<readonly Check[]> {
  try {
    await pulumiOutput(stack, ["stack", "--show-name"]);
    return [{ name: "stack", ok: true, detail: stack }];
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (!(error instanceof NoStackError)) return [{ name: "stack", ok: false, detail: error.message }];
    const cure = `Make it, once: ${make}`;
    return [{ name: "stack", ok: false, later: true, detail: `there is no stack ${stack} yet`, cure }];
  }
}

/** What a stack on one's own machines needs is known from its program too; its settings are told of where they are refused. */
async function ownChecks(program: StackProgram, stack: StackContext): Promise<StackChecks> {
  const { name, files } = stack;
  const { resources, refused } = await resourcesOf(program, files);
  const settings = refused ? [failedCheck("settings", refused)] : [];
  if (!platformsOn(resources).some((platform) => platform.checks)) return { resources, checks: settings };
  const made = hasBackend() ? await stackChecks(name, makeStack(name)) : [];
  return { resources, checks: [...made, ...settings, ...(await platformChecks(stack, resources))] };
}

async function platformChecks(stack: StackContext, resources: readonly RehearsedResource[]): Promise<readonly Check[]> {
  const all = platformsOn(resources).map(async (platform) =>
    platform.checks?.(stack, resources, await partsOf(platform)),
  );
  return (await Promise.all(all)).flatMap((checks) => checks ?? []);
}

const makeStack = (stack: string): string =>
  ownBackend() === undefined ? `eval "$(npx --no oneoff env ${stack})"` : initStack(stack);
