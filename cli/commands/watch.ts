import { Option } from "commander";
import { Exit, TransientError } from "../../core/errors.ts";
import { JsonLines } from "../answer.ts";
import { jsonOption, runOption, type StackOptions, spanOfTime, takesStack, withExamples } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import { mayBeLeft } from "../leave.ts";
import { meantUp } from "../meant-stack.ts";
import { StackRuns } from "../runs.ts";
import type { StreamReader } from "../stream-events.ts";
import { watch as watchRun } from "../watch.ts";

interface Options extends StackOptions {
  /** @default for people who don't look at bars */
  readonly logs?: boolean;
  readonly run?: string;
  readonly json: boolean;
  /** In seconds. */
  readonly timeout?: number;
}

export const watch: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .addOption(runOption())
        .option("--logs", "the steps' log lines too, as it is where there is no terminal")
        .option("--no-logs", "progress without the steps' log lines, as it is on a terminal")
        .addOption(new Option("--timeout <time>", "wait no longer: 90s, 10m, 1h").argParser(spanOfTime))
        .addOption(jsonOption("a line of JSON for each change").default(false))
        .action(watchIt),
      {
        "oneoff watch": "the run of the selected stack",
        "oneoff watch emr-oneoff --run two --no-logs": "another run, without log lines",
        "oneoff watch --timeout 10m": "for ten minutes at most",
      },
      {
        [Exit.no]: "the run failed",
        [Exit.missing]: "there is no such run, or several begin so",
        [Exit.cancelled]: "the run was cancelled",
        [Exit.timeout]: "--timeout is over, and the run goes on",
      },
    ),
};

async function watchIt(word: string | undefined, { logs, run, json, timeout, ...options }: Options): Promise<void> {
  const { stack } = await meantUp(word, options);
  const runs = await StackRuns.of(stack);
  const id = await runs.find(run);
  const { isTTY } = process.stdout;
  if (!json) await tellPages(runs); // they open also where the run can't be told of
  const isOver = await runs.follower.status(id).then(
    async (status) => {
      if (!status || status.removed !== undefined) throw await runs.missing(id);
      return status.state !== "running";
    },
    (error: Error) => {
      if (error instanceof TransientError) return false; // whoever watches is patient
      throw error;
    },
  );
  const lines = json ? new JsonLines("watch/1", { stack: stack.name, run: id }) : undefined;
  const stay = isOver ? () => {} : mayBeLeft(stack.name, run && id, lines);
  const isLimited = timeout !== undefined && !isOver;
  const timer = isLimited ? setTimeout(() => leave(id, lines), timeout * 1000) : undefined;
  const shown = { logs: logs ?? !(json || isTTY), output: process.stdout, stack: stack.name };
  const stream = isOver ? undefined : await streamOf(runs, id);
  try {
    process.exitCode = await watchRun(runs.follower, id, { ...shown, json: lines, isBilled: runs.isBilled, stream });
  } finally {
    stream?.stop();
    clearTimeout(timer);
    stay();
  }
}

async function streamOf({ attached, stack }: StackRuns, run: string): Promise<StreamReader | undefined> {
  const page = attached.stream?.page;
  if (page === undefined) return undefined;
  const { StreamReader } = await import("../stream-events.ts");
  const hint = `"npx --no oneoff up ${stack.name}" starts it again`;
  return new StreamReader(page, run, hint, (line) => console.error(line));
}

async function tellPages({ attached }: StackRuns): Promise<void> {
  const pages = await attached.pages();
  const width = Math.max(0, ...pages.map(({ title }) => title.length));
  for (const { title, address } of pages) console.log(`${title.padEnd(width)}  ${address}`);
}

function leave(run: string, lines: JsonLines | undefined): void {
  console.error(`Run ${run} goes on, and --timeout is over.`);
  lines?.end("running", Exit.timeout);
  process.exit(Exit.timeout);
}
