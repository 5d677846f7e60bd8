/** The parts of the documentation that are made from code: settings tables, bills, the SQL subset and the rooms. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { markdown } from "../../assets/dashboard/panels/subset.ts";
import { jobKind } from "../../assets/jobs/registry.ts";
import { commands } from "../../cli/commands/index.ts";
import { stackFiles } from "../../cli/config.ts";
import { costOf } from "../../cli/cost.ts";
import { programOf } from "../../cli/program.ts";
import { settingsTable } from "../../cli/table.ts";
import { Exit } from "../../core/errors.ts";
import { describeSettings } from "../../core/settings.ts";
import { drawing, importsIn } from "../rooms.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Settings of a stack, and of the job that is given. */
export const settingsOf = async (stack: string, given: Readonly<Record<string, string>> = {}) =>
  describeSettings((await programOf(stackFiles(stack))).settings(given));

const made: Readonly<Record<string, (argument: string) => Promise<string>>> = {
  settings: async (stack) => settingsTable(await settingsOf(stack)),
  job: async (name) => settingsTable(describeSettings(jobKind(name).settings)),
  cost: async (stack) => {
    const files = stackFiles(stack);
    const { text } = await costOf(files);
    return `\n${text.replace(/^(?=.)/gm, "    ")}\n`;
  },
  sql: async () => markdown(),
  commands: async () => commandsTable(),
  exits: async () => exitsTable(),
  rooms: async () => drawing(importsIn(root).imports),
};

const table = (rows: readonly (readonly string[])[]): string => {
  const [head = []] = rows;
  const lines = [head, head.map(() => "---"), ...rows.slice(1)];
  return `\n${lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
};

const commandsTable = (): string =>
  table([
    ["command", "what it does"],
    ...Object.entries(commands).flatMap(([name, { group, summary }]) => (group ? [[`\`${name}\``, summary]] : [])),
  ]);

const MEANINGS: Readonly<Record<keyof typeof Exit, string>> = {
  ok: "done, also where there was nothing left to do",
  no: "the answer is no: a run failed, something is left, something is missing",
  usage: "wrong usage or settings; `--yes` is missing where nobody can be asked",
  login: "not logged in, or credentials are refused",
  failed: "a cloud, Docker or a deployment failed",
  refused: "a rule refuses it, such as `oneoff:maxCost`",
  missing: "there is no such stack, run or table, or none is selected",
  cancelled: "the run was cancelled, or a question was answered by no",
  timeout: "the time of a wait is over, and the run goes on",
  interrupted: "Ctrl-C",
  terminated: "SIGTERM",
  bug: "a fault of oneoff itself",
};

const exitsTable = (): string =>
  table([
    ["code", "meaning"],
    ...Object.entries(Exit).map(([name, code]) => [`${code}`, MEANINGS[name as keyof typeof Exit]]),
  ]);

/** Pages of the documentation, paths relative to the root. */
export const pages = (): readonly string[] => [
  "README.md",
  "CONTRIBUTING.md",
  ...globSync("docs/**/*.md", { cwd: root }),
];

export const readPage = (page: string): string => readFileSync(`${root}/${page}`, "utf8");

/** A page with its generated parts as the code says they are. */
export async function regenerated(page: string): Promise<string> {
  let text = readPage(page);
  for (const [block, kind, argument] of text.matchAll(
    /<!-- (settings|job|cost|sql|rooms|commands|exits) ?(\S*) -->\n[\s\S]*?<!-- end -->/g,
  )) {
    const content = await made[kind as string]?.(argument as string);
    text = text.replace(block, () => `<!-- ${`${kind} ${argument}`.trim()} -->\n${content}\n<!-- end -->`);
  }
  return text;
}
