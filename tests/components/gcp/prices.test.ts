import { expect, test } from "vitest";
import {
  computePerHour,
  dataprocPerHour,
  machineType,
  pricedRegions,
  pricedTypes,
  pricesAsOf,
  unitPrices,
  unitPricesIn,
} from "../../../components/gcp/prices.ts";
import { UsageError } from "../../../core/errors.ts";

// None of these is the source of the table (components/gcp/prices-data.ts): skypilot-org/skypilot-catalog, catalogs/v8/gcp/vms.csv at 006059e,
// which rounds to five digits. "-" is what it does not have.
const second = `
region                   e2-highmem-16  n1-highcpu-32  n2-highmem-48  n2d-standard-32  t2d-standard-16  c3-highmem-22  n4-standard-8
us-central1              0.7232         1.13358        3.14434        1.35187          0.67594          1.45539        0.3628
us-east1                 0.7232         1.13358        3.14434        1.35187          0.67594          1.45539        0.3628
us-east4                 0.81445        1.27676        3.5411         1.52256          0.76128          1.45539        0.3628
us-east5                 0.7232         -              3.14434        1.35187          0.67594          1.45539        0.3628
us-south1                0.85337        -              3.71032        1.59521          0.7976           1.71736        0.4281
us-west1                 0.7232         1.13358        3.14434        -                0.67594          1.45539        0.3628
us-west2                 0.86865        1.3616         3.77674        -                0.81187          1.74952        0.43612
us-west3                 0.86865        1.3616         3.77674        -                0.81187          1.74952        0.43612
us-west4                 0.81445        1.27676        3.54101        -                0.76128          1.6392         0.40862
northamerica-northeast1  0.79614        1.24799        3.46147        1.48832          0.74416          -              0.39948
northamerica-northeast2  0.79614        1.24799        3.46147        1.48832          0.74416          -              0.39948
southamerica-east1       1.14794        1.79944        4.99104        2.14595          1.07298          -              0.57609
southamerica-west1       1.03417        -              4.4964         1.93318          0.96659          -              0.5188
europe-central2          0.87506        1.37166        3.80477        1.63574          0.81787          -              0.43899
europe-north1            0.79618        1.24811        3.46166        1.48842          0.74421          -              -
europe-southwest1        0.85341        -              3.71032        1.59521          0.7976           -              0.4281
europe-west1             0.79555        1.24697        3.45893        1.48714          0.74357          1.60253        0.39948
europe-west2             0.93171        1.46055        4.05091        1.74166          0.87083          1.65914        0.41359
europe-west3             0.93171        1.46055        4.05091        1.74166          0.87083          1.71736        0.4281
europe-west4             0.79614        1.24799        3.46147        1.48832          0.74416          1.52816        0.38094
europe-west6             0.94737        1.48493        4.11922        1.77094          0.88547          -              0.47527
europe-west8             0.83888        -              3.64743        1.56817          0.78409          -              0.42085
europe-west9             0.83888        -              3.64743        1.56817          0.78409          -              0.42085
europe-west10            0.93174        -              4.05103        1.74169          0.87085          1.71728        -
europe-west12            0.93292        -              4.05619        1.74391          0.87196          -              -
me-central1              0.87868        -              3.82037        1.64252          0.82126          1.7683         0.4408
me-central2              1.15712        -              5.03094        2.163            1.0815           2.32862        0.58048
me-west1                 0.79552        1.24693        3.45877        1.48706          0.74353          -              0.39908
africa-south1            0.79555        -              3.45893        1.48714          0.74357          -              -
asia-east1               0.83738        1.31256        3.6408         1.56531          0.78266          -              -
asia-east2               1.01187        1.58612        4.39944        1.89149          0.94574          -              -
asia-northeast1          0.92703        1.45584        4.03056        1.73434          0.86717          1.86901        0.46591
asia-northeast2          0.92703        1.45584        4.0379         1.73613          0.86806          -              0.46591
asia-northeast3          0.92703        1.45584        4.0379         1.73613          -                -              0.46591
asia-south1              0.86856        1.36157        3.77635        0.89226          0.44613          1.5136         0.37731
asia-south2              0.86856        1.36157        3.77635        1.62374          0.81187          1.51365        0.37731
asia-southeast1          0.89211        1.39848        3.87874        1.66774          0.83387          1.79551        0.44759
asia-southeast2          0.9724         1.52434        4.22782        1.81784          0.90892          1.95706        0.48786
australia-southeast1     1.0261         1.60851        4.46131        1.91824          0.95912          -              0.4535
australia-southeast2     0.87213        1.60851        3.792          1.63056          0.95912          -              0.47164
`;

const words = (line: string) => line.trim().split(/\s+/);

/** Never below what a source says but for its own rounding, and hardly above. */
function expectPrice(type: string, region: string, usd: number) {
  const ours = computePerHour(type, region);
  expect(ours, `${type} ${region}`).toBeGreaterThanOrEqual(usd - 0.0000051);
  expect(ours, `${type} ${region}`).toBeLessThan(usd * 1.00003 + 0.00001);
}

test("machines cost what a second source says, in every region and of every family", () => {
  const [header, ...lines] = second.trim().split("\n") as [string, ...string[]];
  const types = words(header).slice(1);
  expect(lines.map((line) => words(line)[0])).toEqual(pricedRegions);
  let checked = 0;
  for (const line of lines) {
    const [region, ...prices] = words(line) as [string, ...string[]];
    for (const [i, price] of prices.entries()) {
      if (price === "-") continue;
      checked++;
      expectPrice(types[i] as string, region, Number(price));
    }
  }
  expect(checked).toBe(7 * 40 - 11 - 4 - 1 - 19 - 6);
});

// From the same file, where the table above leaves out; e2-highcpu-8 tells what a vCPU costs from what memory does.
test.each([
  ["n2d-standard-224", "us-west1", 9.4631],
  ["n2d-standard-224", "us-west2", 11.36621],
  ["n2d-standard-224", "us-west3", 11.36621],
  ["n2d-standard-224", "us-west4", 10.65792],
  ["n4-standard-80", "africa-south1", 3.99479],
  ["n4-standard-80", "asia-east1", 4.20086],
  ["n4-standard-80", "asia-east2", 5.07521],
  ["e2-highcpu-8", "us-central1", 0.19788],
  ["e2-highcpu-8", "europe-west1", 0.21768],
  ["e2-highcpu-8", "me-west1", 0.21767],
  // The Cloud Billing Catalog as others quote it: 2026-08-27 (Mumbai), 2026-09-26 (Tokyo, core 0.040618 and memory 0.005419).
  ["e2-standard-2", "asia-south1", 2 * 0.0261993 + 8 * 0.00351072],
  ["n2-standard-4", "asia-northeast1", 4 * 0.040618 + 16 * 0.005419],
  // Google's own pages of 2025 and 2026, as others quote them.
  ["e2-small", "europe-west1", 0.0184],
  ["e2-medium", "us-central1", 0.03350571],
])("%s in %s costs %s", (type, region, usd) => {
  if (type === "e2-small") expect(computePerHour(type, region)).toBeCloseTo(usd, 4);
  else expectPrice(type, region, usd);
});

test("prices are known for 148 types in 40 regions, but for n4 where there is none", () => {
  expect(pricedTypes).toHaveLength(148);
  expect(new Set(pricedTypes).size).toBe(148);
  expect(pricedRegions).toHaveLength(40);
  for (const type of pricedTypes) {
    for (const region of pricedRegions) {
      if (type.startsWith("n4-") && ["europe-west10", "europe-west12"].includes(region)) {
        expect(() => computePerHour(type, region)).toThrow(
          `machine type is "${type}": ${region} does not offer family n4; take another, such as "n2-standard-4"`,
        );
        expect(() => computePerHour(type, region)).toThrow(UsageError);
      } else {
        expect(computePerHour(type, region), `${type} ${region}`).toBeGreaterThan(0.008);
        expect(computePerHour(type, region), `${type} ${region}`).toBeLessThan(19);
      }
    }
  }
});

test.each([
  ["e2-micro", { vcpus: 2, memoryGiB: 1, family: "e2" }],
  ["e2-medium", { vcpus: 2, memoryGiB: 4, family: "e2" }],
  ["e2-highcpu-32", { vcpus: 32, memoryGiB: 32, family: "e2" }],
  ["n1-standard-4", { vcpus: 4, memoryGiB: 15, family: "n1" }],
  ["n1-highmem-8", { vcpus: 8, memoryGiB: 52, family: "n1" }],
  ["n2-standard-4", { vcpus: 4, memoryGiB: 16, family: "n2" }],
  ["n2d-highmem-16", { vcpus: 16, memoryGiB: 128, family: "n2d" }],
  ["t2d-standard-60", { vcpus: 60, memoryGiB: 240, family: "t2d" }],
  ["c3-standard-22", { vcpus: 22, memoryGiB: 88, family: "c3" }],
  ["n4-highcpu-8", { vcpus: 8, memoryGiB: 16, family: "n4" }],
  ["n2-custom-4-16384", { vcpus: 4, memoryGiB: 16, family: "n2" }],
  ["e2-custom-6-5120", { vcpus: 6, memoryGiB: 5, family: "e2" }],
])("%s is known", (type, expected) => expect(machineType(type)).toEqual(expected));

test("a type of any size costs a twentieth more than the fixed one that has as much", () => {
  for (const region of ["us-central1", "europe-west6"]) {
    const fixed = computePerHour("n2-standard-4", region);
    expect(computePerHour("n2-custom-4-16384", region)).toBeCloseTo(fixed * 1.05, 5);
    expect(computePerHour("n2-custom-4-16384", region)).toBeGreaterThanOrEqual(fixed * 1.05);
  }
});

test("Dataproc adds a cent per vCPU, and takes no machine that shares a core", () => {
  expect(dataprocPerHour("n2-standard-4")).toBeCloseTo(0.04, 12);
  expect(dataprocPerHour("n2-custom-6-16384")).toBeCloseTo(0.06, 12);
  for (const type of ["e2-micro", "e2-small", "e2-medium"]) {
    expect(() => dataprocPerHour(type)).toThrow(
      `machine type is "${type}": Dataproc takes no machine that shares a core; take a larger one, such as "n2-standard-4"`,
    );
    expect(() => dataprocPerHour(type)).toThrow(UsageError);
  }
});

test.each([
  "m3-ultramem-64", // a family that is not known
  "n2-standard-5", // no such size
  "n2-standard-4-lssd", // with disks of its own, which cost more
  "n2-standard-4-16384",
  "t2d-highmem-4", // no such shape
  "c3-custom-4-16384", // a family without such types
  "n2-custom-4", // without its memory
  "n2-custom-4-1000", // not a multiple of 256 MB
  "N2-STANDARD-4",
  "n2-constructor-4",
  "constructor",
  "",
])("%s is refused with where to add it", (type) => {
  for (const ask of [machineType, (t: string) => computePerHour(t, "us-central1"), dataprocPerHour]) {
    expect(() => ask(type)).toThrow(UsageError);
    expect(() => ask(type)).toThrow(
      `machine type is "${type}": its price is not known; take one of families e2, n1, n2, n2d, t2d, c3, n4, such as "n2-standard-4", or add its family to components/gcp/prices-data.ts, which says with which command to find it`,
    );
  }
});

test("a region that is not known is refused with where to add it", () => {
  for (const ask of [(region: string) => computePerHour("n2-standard-4", region), unitPricesIn]) {
    expect(() => ask("mars-north1")).toThrow(UsageError);
    expect(() => ask("mars-north1")).toThrow(
      /^region is "mars-north1": its prices are not known; take one of us-central1, .*australia-southeast2, or add its row to components\/gcp\/prices-data\.ts, which says with which command to find them$/,
    );
  }
});

test("units have a price in every region, and unitPrices are the highest", () => {
  expect(unitPricesIn("us-central1")).toEqual({
    pdStandardGibibyteMonth: 0.04,
    pdBalancedGibibyteMonth: 0.1,
    dataprocVcpuHour: 0.01,
    dcuHour: 0.06,
    shuffleGibibyteMonth: 0.04,
    gcsGibibyteMonth: 0.02,
    gcsThousandWrites: 0.005,
    gcsThousandReads: 0.0004,
    bigQueryTebibyteScanned: 6.25,
    bigQueryGibibyteMonth: 0.04,
    cloudRunVcpuSecond: 0.0000252,
    cloudRunGibibyteSecond: 0.0000028,
    logsGibibyte: 0.5,
    secretMonth: 0.06,
  });
  const all = pricedRegions.map(unitPricesIn);
  for (const name of Object.keys(unitPrices) as (keyof typeof unitPrices)[]) {
    expect(unitPrices[name], name).toBe(Math.max(...all.map((prices) => prices[name])));
    expect(Math.min(...all.map((prices) => prices[name])), name).toBeGreaterThan(0);
  }
  expect(Object.keys(unitPrices)).toHaveLength(14);
  expect(unitPrices.bigQueryTebibyteScanned).toBe(11.25);
});

// Quoted from the Cloud Billing Catalog (disks: 2026-08-27 and 2026-09-26), from Google's page of prices of Cloud Storage, and from
// Google's page of BigQuery's of 2026-09-18, each by others than the table's source.
test.each([
  ["pdBalancedGibibyteMonth", "asia-south1", 0.12],
  ["pdBalancedGibibyteMonth", "asia-northeast1", 0.13],
  ["pdStandardGibibyteMonth", "asia-northeast1", 0.052],
  ["pdBalancedGibibyteMonth", "northamerica-northeast1", 0.11],
  ["gcsGibibyteMonth", "us-east4", 0.023],
  ["gcsGibibyteMonth", "us-south1", 0.02],
  ["gcsGibibyteMonth", "europe-north1", 0.02],
  ["gcsGibibyteMonth", "europe-west2", 0.023],
  ["bigQueryTebibyteScanned", "southamerica-east1", 11.25],
  ["bigQueryTebibyteScanned", "us-west4", 6.25],
  ["bigQueryTebibyteScanned", "europe-west1", 7.5],
  ["dcuHour", "europe-west1", 0.066007],
] as const)("%s in %s is %s", (unit, region, usd) => expect(unitPricesIn(region)[unit]).toBe(usd));

test("a unit of Dataproc Serverless costs what a vCPU does, region for region", () => {
  for (const region of pricedRegions) {
    const beside = computePerHour("n1-highcpu-96", region) / computePerHour("n1-highcpu-96", "us-central1");
    expect(unitPricesIn(region).dcuHour / 0.06 / beside, region).toBeGreaterThan(0.998);
    expect(unitPricesIn(region).dcuHour / 0.06 / beside, region).toBeLessThan(1.001);
  }
});

test("prices have a date", () => expect(new Date(pricesAsOf).toISOString().slice(0, 10)).toBe(pricesAsOf));
