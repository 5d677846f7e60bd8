import { styleText } from "node:util";
import { type StackProgram, settingsOf } from "../components/common/stack.ts";
import type { BillLine } from "../core/bill.ts";
import { quote, UsageError } from "../core/errors.ts";
import type { StackFiles } from "./config.ts";
import { programOf, rehearseOwn } from "./program.ts";
import { platforms, platformsOn } from "./registry.ts";
import type { Rehearsal } from "./rehearse.ts";

/** What a stack costs at most. */
export interface Cost {
  /** All of it, as the terminal shows it. */
  readonly text: string;
  /** In one line. */
  readonly short: string;
  readonly bill: readonly BillLine[];
  /** USD. */
  readonly ceiling: number;
  /** Why `pulumi up` would refuse it. @default it would not */
  readonly refusal?: string;
}

/** What a stack costs at most, told without credentials. @throws UsageError for settings that its program refuses. */
export const costOf = async (files: StackFiles): Promise<Cost> =>
  files.bundled ? bundledCost(await programOf(files), files) : ownCost(files);

const nothing = (text: string): Cost => ({ text, short: text, bill: [], ceiling: 0 });

/** The same of a program that comes with this package. */
export async function bundledCost(program: StackProgram, files: StackFiles): Promise<Cost> {
  if (!program.rents) {
    settingsOf(program, files.config);
    return nothing(`Stack ${files.stack} rents nothing: it costs nothing.${bucket(files)}`);
  }
  const { rehearse } = await import("./rehearse.ts");
  return describe(await rehearse(program, files));
}

/** The same of a program of the user's own: what it says it costs. */
async function ownCost(files: StackFiles): Promise<Cost> {
  const rehearsal = await rehearseOwn(files);
  if (rehearsal.bill.length > 0) return describe(rehearsal);
  const priced = platformsOn(rehearsal.resources).filter(({ prices }) => prices);
  if (priced.length === 0) return nothing(`Stack ${files.stack} rents nothing that is known here.`);
  const where = new Intl.ListFormat("en-GB").format(priced.map(({ title }) => title));
  throw new UsageError(
    `stack ${files.stack} makes things on ${where}, and its program says no bill: give one to outputs({ ..., bill }), made of what the components' bill() return`,
  );
}

/** A stack on one's own machines may still have its results elsewhere. */
const bucket = ({ config: { "oneoff:lake": lake = "" } }: StackFiles): string =>
  platforms.some(({ lakes, prices }) => prices && lakes && lake.startsWith(lakes.scheme))
    ? ` What lies in ${lake} is billed by its cloud.`
    : "";

/** Settings of a stack with those put over them that `--set key=value` gives. */
export function withSettings(files: StackFiles, given: readonly string[]): StackFiles {
  const entries = given.map((text): readonly [string, string] => {
    const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === undefined)
      throw new UsageError(`--set is ${quote(text)}: expected key=value, such as oneoff:deadline="1 hour"`);
    return [key.includes(":") ? key : `oneoff:${key}`, value as string];
  });
  return { ...files, config: { ...files.config, ...Object.fromEntries(entries) } };
}

async function describe({ bill, ceiling, refusal, resources }: Rehearsal): Promise<Cost> {
  const rows = [["what", "USD/h", "hours", "USD"], ...bill.map(row)];
  const width = (column: number) => Math.max(...rows.map((row) => (row[column] as string).length));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(width(0)) : cell.padStart(Math.max(width(column), 6))))
      .join("  "),
  );
  const short = `At most ${ceiling.toFixed(2)} USD${await listPrices(resources)}, without tax and free tier.`;
  const verdict = refusal === undefined ? [] : [styleText("red", `"pulumi up" refuses it: ${refusal}`)];
  const text = [...lines, "", short, ...verdict].join("\n");
  return { text, short, bill, ceiling, ...(refusal !== undefined && { refusal }) };
}

/** Whose prices a bill is made from, and of which day they are. */
async function listPrices(resources: Rehearsal["resources"]): Promise<string> {
  const prices = await Promise.all(platformsOn(resources).map((platform) => platform.prices?.()));
  const lists = prices.flatMap((price) => (price ? [`${price.whose}'s list prices of ${price.asOf}`] : []));
  return lists.length === 0 ? "" : `, by ${lists.join(" and ")}`;
}

const row = ({ what, usdPerHour, hours, usd }: BillLine): readonly string[] =>
  usdPerHour === 0
    ? [what, "", "", usd.toFixed(2)]
    : [what, usdPerHour < 0.0005 ? "<0.001" : usdPerHour.toFixed(3), number(hours), usd.toFixed(2)];

const number = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2));
