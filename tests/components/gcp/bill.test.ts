import { describe, expect, test } from "vitest";
import {
  batchBill,
  bigQueryDashboardBill,
  dataprocBill,
  gcsLakeBill,
  orchestratorBill,
} from "../../../components/gcp/bill.ts";
import { pricedRegions } from "../../../components/gcp/prices.ts";
import { type BillLine, ceiling, refuseAbove } from "../../../core/bill.ts";
import { UsageError } from "../../../core/errors.ts";

const HOUR = 3600;
/** Of February, by which a month's price is divided. */
const MONTH = 672;

/** Lines as "what: usd", to a ten-thousandth. */
const figures = (lines: readonly BillLine[]) =>
  lines.map(({ what, usd }) => [what, Math.round(usd * 10_000) / 10_000] as const);

const rounded = (usd: number) => Math.round(usd * 10_000) / 10_000;

const cluster = {
  region: "europe-west1",
  primary: "n2-standard-4",
  workers: { count: 2, type: "n2-standard-4" },
  secondary: 0,
  diskGibibytes: 100,
  deadlineSeconds: 2 * HOUR,
  standsSeconds: 2 * HOUR,
  secrets: 0,
};

// europe-west1: n2 0.034773 per vCPU and 0.004661 per GiB, pd-balanced 0.10.
const n2 = 4 * 0.034773 + 16 * 0.004661 + 4 * 0.01;

describe("a Dataproc cluster", () => {
  test("costs its machines, Dataproc, disks and logs until a quarter of an hour after its deadline", () => {
    const lines = dataprocBill(cluster);
    expect(figures(lines)).toEqual([
      ["primary node, n2-standard-4: Compute Engine and Dataproc", rounded(2.25 * n2)],
      ["2 workers, n2-standard-4: Compute Engine and Dataproc", rounded(2.25 * 2 * n2)],
      ["disks of 3 nodes", rounded((2.25 * 300 * 0.1) / MONTH)],
      ["logs of 3 nodes", rounded(2.25 * 3 * 0.1 * 0.5)],
    ]);
    // By hand: 3 x 0.253668 x 2.25 = 1.712259, 0.100446, 0.3375: 2.150205
    expect(ceiling(lines)).toBe(2.16);
    for (const { usd, usdPerHour, hours } of lines) {
      expect(hours).toBe(2.25);
      expect(usd).toBeCloseTo(usdPerHour * hours, 10);
    }
  });

  test("with spot machines and secrets costs them too: at the on-demand price, and until it is destroyed", () => {
    const lines = dataprocBill({ ...cluster, secondary: 8, secrets: 2, standsSeconds: 24 * HOUR });
    expect(figures(lines)).toEqual([
      ["primary node, n2-standard-4: Compute Engine and Dataproc", rounded(2.25 * n2)],
      ["2 workers, n2-standard-4: Compute Engine and Dataproc", rounded(2.25 * 2 * n2)],
      ["8 spot workers, n2-standard-4: Compute Engine and Dataproc, at the on-demand price", rounded(2.25 * 8 * n2)],
      ["disks of 11 nodes", rounded((2.25 * 1100 * 0.1) / MONTH)],
      ["logs of 11 nodes", rounded(2.25 * 11 * 0.1 * 0.5)],
      ["2 secrets", rounded((24 * 2 * 0.06) / MONTH)],
    ]);
  });

  test("of one node has no line for workers", () => {
    const lines = dataprocBill({ ...cluster, workers: { count: 0, type: "n2-standard-4" }, secrets: 1 });
    expect(lines.map(({ what }) => what)).toEqual([
      "primary node, n2-standard-4: Compute Engine and Dataproc",
      "disks of 1 node",
      "logs of 1 node",
      "1 secret",
    ]);
  });

  test("is refused where a price is not known, and above what may be spent", () => {
    expect(() => dataprocBill({ ...cluster, region: "mars-north1" })).toThrow('region is "mars-north1"');
    expect(() => dataprocBill({ ...cluster, primary: "z9-standard-4" })).toThrow('machine type is "z9-standard-4"');
    expect(() => dataprocBill({ ...cluster, workers: { count: 2, type: "e2-small" } })).toThrow(
      'machine type is "e2-small": Dataproc takes no machine that shares a core',
    );
    expect(() => dataprocBill({ ...cluster, region: "mars-north1" })).toThrow(UsageError);
    expect(() => refuseAbove(2, dataprocBill(cluster))).toThrow(
      "maxCost is 2 USD and this can cost up to 2.16 USD, most of it for 2 workers, n2-standard-4: Compute Engine and Dataproc (1.14 USD)",
    );
    expect(() => refuseAbove(2.16, dataprocBill(cluster))).not.toThrow();
  });

  test("costs more the more there is of anything, in every region", () => {
    for (const region of pricedRegions) {
      const least = ceiling(dataprocBill({ ...cluster, region }));
      expect(least, region).toBeGreaterThan(1.3);
      for (const more of [
        { secondary: 1 },
        { diskGibibytes: 200 },
        { deadlineSeconds: 3 * HOUR },
        { secrets: 200 },
        { primary: "n2-standard-8" },
        { workers: { count: 3, type: "n2-standard-4" } },
      ]) {
        expect(ceiling(dataprocBill({ ...cluster, region, ...more })), region).toBeGreaterThan(least);
      }
    }
  });
});

describe("serverless batches", () => {
  const batches = { region: "us-central1", executors: 2, deadlineSeconds: HOUR, standsSeconds: HOUR, secrets: 0 };

  test("cost Google's own example: 12 units, of which each is 6 cents an hour", () => {
    const [compute, disks, logs, ...rest] = batchBill({ ...batches, deadlineSeconds: 24 * HOUR });
    expect(compute?.what).toBe("driver and 2 executors, 4 vCPUs each: Dataproc Serverless");
    // https://cloud.google.com/dataproc-serverless/pricing: 12 * 24 * $0.060000 = $17.28
    expect(compute?.usdPerHour).toBeCloseTo(17.28 / 24, 10);
    expect(compute?.hours).toBe(24.25);
    expect(disks?.usd).toBeCloseTo((24.25 * 3 * 400 * 0.04) / MONTH, 10);
    expect(logs?.usd).toBeCloseTo(24.25 * 3 * 0.05, 10);
    expect(rest).toEqual([]);
  });

  test("cost more with a large driver, whose memory above 8 GB per vCPU counts double", () => {
    const usual = batchBill(batches)[0]?.usdPerHour ?? Number.NaN;
    const driver = (gibibytes: number) =>
      batchBill({ ...batches, driverMebibytes: gibibytes * 1024 })[0]?.usdPerHour ?? Number.NaN;
    expect(driver(8)).toBeCloseTo(usual, 10);
    // 20 GB and what Python has beside them: 28 GB
    expect(driver(20)).toBeCloseTo(usual + 0.06 * 0.1 * 12, 10);
    // 25 GB: 35 GB, of which 3 count double
    expect(driver(25)).toBeCloseTo(usual + 0.06 * (0.1 * 16 + 0.2 * 3), 10);
  });

  test("cost as many executors as there can be", () => {
    const [compute, disks] = batchBill({ ...batches, region: "europe-west1", executors: 1, secrets: 1 });
    expect(compute?.what).toBe("driver and 1 executor, 4 vCPUs each: Dataproc Serverless");
    expect(compute?.usd).toBeCloseTo(1.25 * 2 * 4 * 0.066007, 10);
    expect(disks?.what).toBe("disks of driver and 1 executor");
    const many = batchBill({ ...batches, region: "europe-west1", executors: 99 });
    expect(many[0]?.usd).toBeCloseTo(1.25 * 100 * 4 * 0.066007, 8);
  });
});

test("the orchestrator costs a vCPU, a GB and its writes as long as the run", () => {
  const [line, ...rest] = orchestratorBill("europe-west1", 2 * HOUR);
  expect(rest).toEqual([]);
  expect(line?.what).toBe("orchestrator, a Cloud Run job");
  expect(line?.usd).toBeCloseTo(2.25 * (3600 * 0.000028 + 0.72 * 0.005), 10);
  expect(line?.usd).toBeGreaterThan(2 * 3600 * (0.000018 + 0.000002)); // Google's price in europe-west1
});

describe("a lake", () => {
  const lake = { region: "europe-west1", gibibytes: 2, hours: 48 };

  test("costs its files, its writes, and its rows in BigQuery", () => {
    expect(figures(gcsLakeBill(lake))).toEqual([
      ["GCS, for 2 GB", rounded((48 * 2 * 0.02) / MONTH)],
      ["GCS, for 20,000 written objects", 0.1],
      ["BigQuery, for the rows of 2 GB", rounded((48 * 8 * 0.04) / MONTH)],
    ]);
  });

  test.each([
    ["every 24 hours", 3],
    ["every 5 minutes", 577],
    ["every 6 hours synchronized", 9],
    ["every 90 mins from 08:00 to 20:00", 33],
    ["every day 09:00", 3],
    ["every mon,thu 09:00", 2],
    ["every mon,tue,wed,thu,fri 09:00", 3],
    ["1st monday of month 06:30", 3],
    ["1,15 of month 06:30", 3],
  ])("with a query that runs %s costs it %i times in two days", (schedule, times) => {
    // Each may read 40 GiB, more than the lake has.
    const [line] = gcsLakeBill({ ...lake, queries: [{ schedule, mebibytes: 40 * 1024 }] }).slice(3);
    expect(line?.what).toBe(`BigQuery, for scheduled queries that run ${times} times`);
    expect(line?.usd).toBeCloseTo(times * (40 / 1024) * 7.5, 10);
    expect(line?.usdPerHour).toBe(0);
  });

  test("with queries costs all of it each time where the limit is below that, for nothing holds a query to it", () => {
    const queries = [
      { schedule: "every day 09:00", mebibytes: 10 },
      { schedule: "every 24 hours", mebibytes: 40 * 1024 },
    ];
    const [line, ...rest] = gcsLakeBill({ ...lake, queries }).slice(3);
    expect(rest).toEqual([]);
    expect(line?.what).toBe("BigQuery, for scheduled queries that run 6 times");
    expect(line?.usd).toBeCloseTo(((3 * 2 + 3 * 40) / 1024) * 7.5, 10);
  });
});

describe("a dashboard", () => {
  const dashboard = {
    region: "europe-west1",
    machineType: "e2-small",
    diskGibibytes: 10,
    deadlineSeconds: 7 * 24 * HOUR,
    dailyScanMebibytes: 10 * 1024,
    standsSeconds: 30 * 24 * HOUR,
  };

  test("costs its instance and its queries until its deadline, and its disk until it is destroyed", () => {
    expect(figures(bigQueryDashboardBill(dashboard))).toEqual([
      ["dashboard, e2-small", rounded(168.25 * 0.018429)],
      ["the dashboard's disk, until it is destroyed", rounded((720 * 10 * 0.04) / MONTH)],
      ["GCS requests of a page that is open all the time", rounded(168.25 * 0.72 * 0.005)],
      ["BigQuery, up to the dashboard's daily limit on 9 days", rounded(9 * (10 / 1024) * 7.5)],
    ]);
  });

  test("costs its disk at least as long as itself", () => {
    const disk = bigQueryDashboardBill({ ...dashboard, standsSeconds: HOUR })[1];
    expect(disk?.hours).toBe(168.25);
  });

  test("is refused where a price is not known", () => {
    expect(() => bigQueryDashboardBill({ ...dashboard, region: "mars-north1" })).toThrow('region is "mars-north1"');
    expect(() => bigQueryDashboardBill({ ...dashboard, machineType: "t9.small" })).toThrow(
      'machine type is "t9.small": its price is not known',
    );
  });
});
