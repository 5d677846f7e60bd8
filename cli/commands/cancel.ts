import { formatDuration } from "../../core/duration.ts";
import { Exit } from "../../core/errors.ts";
import { checkRunId, type RunStatus } from "../../core/run.ts";
import { answerJson } from "../answer.ts";
import { jsonOption, runOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { ask } from "../ask.ts";
import { type CancelOutcome, cancelRun, runToCancel } from "../cancel.ts";
import type { OneoffCommand } from "../command.ts";
import { describeStep } from "../described.ts";
import { describeStack, meantUp } from "../meant-stack.ts";
import type { StackContext } from "../platform.ts";
import { attach, kindOf } from "../registry.ts";

interface Options extends StackOptions {
  /** @default the stack's */
  readonly run?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const cancel: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .addOption(runOption("another run than the stack's, by its whole id"))
        .option("-y, --yes", "don't ask")
        .option("--dry-run", "say what would be ended")
        .addOption(jsonOption())
        .action(cancelMeant),
      {
        "oneoff cancel": "the run of the selected stack; not `pulumi cancel`",
        "oneoff cancel emr-oneoff --yes": "without a question",
      },
      { [Exit.missing]: "there is no such run", [Exit.cancelled]: "it was not agreed to" },
    ),
};

async function cancelMeant(
  word: string | undefined,
  { run: given, yes, dryRun, json, ...options }: Options,
): Promise<void> {
  const { meant, stack } = await meantUp(word, options);
  const { name } = meant;
  const attached = await attach(stack);
  const run = given === undefined ? attached.run : checkRunId(given, "--run");
  const again = `"npx --no oneoff cancel ${name}${given === undefined ? "" : ` --run ${run}`}"`;
  const leave = () => {
    console.error(`\nWhat was asked for stays so, and the run ends: ${again} goes on from here.`);
    process.exit(Exit.interrupted);
  };
  if (dryRun) {
    const status = await runToCancel(name, attached, run);
    return tell(stack, { status, wasOver: status.state !== "running" }, json);
  }
  const outcome = await cancelRun(name, attached, run, {
    async agree(status) {
      const question = `In ${describeStack(meant)}: ${atWork(status)} What it wrote stays.\nCancel it?`;
      if (!yes) await ask(question, "it ends a run");
      process.once("SIGINT", leave);
    },
    say: (line) => console.error(line),
  });
  process.off("SIGINT", leave);
  tell(stack, outcome, json);
}

function tell(stack: StackContext, outcome: CancelOutcome, json = false): void {
  const { run, state, started, ended, cost } = outcome.status;
  const usd = kindOf(stack).platform.prices ? cost : 0;
  if (json) answerJson("cancel/1", { stack: stack.name, run, state, started, ended, usd, wasOver: outcome.wasOver });
  else for (const line of told(stack.name, outcome)) console.log(line);
}

function atWork({ run, job, steps }: RunStatus): string {
  const step = steps.find(({ state }) => state === "running");
  if (!step) return `Run ${run} of ${job} is going on.`;
  const progress = step.progress ? ` (${describeStep(step)})` : "";
  return `Run ${run} of ${job} is in step ${step.name}${progress}.`;
}

function told(stack: string, { status, wasOver }: CancelOutcome): readonly string[] {
  const { run, job, state, started, ended, error, steps, cost } = status;
  const what = state === "cancelled" ? "was cancelled" : state;
  if (wasOver) return [`Run ${run} of ${job} is over already: it ${what}${ended ? ` at ${ended}` : ""}.`];
  if (state === "running") return [`${atWork(status)} It would be ended; what it wrote would stay.`];
  const took = formatDuration((Date.parse(ended ?? new Date().toISOString()) - Date.parse(started)) / 1000);
  if (state === "succeeded" && steps.some(({ endless }) => endless)) {
    return [`Run ${run} of ${job} ended as it was asked to, after ${took}: it succeeded.`];
  }
  if (state !== "cancelled") {
    const why = error === undefined ? "" : `: ${error}`;
    return [`Run ${run} of ${job} ${state} before it saw that it was to be cancelled${why}.`];
  }
  const spent = cost === undefined ? "" : `, for about ${cost.toFixed(2)} USD`;
  return [
    `Run ${run} of ${job} was cancelled after ${took}${spent}. What it wrote stays.`,
    `Next     npx --no oneoff run ${stack} (computes again) | npx --no oneoff down ${stack} (ends it all)`,
  ];
}
