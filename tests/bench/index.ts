/**
 * `npm run bench`: the figures that this project promises, as tables with the load average beside them. They are read,
 * not asserted: machines are shared and noisy. Name parts to measure only those: npm run bench -- cli stack sweep page athena bigquery fleet
 */
import { loadavg } from "node:os";
import { athena } from "./athena.ts";
import { bigquery } from "./bigquery.ts";
import { cli } from "./cli.ts";
import { convert } from "./convert.ts";
import { deploy } from "./deploy.ts";
import { fleet } from "./fleet.ts";
import { page } from "./page.ts";
import { stack } from "./stack.ts";
import { sweep } from "./sweep.ts";

/** One figure: what was measured, what came out, and what it should be at most (or at least). */
export interface Figure {
  readonly what: string;
  readonly measured: string;
  readonly aim?: string;
}

const parts: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  cli,
  stack,
  sweep,
  page,
  athena,
  bigquery,
  deploy,
  convert,
  fleet,
};

const chosen = process.argv.slice(2);
for (const [name, measure] of Object.entries(parts)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const before = loadavg()[0] as number;
  const figures = await measure();
  console.log(`\n${name} (load average ${before.toFixed(2)} before, ${(loadavg()[0] as number).toFixed(2)} after)\n`);
  const rows = [["what", "measured", "aim"], ...figures.map(({ what, measured, aim }) => [what, measured, aim ?? ""])];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] as string).length)));
  for (const row of [rows[0], widths.map((width) => "-".repeat(width)), ...rows.slice(1)]) {
    console.log(`| ${(row as string[]).map((cell, column) => cell.padEnd(widths[column] as number)).join(" | ")} |`);
  }
}
