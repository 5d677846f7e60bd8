import { expect, test } from "vitest";
import {
  ec2PerHour,
  emrPerHour,
  instanceType,
  pricedRegions,
  pricedTypes,
  pricesAsOf,
  unitPrices,
  unitPricesIn,
} from "../../../components/aws/prices.ts";
import { unitTable } from "../../../components/aws/prices-data.ts";
import { UsageError } from "../../../core/errors.ts";

// None of these is a source of the table's column (components/aws/prices-data.ts): us-east-1 from EC2's own price list of 2026-07-20
// (aws/karpenter-provider-aws), m7g elsewhere from skypilot-org/skypilot-catalog, catalogs/v8/aws/vms.csv, m6i.xlarge in eu-north-1 from the
// price list of 2026-10-01, m6a.xlarge in eu-west-1 from instances-api.vantage.sh of 2026-10-01, m5.xlarge in ap-south-1 from a price list of
// 2026-10-02, g6e.2xlarge in eu-central-1 from instances.vantage.sh of 2026-01-21 (tsaol/aws-gpu).
test.each([
  ["t4g.small", "us-east-1", 0.0168],
  ["m7g.xlarge", "us-east-1", 0.1632],
  ["m8g.2xlarge", "us-east-1", 0.35904],
  ["c7i.4xlarge", "us-east-1", 0.714],
  ["r6g.8xlarge", "us-east-1", 1.6128],
  ["g6.2xlarge", "us-east-1", 0.9776],
  ["m7g.xlarge", "us-east-2", 0.1632],
  ["m7g.xlarge", "us-west-1", 0.1904],
  ["m7g.xlarge", "us-west-2", 0.1632],
  ["m7g.xlarge", "ca-central-1", 0.1819],
  ["m7g.xlarge", "eu-west-1", 0.1819],
  ["m7g.xlarge", "eu-west-2", 0.1887],
  ["m7g.xlarge", "eu-west-3", 0.1904],
  ["m7g.xlarge", "eu-central-1", 0.1955],
  ["m7g.xlarge", "eu-north-1", 0.1734],
  ["m7g.xlarge", "ap-south-1", 0.1166],
  ["m7g.xlarge", "ap-southeast-1", 0.204],
  ["m7g.xlarge", "ap-southeast-2", 0.204],
  ["m7g.xlarge", "ap-northeast-1", 0.2108],
  ["m7g.xlarge", "ap-northeast-2", 0.2006],
  ["m6i.xlarge", "eu-north-1", 0.204],
  ["m6a.xlarge", "eu-west-1", 0.1926],
  ["m5.xlarge", "ap-south-1", 0.202],
  ["m6i.large", "us-east-1", 0.096],
  ["g5.12xlarge", "us-east-1", 5.672],
  ["g6e.2xlarge", "us-east-1", 2.24208],
  ["g7.2xlarge", "us-east-1", 2.52],
  ["g7e.2xlarge", "us-east-1", 3.36312],
  ["p5.4xlarge", "us-east-1", 6.88],
  ["g6e.2xlarge", "eu-central-1", 2.8035],
])("%s in %s costs what a second source says", (type, region, usd) => expect(ec2PerHour(type, region)).toBe(usd));

// From AWS's page of EMR prices as others quote it, and m6a.xlarge from instances-api.vantage.sh of 2026-10-01.
test.each([
  ["m5.xlarge", 0.048],
  ["m5.2xlarge", 0.096],
  ["m5.4xlarge", 0.192],
  ["c5.xlarge", 0.043],
  ["c5.2xlarge", 0.085],
  ["r5.xlarge", 0.063],
  ["m6a.xlarge", 0.0432],
  ["m6g.xlarge", 0.0385],
  ["m7g.xlarge", 0.0408],
])("EMR adds to %s in us-east-1 what a second source says", (type, usd) =>
  expect(emrPerHour(type, "us-east-1")).toBe(usd),
);

test("what EMR adds is never below a quarter, nor below what it is in us-east-1", () => {
  let checked = 0;
  for (const type of pricedTypes) {
    if (/^(t4g|g7e|p5)\./.test(type) || type.endsWith(".large")) continue;
    for (const region of pricedRegions) {
      if (missing.has(`${type.split(".")[0]} ${region}`)) continue;
      checked++;
      expect(emrPerHour(type, region)).toBeGreaterThanOrEqual(emrPerHour(type, "us-east-1"));
      expect(emrPerHour(type, region)).toBeGreaterThanOrEqual(ec2PerHour(type, region) / 4);
      expect(emrPerHour(type, region)).toBeLessThan(
        Math.max(ec2PerHour(type, region), ec2PerHour(type, "us-east-1")) / 3.9,
      );
    }
  }
  // 88 types in 16 regions, less c8g and r8g (4 sizes each) in one, m5a in one and m6a in two (3 each), g5 in three and g6 in three
  // (4 each), g6e in nine (4) and g7 in 13 (3).
  expect(checked).toBe(88 * 16 - 8 - 9 - 24 - 36 - 39);
});

/** What is not offered, or was not in the source. */
const missing = new Set([
  "c8g eu-west-3",
  "r8g eu-west-3",
  "m5a eu-north-1",
  "m6a eu-north-1",
  "m6a ap-northeast-2",
  "g5 us-west-1",
  "g5 eu-west-3",
  "g5 ap-southeast-1",
  "g6 us-west-1",
  "g6 eu-west-1",
  "g6 ap-southeast-1",
  ...offeredOnly("g6e", [
    "us-east-1",
    "us-east-2",
    "us-west-2",
    "eu-central-1",
    "eu-north-1",
    "ap-northeast-1",
    "ap-northeast-2",
  ]),
  ...offeredOnly("g7", ["us-east-1", "us-east-2", "us-west-2"]),
  ...offeredOnly(
    "g7e",
    "us-east-1 us-east-2 us-west-2 eu-west-2 eu-central-1 eu-north-1 ap-south-1 ap-northeast-1 ap-northeast-2".split(
      " ",
    ),
  ),
  ...offeredOnly(
    "p5",
    "us-east-1 us-east-2 us-west-2 eu-west-2 ap-south-1 ap-southeast-2 ap-northeast-1 sa-east-1".split(" "),
  ),
]);

function offeredOnly(family: string, regions: readonly string[]): readonly string[] {
  return pricedRegions.filter((region) => !regions.includes(region)).map((region) => `${family} ${region}`);
}

test("prices are known for 109 types in 16 regions, but for what is not offered", () => {
  expect(pricedTypes).toHaveLength(109);
  expect(new Set(pricedTypes).size).toBe(109);
  expect(pricedRegions).toHaveLength(16);
  expect(pricedRegions[0]).toBe("us-east-1");
  for (const type of pricedTypes) {
    for (const region of pricedRegions) {
      if (missing.has(`${type.split(".")[0]} ${region}`)) {
        expect(() => ec2PerHour(type, region), `${type} ${region}`).toThrow(UsageError);
      } else {
        expect(ec2PerHour(type, region), `${type} ${region}`).toBeGreaterThan(0.005);
        expect(ec2PerHour(type, region), `${type} ${region}`).toBeLessThan(/^[gp]\d/.test(type) ? 16 : 3.5);
      }
    }
  }
});

const factors: Readonly<Record<string, number>> = { large: 0.5, xlarge: 1, "2xlarge": 2, "4xlarge": 4, "8xlarge": 8 };

test("sizes of a family cost as much as they hold", () => {
  let checked = 0;
  for (const type of pricedTypes) {
    const [family, size] = type.split(".") as [string, string];
    if (family.startsWith("t") || /^[gp]\d/.test(family) || size === "xlarge") continue;
    const factor = factors[size] as number;
    const one = instanceType(`${family}.xlarge`);
    expect(instanceType(type)).toEqual({ ...one, vcpus: one.vcpus * factor, memoryGiB: one.memoryGiB * factor });
    for (const region of pricedRegions) {
      if (missing.has(`${family} ${region}`)) continue;
      checked++;
      // AWS rounds each size to four digits by itself, so an xlarge is off by half of one at most.
      const off = Math.abs(ec2PerHour(type, region) - ec2PerHour(`${family}.xlarge`, region) * factor);
      expect(off, `${type} ${region}`).toBeLessThanOrEqual(0.00005 * (factor + 1) + 1e-9);
    }
  }
  expect(checked).toBe(9 * 4 * 16 - 8 + 11 * 2 * 16 - 6 + 3 * 16);
});

test("Graviton families are arm64, and no others", () => {
  const arm = pricedTypes.filter((type) => instanceType(type).architecture === "arm64");
  expect(new Set(arm.map((type) => type.split(".")[0]))).toEqual(
    new Set(["t4g", "m6g", "m7g", "m8g", "c6g", "c7g", "c8g", "r6g", "r7g", "r8g"]),
  );
  expect(arm).toHaveLength(50);
  for (const type of ["g4dn.xlarge", "g5.xlarge", "g6.xlarge", "m6a.xlarge"]) {
    expect(instanceType(type).architecture).toBe("x86_64");
  }
});

test.each([
  ["t4g.small", { vcpus: 2, memoryGiB: 2, architecture: "arm64" }],
  ["c8g.xlarge", { vcpus: 4, memoryGiB: 8, architecture: "arm64" }],
  ["r7i.4xlarge", { vcpus: 16, memoryGiB: 128, architecture: "x86_64" }],
  ["g5.2xlarge", { vcpus: 8, memoryGiB: 32, architecture: "x86_64" }],
])("%s is known", (type, expected) => expect(instanceType(type)).toEqual(expected));

test("what is not known is refused with where to add it", () => {
  const row =
    /^instance type is "m9g\.xlarge": its price is not known; take another, such as "m7g\.xlarge", or add its row to components\/aws\/prices-data\.ts, which says with which command to find it$/;
  for (const ask of [
    instanceType,
    (t: string) => ec2PerHour(t, "us-east-1"),
    (t: string) => emrPerHour(t, "us-east-1"),
  ]) {
    expect(() => ask("m9g.xlarge")).toThrow(row);
    expect(() => ask("m9g.xlarge")).toThrow(UsageError);
  }
  for (const ask of [
    (r: string) => ec2PerHour("m7g.xlarge", r),
    (r: string) => emrPerHour("m7g.xlarge", r),
    unitPricesIn,
  ]) {
    expect(() => ask("mars-1")).toThrow(
      /^region is "mars-1": its prices are not known; take one of us-east-1, .*sa-east-1, or add its column to components\/aws\/prices-data\.ts/,
    );
    expect(() => ask("mars-1")).toThrow(UsageError);
  }
  expect(() => ec2PerHour("c8g.xlarge", "eu-west-3")).toThrow(
    /^instance type is "c8g\.xlarge": its price in eu-west-3 is not known, it may not be offered there; take another type, or add the price/,
  );
  for (const type of ["t4g.small", "m7g.large"]) {
    expect(() => emrPerHour(type, "us-east-1")).toThrow(
      `instance type is "${type}": EMR does not offer it; take xlarge or larger of the m, c or r families, such as "m7g.xlarge"`,
    );
    expect(ec2PerHour(type, "us-east-1")).toBeGreaterThan(0);
  }
});

test("units have a price in every region, and unitPrices are the highest", () => {
  expect(Object.keys(unitPrices)).toHaveLength(14);
  for (const usd of Object.values(unitTable)) if (typeof usd !== "number") expect(usd).toHaveLength(16);
  const all = pricedRegions.map(unitPricesIn);
  for (const name of Object.keys(unitPrices) as (keyof typeof unitPrices)[]) {
    expect(unitPrices[name], name).toBe(Math.max(...all.map((prices) => prices[name])));
    expect(unitPrices[name], name).toBeGreaterThan(0);
  }
  expect(unitPricesIn("us-east-1")).toEqual({
    gp3GigabyteMonth: 0.08,
    publicIpv4Hour: 0.005,
    interfaceEndpointHour: 0.01,
    s3GigabyteMonth: 0.023,
    s3ThousandWrites: 0.005,
    s3ThousandReads: 0.0004,
    athenaTerabyteScanned: 5,
    lambdaArmGigabyteSecond: 0.0000133334,
    lambdaX86GigabyteSecond: 0.0000166667,
    lambdaMillionRequests: 0.2,
    logsGigabyteIngested: 0.5,
    logsGigabyteMonth: 0.05,
    kmsKeyMonth: 1,
    secretMonth: 0.4,
  });
  expect(unitPricesIn("sa-east-1").athenaTerabyteScanned).toBe(9);
  expect(unitPricesIn("ap-northeast-1").logsGigabyteIngested).toBe(0.76);
});

test("prices have a date", () => expect(new Date(pricesAsOf).toISOString().slice(0, 10)).toBe(pricesAsOf));
