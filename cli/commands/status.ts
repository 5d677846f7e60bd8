import { Exit, UsageError } from "../../core/errors.ts";
import { answerJson, JsonLines } from "../answer.ts";
import { givenStack, jsonOption, type StackOptions, takesStack, withExamples } from "../arguments.ts";
import { isScreen, tableLines, widthOf } from "../columns.ts";
import type { OneoffCommand } from "../command.ts";
import { allStacks, meantIfUp } from "../meant-stack.ts";
import { printable } from "../printable.ts";
import { pause, stopSignal } from "../waiting.ts";

interface Options extends StackOptions {
  readonly all: boolean;
  readonly follow: boolean;
  readonly json: boolean;
}

export const status: OneoffCommand = {
  describe: (command) =>
    withExamples(
      takesStack(command)
        .option("--all", "a line per stack of the project", false)
        .option("-f, --follow", "tell it again until its run has ended", false)
        .addOption(jsonOption().default(false))
        .action(async (word: string | undefined, options: Options) => {
          if (!options.all) return tellStatus(word, options);
          const given = givenStack(word, options);
          if (given !== undefined)
            throw new UsageError(`--all is for all stacks, and stack ${given} is given: leave one out`);
          if (options.follow) throw new UsageError("--follow is for one stack, and --all is given: leave one out");
          await tellAll(options);
        }),
      {
        "oneoff status": "of the stack that is selected",
        "oneoff status emr-oneoff --json": "as JSON",
        "oneoff status --all": "a line per stack",
      },
      { [Exit.missing]: "there is no such stack" },
    ),
};

async function tellStatus(word: string | undefined, options: Options): Promise<void> {
  const [found, { StackRuns }, { statusOf }] = await Promise.all([
    meantIfUp(word, options),
    import("../runs.ts"), // while Pulumi is at it
    import("../status.ts"),
  ]);
  if (found.stack === undefined) return tell({ meant: found.meant, asked: new Date() }, options);
  const runs = await StackRuns.of(found.stack);
  const look = () => statusOf(found.meant, runs);
  if (options.follow) await follow(look, runs.follower.pollMs, options);
  else await tell(await look(), options);
}

type Look = () => Promise<import("../status.ts").StackStatus>;

async function tell(now: Awaited<ReturnType<Look>>, { json }: Options): Promise<void> {
  const { nextOf, statusJson, statusText } = await import("../status.ts");
  if (json) return answerJson("status/1", statusJson(now));
  console.log(statusText(now));
  console.error(`Next     ${nextOf(now)}`);
}

/** Until the run has ended, or Ctrl-C: nothing but this command ends by that. */
async function follow(look: Look, pollMs: number, { json }: Options): Promise<void> {
  const { nextOf, statusJson, statusText } = await import("../status.ts");
  const { patiently } = await import("../watch.ts");
  const stop = stopSignal();
  const update =
    isScreen(process.stdout) && !json ? (await import("log-update")).createLogUpdate(process.stdout) : undefined;
  let lines: JsonLines | undefined;
  for (let last = ""; ; ) {
    const now = await patiently(look, pollMs, console.error);
    const { asked: _, ...body } = statusJson(now);
    const text = JSON.stringify(body, (key, value) => (key === "seconds" || key === "usd" ? undefined : value));
    if (json) lines ??= new JsonLines("status/1", { stack: now.meant.name });
    if (update) update(printable(statusText(now)));
    else if (text !== last) lines ? lines.write("status", body) : console.log(statusText(now));
    last = text;
    const state = now.run?.state ?? "pending";
    if (state === "running" && !stop.aborted) await pause(stop, pollMs);
    if (state === "running" && !stop.aborted) continue;
    update?.done();
    if (stop.aborted) process.exitCode = stop.reason === "SIGINT" ? Exit.interrupted : Exit.terminated;
    else process.exitCode = Exit.ok;
    if (lines) lines.end(state, process.exitCode);
    else console.error(`Next     ${nextOf(now)}`);
    return;
  }
}

async function tellAll({ json }: Options): Promise<void> {
  const [{ lineOf, stackColumns, statusJson }, { stackUp }] = await Promise.all([
    import("../status.ts"),
    import("../stack.ts"),
  ]);
  const lines = await Promise.all((await allStacks()).map((name) => lineOf(name, stackUp)));
  if (json) {
    const answers = lines.map(({ name, status, problem }) => ({
      ...statusJson(status ?? { meant: { name }, asked: new Date() }),
      problem,
    }));
    return answerJson("stacks/1", { stacks: answers });
  }
  if (lines.length === 0) console.error('the project has no stack yet: "npx --no oneoff up STACK" makes one');
  for (const line of tableLines(lines, stackColumns, widthOf(process.stdout))) console.log(line);
}
