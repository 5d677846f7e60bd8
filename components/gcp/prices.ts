import { invalid, quote, UsageError } from "../../core/errors.ts";
import { regionTable, shapes, sharedCore, type UnitPrices, unitTable } from "./prices-data.ts";

export { pricesAsOf } from "./prices-data.ts";

/** What a machine type of Compute Engine has. */
export interface MachineType {
  readonly vcpus: number;
  readonly memoryGiB: number;
  /** Such as "n2". */
  readonly family: string;
}

/** Google divides a month's price by that month's hours: nothing is dearer by the hour than in February. */
export const HOURS_PER_MONTH = 28 * 24;
/** Types of any size cost a twentieth more than those of fixed ones, at most. */
const CUSTOM_FACTOR = 1.05;

/** USD per hour. */
interface Rates {
  readonly vcpu: number;
  readonly gibibyte: number;
}

interface Row {
  /** By family; undefined where the region does not offer it. */
  readonly rates: ReadonlyMap<string, Rates | undefined>;
  readonly units: UnitPrices;
}

interface PricedMachine extends MachineType {
  readonly billedVcpus: number;
  readonly factor: number;
  readonly shared: boolean;
}

const file = "components/gcp/prices-data.ts";
const families = Object.keys(shapes);
const cells = (line: string): readonly string[] => line.trim().split(/\s+/);

const [header, ...lines] = regionTable.trim().split("\n") as [string, ...string[]];

function row(line: string): [string, Row] {
  const names = cells(header);
  const values = cells(line);
  if (values.length !== names.length) throw new Error(`${file}: cells missing in: ${line}`);
  const cell = (name: string) => values[names.indexOf(name)] as string;
  const rates = families.map((family) => {
    const [vcpu, gibibyte] = cell(family).split("+").map(Number);
    return [family, gibibyte === undefined ? undefined : { vcpu: vcpu as number, gibibyte }] as const;
  });
  const units = {
    ...unitTable,
    pdStandardGibibyteMonth: Number(cell("pd-standard")),
    pdBalancedGibibyteMonth: Number(cell("pd-balanced")),
    gcsGibibyteMonth: Number(cell("GCS")),
    dcuHour: Number(cell("DCU")),
    shuffleGibibyteMonth: Number(cell("shuffle")),
    bigQueryTebibyteScanned: Number(cell("BigQuery")),
  };
  return [cell("region"), { rates: new Map(rates), units }];
}

const rows: ReadonlyMap<string, Row> = new Map(lines.map(row));

/** The regions whose prices are known. */
export const pricedRegions: readonly string[] = [...rows.keys()];

const fixed: ReadonlyMap<string, PricedMachine> = new Map([
  ...Object.entries(sharedCore).map(([name, { billedVcpus, memoryGiB }]): [string, PricedMachine] => [
    name,
    { vcpus: 2, memoryGiB, family: "e2", billedVcpus, factor: 1, shared: true },
  ]),
  ...Object.entries(shapes).flatMap(([family, kinds]) =>
    Object.entries(kinds).flatMap(([kind, { vcpus, gibibytesPerVcpu }]) =>
      vcpus.map((count): [string, PricedMachine] => [
        `${family}-${kind}-${count}`,
        {
          vcpus: count,
          memoryGiB: count * gibibytesPerVcpu,
          family,
          billedVcpus: count,
          factor: 1,
          shared: false,
        },
      ]),
    ),
  ),
]);

/** The machine types whose prices are known, beside those of any size such as "n2-custom-4-16384". */
export const pricedTypes: readonly string[] = [...fixed.keys()];

/** @throws UsageError when there is neither such a fixed type nor a family of any size. */
function machineRow(name: string, argument = "machine type"): PricedMachine {
  const found = fixed.get(name) ?? custom(name);
  if (found !== undefined) return found;
  throw invalid(
    argument,
    name,
    `its price is not known; take one of families ${families.join(", ")}, such as "n2-standard-4", or add its family to ${file}, which says with which command to find it`,
  );
}

/** Family, vCPUs and MiB, of which Google takes multiples of 256. */
function custom(name: string): PricedMachine | undefined {
  const [, family, cores, mebibytes] = /^(e2|n1|n2|n2d|n4)-custom-([1-9]\d*)-([1-9]\d*)$/.exec(name) ?? [];
  if (family === undefined || Number(mebibytes) % 256 !== 0) return undefined;
  const vcpus = Number(cores);
  return {
    vcpus,
    memoryGiB: Number(mebibytes) / 1024,
    family,
    billedVcpus: vcpus,
    factor: CUSTOM_FACTOR,
    shared: false,
  };
}

function inRegion(region: string): Row {
  const found = rows.get(region);
  if (found !== undefined) return found;
  throw new UsageError(
    `region is ${quote(region)}: its prices are not known; take one of ${pricedRegions.join(", ")}, or add its row to ${file}, which says with which command to find them`,
  );
}

/**
 * @param argument what to name in the error.
 * @throws UsageError when the type's price is not known: where to add it.
 */
export function machineType(name: string, argument?: string): MachineType {
  const { vcpus, memoryGiB, family } = machineRow(name, argument);
  return { vcpus, memoryGiB, family };
}

/**
 * What a machine without its disk costs, USD per hour on demand, rounded up to a millionth. Spot machines cost less.
 *
 * @throws UsageError when the type's or the region's price is not known, or the region does not offer the family.
 */
export function computePerHour(type: string, region: string): number {
  const { family, billedVcpus, memoryGiB, factor } = machineRow(type);
  const rates = inRegion(region).rates.get(family);
  if (rates === undefined) {
    throw new UsageError(
      `machine type is ${quote(type)}: ${region} does not offer family ${family}; take another, such as "n2-standard-4"`,
    );
  }
  return Math.ceil((billedVcpus * rates.vcpu + memoryGiB * rates.gibibyte) * factor * 1e6 - 1e-6) / 1e6;
}

/**
 * What Dataproc adds to a machine's price, USD per hour, the same in every region.
 *
 * @throws UsageError as {@link machineType} does, and for a type that Dataproc does not take.
 */
export function dataprocPerHour(type: string): number {
  const { vcpus, shared } = machineRow(type);
  if (shared) {
    throw new UsageError(
      `machine type is ${quote(type)}: Dataproc takes no machine that shares a core; take a larger one, such as "n2-standard-4"`,
    );
  }
  return vcpus * unitTable.dataprocVcpuHour;
}

/** @throws UsageError when the region is not in the table. */
export const unitPricesIn = (region: string): UnitPrices => inRegion(region).units;

/** The highest of all known regions: never too low, wherever it is. */
export const unitPrices: UnitPrices = [...rows.values()]
  .map(({ units }) => units)
  .reduce((a, b) => {
    const names = Object.keys(a) as (keyof UnitPrices)[];
    return Object.fromEntries(names.map((name) => [name, Math.max(a[name], b[name])])) as unknown as UnitPrices;
  });
