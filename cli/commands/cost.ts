import { styleText } from "node:util";
import { pricesAsOf as awsPricesAsOf } from "../../components/aws/prices-data.ts";
import type { StackProgram } from "../../components/common/stack.ts";
import { pricesAsOf as googlePricesAsOf } from "../../components/gcp/prices-data.ts";
import type { BillLine } from "../../core/bill.ts";
import { quote, UsageError } from "../../core/errors.ts";
import type { StackFiles } from "../config.ts";
import { isOn } from "../program.ts";
import { type Rehearsal, rehearse } from "../rehearse.ts";

/** What a stack costs at most, as the terminal shows it, and whether `pulumi up` would refuse it. */
export async function cost(
  program: StackProgram,
  files: StackFiles,
): Promise<{ readonly text: string; readonly refused: boolean }> {
  if (!program.rents)
    return { text: `Stack ${files.stack} rents nothing: it costs nothing.${bucket(files)}`, refused: false };
  const rehearsal = await rehearse(program, files);
  return { text: describe(rehearsal), refused: rehearsal.refusal !== undefined };
}

/** A stack on one's own machines may still have its results elsewhere. */
const bucket = ({ config }: StackFiles): string =>
  /^(s3|gs):/.test(config["oneoff:lake"] ?? "") ? ` What lies in ${config["oneoff:lake"]} is billed by its cloud.` : "";

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

function describe({ bill, ceiling, refusal, resources }: Rehearsal): string {
  const rows = [["what", "USD/h", "hours", "USD"], ...bill.map(row)];
  const width = (column: number) => Math.max(...rows.map((row) => (row[column] as string).length));
  const lines = rows.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(width(0)) : cell.padStart(Math.max(width(column), 6))))
      .join("  "),
  );
  const total = `At most ${ceiling.toFixed(2)} USD, by ${listPrices(resources)}, without tax and free tier.`;
  const verdict = refusal === undefined ? [] : [styleText("red", `"pulumi up" refuses it: ${refusal}`)];
  return [...lines, "", total, ...verdict].join("\n");
}

/** Whose prices a bill is made from, and of which day they are. */
function listPrices(resources: Rehearsal["resources"]): string {
  const google = `Google's list prices of ${googlePricesAsOf}`;
  const aws = `AWS's list prices of ${awsPricesAsOf}`;
  if (!isOn("gcp", resources)) return aws;
  return isOn("aws", resources) ? `${aws} and ${google}` : google;
}

const row = ({ what, usdPerHour, hours, usd }: BillLine): readonly string[] =>
  usdPerHour === 0
    ? [what, "", "", usd.toFixed(2)]
    : [what, usdPerHour < 0.0005 ? "<0.001" : usdPerHour.toFixed(3), number(hours), usd.toFixed(2)];

const number = (value: number): string => (Number.isInteger(value) ? String(value) : value.toFixed(2));
