import { quote, UsageError } from "../../core/errors.ts";
import { instanceTable, type UnitPrices, unitTable } from "./prices-data.ts";

export { pricesAsOf } from "./prices-data.ts";

/** What an EC2 instance type has. */
export interface InstanceType {
  readonly vcpus: number;
  readonly memoryGiB: number;
  readonly architecture: "arm64" | "x86_64";
}

interface Row extends InstanceType {
  /** Undefined where EMR does not offer the type. */
  readonly emr: number | undefined;
  readonly ec2: ReadonlyMap<string, number>;
}

const file = "components/aws/prices-data.ts";

const cells = (line: string): readonly string[] => line.trim().split(/\s+/);

const [header, ...lines] = instanceTable.trim().split("\n") as [string, ...string[]];

/** The regions whose prices are known. */
export const pricedRegions: readonly string[] = cells(header).slice(4);

const price = (cell: string | undefined): number | undefined => (cell === "-" ? undefined : Number(cell));

function row(line: string): [string, Row] {
  const [type, vcpus, memory, emr, ...ec2] = cells(line);
  if (type === undefined || ec2.length !== pricedRegions.length) throw new Error(`${file}: cells missing in: ${line}`);
  const prices = pricedRegions.flatMap((region, column) => {
    const usd = price(ec2[column]);
    return usd === undefined ? [] : [[region, usd] as const];
  });
  // A "g" after the generation, as in m7g and c8gd, is Graviton's; g4dn and g5 begin with theirs.
  const architecture = /^[a-z]+\d+g/.test(type) ? "arm64" : "x86_64";
  return [
    type,
    { vcpus: Number(vcpus), memoryGiB: Number(memory), architecture, emr: price(emr), ec2: new Map(prices) },
  ];
}

const rows: ReadonlyMap<string, Row> = new Map(lines.map(row));

/** The types whose prices are known. */
export const pricedTypes: readonly string[] = [...rows.keys()];

function priceRow(type: string): Row {
  const found = rows.get(type);
  if (found !== undefined) return found;
  throw new UsageError(
    `instance type is ${quote(type)}: its price is not known; take another, such as "m7g.xlarge", or add its row to ${file}, which says with which command to find it`,
  );
}

/** @throws UsageError when the region is not in the table. */
export function checkRegion(region: string): void {
  if (pricedRegions.includes(region)) return;
  throw new UsageError(
    `region is ${quote(region)}: its prices are not known; take one of ${pricedRegions.join(", ")}, or add its column to ${file}, which says with which command to find them`,
  );
}

/** @throws UsageError when the type is not in the table: where to add it. */
export function instanceType(name: string): InstanceType {
  const { vcpus, memoryGiB, architecture } = priceRow(name);
  return { vcpus, memoryGiB, architecture };
}

/** Whether the type's price in the region is known, which it is where the type is offered. */
export const isOffered = (type: string, region: string): boolean => rows.get(type)?.ec2.has(region) ?? false;

/**
 * USD per hour on demand.
 *
 * @throws UsageError when the type or the region is not in the table, or the region does not offer the type.
 */
export function ec2PerHour(type: string, region: string): number {
  const { ec2 } = priceRow(type);
  checkRegion(region);
  const usd = ec2.get(region);
  if (usd !== undefined) return usd;
  throw new UsageError(
    `instance type is ${quote(type)}: its price in ${region} is not known, it may not be offered there; take another type, or add the price to ${file}, which says with which command to find it`,
  );
}

/**
 * What EMR adds to the instance's price, USD per hour.
 *
 * @throws UsageError as {@link ec2PerHour} does, and when EMR does not offer the type.
 */
export function emrPerHour(type: string, region: string): number {
  const { emr } = priceRow(type);
  const ec2 = ec2PerHour(type, region);
  if (emr === undefined) {
    throw new UsageError(
      `instance type is ${quote(type)}: EMR does not offer it; take xlarge or larger of the m, c or r families, such as "m7g.xlarge"`,
    );
  }
  // AWS seems to ask the same in every region. That was not seen for every type, and a ceiling must not be too low: so at
  // least a quarter of what the instance costs there.
  return Math.max(emr, Math.ceil(ec2 * 2500 - 1e-6) / 10_000);
}

const names = Object.keys(unitTable) as (keyof UnitPrices)[];

const units = (pick: (perRegion: readonly number[]) => number): UnitPrices =>
  Object.fromEntries(
    names.map((name) => {
      const usd = unitTable[name];
      return [name, typeof usd === "number" ? usd : pick(usd)];
    }),
  ) as Record<keyof UnitPrices, number>;

/** The highest of all known regions: never too low, wherever it is. */
export const unitPrices: UnitPrices = units((perRegion) => Math.max(...perRegion));

/** @throws UsageError when the region is not in the table. */
export function unitPricesIn(region: string): UnitPrices {
  checkRegion(region);
  return units((perRegion) => perRegion[pricedRegions.indexOf(region)] ?? Number.NaN);
}
