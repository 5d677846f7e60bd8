import { setTimeout as sleep } from "node:timers/promises";
import { Option } from "commander";
import { Exit, MissingError, quote } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import type { RunStatus } from "../../core/run.ts";
import { JsonLines } from "../answer.ts";
import { count, jsonOption, runOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { mayBeLeft } from "../leave.ts";
import { type LogLine, LogReader } from "../log-reader.ts";
import { meantUp } from "../meant-stack.ts";
import { StackRuns } from "../runs.ts";
import { exitOf, ofStep, outcome, patiently } from "../watch.ts";

interface Options extends StackOptions {
  readonly run?: string;
  readonly step?: string;
  readonly follow: boolean;
  readonly tail?: number;
  readonly json: boolean;
}

export const logs: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .addOption(runOption())
        .option("--step <name>", "one step; all in their order when not given, each line with its step's name")
        .option("-f, --follow", "go on until the run has ended", false)
        .addOption(new Option("--tail <n>", "the last so many lines that there are by now").argParser(count))
        .addOption(jsonOption("a line of JSON for each line").default(false))
        .action(printLogs),
      {
        "oneoff logs": "of the selected stack's run",
        "oneoff logs emr-oneoff -f --step train": "of one step, until the run has ended",
        "oneoff logs --run monday --tail 50": "the end of another run's",
      },
      {
        [Exit.no]: "with -f: the run failed",
        [Exit.missing]: "there is no such run or step",
        [Exit.cancelled]: "with -f: the run was cancelled",
      },
    ),
};

async function printLogs(word: string | undefined, options: Options): Promise<void> {
  const { run, step, follow, tail, json } = options;
  const { stack } = await meantUp(word, options);
  const runs = await StackRuns.of(stack);
  const { follower } = runs;
  const id = await runs.find(run);
  let status = await statusOf(runs, id);
  if (step !== undefined) checkStep(step, status);
  const lines = json ? new JsonLines("logs/1", { stack: stack.name, run: id, step }) : undefined;
  const write = ({ name, text }: LogLine) => {
    if (lines) lines.write("line", { step: name, text });
    else console.log(step === undefined ? ofStep(name, text) : text);
  };
  const reader = new LogReader((name, from) => follower.log(id, name, from));
  const read = () => reader.read(stepsOf(status, step), !follow || status.state !== "running");
  const first = await read();
  first.slice(tail === undefined ? 0 : -tail).forEach(write);
  if (first.length === 0) await tellWhyNone(runs, status);
  if (follow && status.state === "running") {
    const stay = mayBeLeft(stack.name, run && id, lines);
    while (status.state === "running") {
      await sleep(follower.pollMs);
      status = await patiently(() => statusOf(runs, id), follower.pollMs, console.error);
      (await read()).forEach(write);
    }
    stay();
  }
  const exit = follow ? exitOf(status.state) : Exit.ok;
  lines?.end(status.state, exit);
  if (follow) console.error(outcome(status));
  process.exitCode = exit;
}

async function statusOf(runs: StackRuns, id: string): Promise<RunStatus> {
  const status = await runs.follower.status(id);
  if (status && status.removed === undefined) return status;
  throw await runs.missing(id);
}

/** Those that may have printed something. */
const stepsOf = ({ steps }: RunStatus, step: string | undefined): RunStatus["steps"] =>
  steps.filter(({ name, state }) => (step === undefined ? state !== "pending" : name === step));

/** @throws MissingError when the run has no such step. */
function checkStep(step: string, { run, steps }: RunStatus): void {
  const names = steps.map(({ name }) => name);
  if (names.includes(step)) return;
  const meant = nearest(step, names);
  const there = names.length === 0 ? "none yet" : new Intl.ListFormat("en-GB").format(names);
  throw new MissingError(
    `run ${quote(run)} has no step ${quote(step)}${meant ? `; did you mean ${quote(meant)}? It` : ": it"} has ${there}`,
  );
}

/** Where no step has printed anything something else may have. */
async function tellWhyNone({ follower }: StackRuns, { run, state }: RunStatus): Promise<void> {
  const evidence = state === "failed" ? await follower.evidence(run) : undefined;
  if (evidence?.text.trim())
    console.error(`No step of run ${run} printed anything; ${evidence.what} did:\n${evidence.text.trimEnd()}`);
  else console.error(`No step of run ${run} has printed anything${state === "running" ? " yet" : ""}.`);
}
