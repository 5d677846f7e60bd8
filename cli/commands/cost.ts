import { styleText } from "node:util";
import { type StackProgram, settingsOf } from "../../components/common/stack.ts";
import type { BillLine } from "../../core/bill.ts";
import { quote, UsageError } from "../../core/errors.ts";
import { collect, fail, stackArgument } from "../arguments.ts";
import type { OneoffCommand } from "../command.ts";
import type { StackFiles } from "../config.ts";
import { programFiles, programOf, rehearseOwn } from "../program.ts";
import { platforms, platformsOn } from "../registry.ts";
import type { Rehearsal } from "../rehearse.ts";

export const cost: OneoffCommand = {
  describe: (command) =>
    command
      .description("say what a stack costs at most, without credentials")
      .addArgument(stackArgument())
      .option("--set <key=value>", "a setting, as if it were set; may be given more than once", collect, [])
      .action(async (stack: string, { set }: { readonly set: readonly string[] }) => {
        const files = withSettings(programFiles(stack), set);
        const { text, refused } = files.bundled ? await costText(await programOf(files), files) : await ownCost(files);
        console.log(text);
        fail(refused);
      }),
};

interface Cost {
  readonly text: string;
  /** Whether `pulumi up` would refuse it, or nothing is known of it. */
  readonly refused: boolean;
}

/** What a stack costs at most, as the terminal shows it. */
export async function costText(program: StackProgram, files: StackFiles): Promise<Cost> {
  if (!program.rents) {
    settingsOf(program, files.config);
    return { text: `Stack ${files.stack} rents nothing: it costs nothing.${bucket(files)}`, refused: false };
  }
  const { rehearse } = await import("../rehearse.ts");
  const rehearsal = await rehearse(program, files);
  return { text: describe(rehearsal, await listPrices(rehearsal.resources)), refused: rehearsal.refusal !== undefined };
}

/** The same of a program of the user's own: what it says it costs. */
async function ownCost(files: StackFiles): Promise<Cost> {
  const rehearsal = await rehearseOwn(files);
  if (rehearsal.bill.length > 0) {
    return { text: describe(rehearsal, await listPrices(rehearsal.resources)), refused: false };
  }
  const priced = platformsOn(rehearsal.resources).filter(({ prices }) => prices);
  if (priced.length === 0) return { text: `Stack ${files.stack} rents nothing that is known here.`, refused: false };
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

function describe({ bill, ceiling, refusal }: Rehearsal, prices: string): string {
  const rows = [["what", "USD/h", "hours", "USD"], ...bill.map(row)];
  const width = (column: number) => Math.max(...rows.map((row) => (row[column] as string).length));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(width(0)) : cell.padStart(Math.max(width(column), 6))))
      .join("  "),
  );
  const total = `At most ${ceiling.toFixed(2)} USD${prices}, without tax and free tier.`;
  const verdict = refusal === undefined ? [] : [styleText("red", `"pulumi up" refuses it: ${refusal}`)];
  return [...lines, "", total, ...verdict].join("\n");
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
