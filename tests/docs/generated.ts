/** The parts of the documentation that are made from code: settings tables, bills, the SQL subset and the rooms. */
import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { markdown } from "../../assets/dashboard/panels/subset.ts";
import { stackFiles } from "../../cli/config.ts";
import { costOf } from "../../cli/cost.ts";
import { programOf } from "../../cli/program.ts";
import { settingsTable } from "../../cli/table.ts";
import { describeSettings } from "../../core/settings.ts";
import { drawing, importsIn } from "../rooms.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Settings of a stack, and of the job that is given. */
export const settingsOf = async (stack: string, given: Readonly<Record<string, string>> = {}) =>
  describeSettings((await programOf(stackFiles(stack))).settings(given));

const made: Readonly<Record<string, (argument: string) => Promise<string>>> = {
  settings: async (stack) => settingsTable(await settingsOf(stack)),
  cost: async (stack) => {
    const files = stackFiles(stack);
    const { text } = await costOf(files);
    return `\n${text.replace(/^(?=.)/gm, "    ")}\n`;
  },
  sql: async () => markdown(),
  rooms: async () => drawing(importsIn(root).imports),
};

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
    /<!-- (settings|cost|sql|rooms) ?(\S*) -->\n[\s\S]*?<!-- end -->/g,
  )) {
    const content = await made[kind as string]?.(argument as string);
    text = text.replace(block, () => `<!-- ${`${kind} ${argument}`.trim()} -->\n${content}\n<!-- end -->`);
  }
  return text;
}
