#!/usr/bin/env node
/** `oneoff`: what one does with a stack beside `pulumi up` and `pulumi destroy`. */
import { spawnSync } from "node:child_process";
import { Command, InvalidArgumentError, Option } from "commander";
import { quote, UsageError } from "../core/errors.ts";
import { checkRunId } from "../core/run.ts";
import { describeSettings } from "../core/settings.ts";
import { localBackendEnv, ownBackend } from "../engine/backend.ts";
import { clusterOf } from "./cluster.ts";
import { doctor, setupScript } from "./commands/doctor.ts";
import { type LeftoversOptions, leftovers } from "./commands/leftovers.ts";
import { open } from "./commands/open.ts";
import { destroy, newRunId, start, upAndWatch } from "./commands/start.ts";
import { stackFiles } from "./config.ts";
import { ClusterPage, type OpenOptions, TableFormat } from "./options.ts";
import type { ClusterCommands, Outputs } from "./platform.ts";
import { programFiles, programOf } from "./program.ts";
import { ensureOwnStacks, ensureStack, outputsOf, pulumiOutput } from "./pulumi.ts";
import { settingsTable } from "./table.ts";
import { watch } from "./watch.ts";

const STACK = ["[stack]", "the stack", "local"] as const;

const program = new Command("oneoff")
  .description("Throwaway Spark and ML infrastructure: what there is beside `pulumi up` and `pulumi destroy`")
  .showHelpAfterError()
  .version("0.1.0");

program
  .command("doctor")
  .description("say what is installed, what is missing and how to get it")
  .argument(...STACK)
  .action(async (stack: string) => fail(!(await doctor(stack))));

program
  .command("setup")
  .description("make .oneoff/venv with PySpark, where there is none")
  .action(() => {
    const { status } = spawnSync(process.execPath, [setupScript], { stdio: "inherit" });
    process.exitCode = status ?? 1;
  });

program
  .command("env")
  .description('print the environment of stacks that rent nothing, for: eval "$(npx oneoff env)"; make them')
  .argument("[stack]", "the stack to make where there is none; all that rent nothing when not given")
  .action(async (stack: string | undefined) => {
    const { bundled } = stackFiles(stack ?? STACK[2]);
    if (bundled) await (stack === undefined ? ensureOwnStacks() : ensureStack(stack));
    const env = Object.entries(localBackendEnv());
    for (const [key, value] of env) console.log(`export ${key}='${value.replaceAll("'", "'\\''")}'`);
    if (env.length === 0) console.log(`# your own Pulumi backend is used: ${ownBackend()}`);
  });

program
  .command("settings")
  .description("list the settings of a stack and their defaults")
  .argument(...STACK)
  .option("--job <name>", "the job whose settings to list with them")
  .action(async (stack: string, { job }: { job?: string }) => {
    const given: Record<string, string> = job === undefined ? {} : { "oneoff:job": job };
    console.log(settingsTable(describeSettings((await programOf(programFiles(stack))).settings(given))));
  });

program
  .command("watch")
  .description("follow the run of a stack to its end; exit with its outcome")
  .argument(...STACK)
  .option("--no-logs", "show progress without the steps' log lines")
  .action(async (stack: string, { logs }: { logs: boolean }) => {
    const outputs = await outputsOf(stack);
    const cluster = await clusterOf(stack, outputs);
    for (const line of await pageLines(cluster)) console.log(line);
    fail(!(await watch(cluster, String(outputs.run), { logs, output: process.stdout, ...named(stack) })));
  });

program
  .command("open")
  .description("open the dashboard of a stack in the browser")
  .argument(...STACK)
  .addOption(new Option("--ui <page>", "a page of the cluster instead").choices(Object.keys(ClusterPage)))
  .option("--port <port>", "the port on this machine; the page's own or the next free one when not given", portNumber)
  .action((stack: string, options: OpenOptions) => open(stack, options));

program
  .command("cost")
  .description("say what a stack costs at most, without credentials")
  .argument(...STACK)
  .option("--set <key=value>", "a setting, as if it were set; may be given more than once", collect, [])
  .action(async (stack: string, { set }: { set: readonly string[] }) => {
    const { cost, withSettings } = await import("./commands/cost.ts");
    const files = withSettings(programFiles(stack), set);
    const { text, refused } = await cost(await programOf(files), files);
    console.log(text);
    fail(refused);
  });

program
  .command("leftovers")
  .description("say what is left of a stack on AWS, Google Cloud or in Docker after its destroy; fail if anything is")
  .argument(...STACK)
  .option("--delete", "remove what is left, after asking", false)
  .option(
    "--lake <bucket>",
    'only what is of this lake, or of none by "none"; may be given more than once',
    collect,
    [],
  )
  .option("--yes", "don't ask; needs --lake where what is left names one, and on Google Cloud", false)
  .action(async (stack: string, options: LeftoversOptions) => fail(!(await leftovers(stack, options))));

program
  .command("run")
  .description("compute again: set a new run id and bring the stack up; earlier runs stay")
  .argument(...STACK)
  .option("--id <runId>", "the new run's id", newRunId())
  .option("--end-cluster", "end the cluster of the run before, where one is kept alive", false)
  .action(async (stack: string, { id, endCluster }: { id: string; endCluster: boolean }) => {
    const before = await outputsOf(stack).catch(() => undefined); // not up yet: then there is no run either
    if (before) await refuseRun(stack, before, checkRunId(id, "--id"), endCluster);
    await pulumiOutput(stack, ["config", "set", "oneoff:runId", checkRunId(id, "--id")]);
    // A cluster that stays after its run ends by itself one day: Pulumi can't delete what is gone, unless it looks first.
    fail(!(await upAndWatch(stack, before?.mode === "cluster" ? ["--refresh"] : [])));
  });

program
  .command("get")
  .description("write a table of a run as CSV or Parquet")
  .argument("<table>", "a table of the job")
  .option("--stack <name>", "the stack", "local")
  .option("--run <runId>", "the run; the stack's when not given")
  .addOption(new Option("--format <format>", "of the file").choices(Object.keys(TableFormat)).default("csv"))
  .option("--out <file>", "the file to write; standard output when not given")
  .action(async (table: string, options: { stack: string; run?: string; format: TableFormat; out?: string }) => {
    if (options.format === "parquet" && !options.out) throw new UsageError("--format parquet needs --out FILE");
    if (!/^[a-z][a-z0-9_]*$/.test(table)) throw new UsageError(`${quote(table)} is not the name of a table`);
    const outputs = await outputsOf(options.stack);
    const run = checkRunId(options.run ?? String(outputs.run), "--run");
    const { getTable } = await import("./commands/get.ts");
    await getTable(await clusterOf(options.stack, outputs), run, table, options.format, options.out);
  });

program
  .command("start", { hidden: true })
  .description("npm start: bring up stack local and watch its run")
  .action(async () => fail(!(await start())));

program
  .command("destroy", { hidden: true })
  .description("npm run destroy: take away stack local")
  .action(async () => fail(!(await destroy())));

/** @throws UsageError when the run is there already, or the cluster of another one is still in use. */
async function refuseRun(stack: string, outputs: Outputs, id: string, endCluster: boolean): Promise<void> {
  const cluster = await clusterOf(stack, outputs);
  if (await cluster.status(id))
    throw new UsageError(`--id is ${quote(id)}: that run is there already; choose another id`);
  const current = await cluster.status(String(outputs.run));
  if (current?.state === "running") {
    throw new UsageError(
      `run ${quote(outputs.run)} is still going on and would be ended: wait for it with "npx oneoff watch ${stack}", or end it with "npx pulumi destroy --stack ${stack}"`,
    );
  }
  if (current && !endCluster && cluster.isKept?.(current)) {
    throw new UsageError(
      `the cluster of run ${quote(outputs.run)} is kept alive and would be ended, with whatever somebody does in its JupyterLab: if nobody does, "npx oneoff run ${stack} --end-cluster"`,
    );
  }
}

/** Where else to look at a stack, one page per line. */
async function pageLines(cluster: ClusterCommands): Promise<readonly string[]> {
  const pages = (await cluster.pages?.()) ?? [];
  const width = Math.max(0, ...pages.map(({ what }) => what.length));
  return pages.map(({ what, address }) => `${what.padEnd(width)}  ${address}`);
}

function fail(failed: boolean): void {
  if (failed) process.exitCode = 1;
}

/** Names the stack where it isn't the one that is taken by itself. */
const named = (stack: string) => (stack === STACK[2] ? {} : { stack });

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function portNumber(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new InvalidArgumentError("expected a number from 1 to 65535");
}

try {
  await program.parseAsync();
} catch (error) {
  if (!isToldInOneLine(error)) throw error;
  process.stderr.write(`oneoff: ${saidBy(error)}${error.message}\n`);
  process.exitCode = 1;
}

/** By name: the part that is for a cloud is bundled, and has classes of its own. What a service refused is told by it. */
function isToldInOneLine(error: unknown): error is Error {
  return error instanceof Error && (/^(Usage|Transient|Google)Error$/.test(error.name) || "$metadata" in error);
}

/** Who refused, where it was a cloud for a reason that has no words of ours. */
function saidBy(error: Error): string {
  if ("$metadata" in error) return `AWS says ${error.name}: `;
  return error.name === "GoogleError"
    ? `Google says ${"status" in error && error.status ? `${error.status}: ` : ""}`
    : "";
}
