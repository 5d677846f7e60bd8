import { Option } from "commander";
import { Exit } from "../../core/errors.ts";
import type { RunOrigin } from "../../core/run-origin.ts";
import { answerJson } from "../answer.ts";
import { count, jsonOption, type StackOptions, stackOption, takesStack, withExamples } from "../arguments.ts";
import { type Column, labelled, tableLines, widthOf } from "../columns.ts";
import type { OneoffCommand } from "../command.ts";
import { number } from "../described.ts";
import { meantUp } from "../meant-stack.ts";
import { type KnownRun, runJson, StackRuns, secondsOf } from "../runs.ts";
import { runText } from "../status.ts";
import { type RunTable, tablesOfRun } from "../tables-of-run.ts";
import { minute, secondsBetween, short } from "../when.ts";

interface ListOptions extends StackOptions {
  readonly number?: number;
  readonly json?: boolean;
}

interface RemoveOptions extends StackOptions {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export const runs: OneoffCommand = {
  describe: (command) => {
    withExamples(
      takesStack(command)
        .addOption(new Option("-n, --number <n>", "the newest so many; all when not given").argParser(count))
        .addOption(jsonOption())
        .action(listRuns),
      {
        "oneoff runs": "of the selected stack, the newest first",
        "oneoff runs emr-oneoff -n 5": "the newest five",
        "oneoff runs show monday": "all about one, by the beginning of its id",
        "oneoff runs rm 2026-11-29-191143": "remove one with all that it wrote",
      },
      { [Exit.missing]: "there is no such stack" },
    );
    // The options of `runs` itself are taken wherever they stand, before these too.
    withExamples(
      command
        .command("show <id>")
        .description("Tell all about a run: what became of it, its tables, what made it.")
        .addOption(stackOption())
        .addOption(jsonOption())
        .action((id, _, command) => showRun(id, command.optsWithGlobals())),
      { "oneoff runs show monday": "by its id, or the beginning of it" },
      { [Exit.missing]: "there is no such run, or several begin so" },
    );
    withExamples(
      command
        .command("rm <id...>")
        .description("Remove runs with all they wrote: tables, logs, records. Their ids stay used.")
        .addOption(stackOption())
        .option("-y, --yes", "don't ask")
        .option("--dry-run", "say what would be removed")
        .action((ids, _, command) => removeRuns(ids, command.optsWithGlobals())),
      {
        "oneoff runs rm monday tuesday": "two, by their whole ids",
        "oneoff runs rm monday --dry-run": "say what that would remove",
      },
      {
        [Exit.refused]: "it still goes on",
        [Exit.missing]: "there is no such run",
        [Exit.cancelled]: "it was not agreed to",
      },
    );
  },
};

async function listRuns(word: string | undefined, { number: most, json, ...options }: ListOptions): Promise<void> {
  const { stack } = await meantUp(word, options);
  const found = await StackRuns.of(stack);
  const list = (await found.list()).slice(0, most);
  if (json) return answerJson("runs/1", { stack: stack.name, runs: list.map(runJson) });
  for (const line of tableLines(list, columns(found.isBilled), widthOf(process.stdout))) console.log(line);
  if (list.length === 0)
    console.error(`stack ${stack.name} has no run yet: "npx --no oneoff run ${stack.name}" makes one`);
}

const columns = (isBilled: boolean): readonly Column<KnownRun>[] => [
  { head: "RUN", text: ({ status }) => status.run },
  { head: "JOB", text: ({ status }) => status.job, rank: 3 },
  { head: "STATE", text: ({ state }) => state, rank: 5 },
  { head: "STARTED (UTC)", text: ({ status }) => minute(status.started), rank: 4 },
  { head: "TOOK", text: tookText, rank: 2 },
  ...(isBilled ? [{ head: "USD", text: usdText, align: "right", rank: 1 } as const] : []),
];

const usdText = ({ usd }: KnownRun): string => usd?.toFixed(2) ?? "";

function tookText(known: KnownRun): string {
  const seconds = secondsOf(known);
  return seconds === undefined ? "" : `${short(seconds)}${known.state === "running" ? " so far" : ""}`;
}

async function showRun(given: string, { json, ...options }: ListOptions): Promise<void> {
  const { stack } = await meantUp(undefined, options);
  const found = await StackRuns.of(stack);
  const id = await found.find(given, "ID");
  const known = await found.one(id);
  if (!known) throw await found.missing(id);
  const { lake } = found;
  const tables = await tablesOfRun(lake, id, known.record);
  const log = `${lake.address}/_logs/${id}/`;
  if (json) {
    const origin = known.record?.origin ?? null;
    return answerJson("run/1", { stack: stack.name, ...runJson(known), origin, lake: lake.address, log });
  }
  const { status, usd } = known;
  const lines = labelled([
    ["Run", runText(known)],
    ["Started", `${minute(status.started)} UTC`],
    ["Ended", status.ended && `${minute(status.ended)} UTC`],
    ["Cost", found.isBilled && usd !== undefined ? `about ${usd.toFixed(2)} USD` : undefined],
    ["Steps", labelled(status.steps.map(stepText)).join("\n") || undefined],
    ["Tables", labelled(tables.map((table) => tableText(table, lake.address, id))).join("\n") || "none"],
    ["Made by", known.record?.origin && originText(known.record.origin)],
    ["Logs", log],
  ]);
  for (const line of lines) console.log(line);
}

type Labelled = readonly [label: string, text: string];

const stepText = ({ name, state, started, ended }: KnownRun["status"]["steps"][number]): Labelled => [
  name,
  `${state}${started && ended ? ` in ${short(secondsBetween(started, ended))}` : ""}`,
];

const tableText = ({ table, rows, digest }: RunTable, lake: string, run: string): Labelled => [
  table,
  `${rows === undefined ? "not counted" : `${number(rows)} row${rows === 1 ? "" : "s"}, digest ${digest}`}, in ${lake}/${table}/run=${run}/`,
];

function originText({ version, commit, changed, settings }: RunOrigin): string {
  const keys = Object.entries(settings).map(([key, value]) => `${key}=${value ?? "[secret]"}`);
  return [
    `pulumi-oneoff ${version}${commit ? `, commit ${commit.slice(0, 12)}${changed ? " and changes since" : ""}` : ""}`,
    ...keys,
  ].join("\n");
}

async function removeRuns(ids: readonly string[], options: RemoveOptions): Promise<void> {
  const { meant, stack } = await meantUp(undefined, options);
  const { planRemoval, removeRun, tellPlan } = await import("../run-removal.ts");
  const found = await StackRuns.of(stack);
  const plans = [];
  for (const id of new Set(ids)) plans.push(await planRemoval(found, id)); // all are looked at before the first is removed
  for (const plan of plans) console.error(tellPlan(plan, meant, found.attached.stays));
  if (options.dryRun) return console.error("That would be removed, and nothing was.");
  if (!options.yes) {
    const { ask } = await import("../ask.ts");
    await ask(plans.length === 1 ? "Remove it?" : `Remove these ${plans.length} runs?`, "it removes results");
  }
  for (const plan of plans) {
    await removeRun(found, plan);
    console.log(`Run ${plan.run} is removed; its id stays used.`);
  }
}
