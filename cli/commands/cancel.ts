import { createInterface } from "node:readline/promises";
import { formatDuration } from "../../core/duration.ts";
import { UsageError } from "../../core/errors.ts";
import { checkRunId, type RunStatus } from "../../core/run.ts";
import { fail, stackArgument } from "../arguments.ts";
import { type CancelOutcome, cancelRun } from "../cancel.ts";
import type { OneoffCommand } from "../command.ts";
import { attach } from "../registry.ts";
import { stackUp } from "../stack.ts";

interface Options {
  /** @default the stack's */
  readonly run?: string;
  readonly yes: boolean;
}

export const cancel: OneoffCommand = {
  describe: (command) =>
    command
      .description("end the run of a stack; what it wrote stays, and so do the stack and its dashboard")
      .addArgument(stackArgument())
      .option("--run <ID>", "another run than the stack's")
      .option("-y, --yes", "don't ask", false)
      .action(async (name: string, options: Options) => fail(!(await cancelOf(name, options)))),
};

/** Resolves to whether the run is over. */
async function cancelOf(name: string, options: Options): Promise<boolean> {
  const attached = await attach(await stackUp(name));
  const run = options.run === undefined ? attached.run : checkRunId(options.run, "--run");
  const again = `"npx oneoff cancel ${name}${options.run === undefined ? "" : ` --run ${run}`}"`;
  const leave = () => {
    console.error(`\nWhat was asked for stays so, and the run ends: ${again} goes on from here.`);
    process.exit(130);
  };
  const outcome = await cancelRun(name, attached, run, {
    async agreed(status) {
      const isSure = options.yes || (await confirmed(status));
      if (isSure) process.once("SIGINT", leave);
      return isSure;
    },
    say: (line) => console.error(line),
  });
  process.off("SIGINT", leave);
  if (!outcome) return false;
  for (const line of told(name, outcome)) console.log(line);
  return true;
}

async function confirmed(status: RunStatus): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new UsageError("cancel asks before it ends a run: give --yes where nobody can answer");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${atWork(status)} What it wrote stays.\nCancel it? (y/N) `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

function atWork({ run, job, steps }: RunStatus): string {
  const step = steps.find(({ state }) => state === "running");
  if (!step) return `Run ${run} of ${job} is going on.`;
  const progress = step.progress ? ` (${step.progress.what} ${step.progress.done}/${step.progress.total})` : "";
  return `Run ${run} of ${job} is in step ${step.name}${progress}.`;
}

function told(stack: string, { status, wasOver }: CancelOutcome): readonly string[] {
  const { run, job, state, started, ended, error, cost } = status;
  const what = state === "cancelled" ? "was cancelled" : state;
  if (wasOver) return [`Run ${run} of ${job} is over already: it ${what}${ended ? ` at ${ended}` : ""}.`];
  if (state !== "cancelled") {
    const why = error === undefined ? "" : `: ${error}`;
    return [`Run ${run} of ${job} ${state} before it saw that it was to be cancelled${why}.`];
  }
  const took = formatDuration((Date.parse(ended ?? new Date().toISOString()) - Date.parse(started)) / 1000);
  const spent = cost === undefined ? "" : `, for about ${cost.toFixed(2)} USD`;
  return [
    `Run ${run} of ${job} was cancelled after ${took}${spent}. What it wrote stays.`,
    `Next     npx oneoff run ${stack} (computes again, as another run)`,
  ];
}
