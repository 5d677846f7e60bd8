import type { SettingDoc } from "../core/settings.ts";

/** Settings as a Markdown table: for the terminal and, through `npm run docs`, for the pages of docs/. */
export function settingsTable(settings: readonly SettingDoc[]): string {
  const rows = [
    ["setting", "default", "what it does"],
    ["---", "---", "---"],
    ...settings.map(({ key, about, default: value }) => [
      `\`${key}\``,
      value === undefined ? "" : `\`${value}\``,
      about,
    ]),
  ] as [string, string, string][];
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  return rows.map(([a, b, c]) => `| ${a.padEnd(width(0))} | ${b.padEnd(width(1))} | ${c} |`).join("\n");
}
