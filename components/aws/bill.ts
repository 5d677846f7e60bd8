import { type BillLine, hoursUntilEnd, LOOKS_PER_HOUR, perHour } from "../../core/bill.ts";
import { ec2PerHour, emrPerHour, unitPricesIn } from "./prices.ts";

const HOURS_PER_MONTH = 730;
/** What EMR gives each node for its system, beside the disk that is asked for. */
const EMR_ROOT_GIBIBYTES = 15;
/** 15 minutes of 1 GB, and once more to end the cluster. */
const LAUNCHER_GIBIBYTE_SECONDS = 2 * 900;

export interface EmrBillArgs {
  readonly region: string;
  readonly primary: string;
  readonly workers: { readonly count: number; readonly types: readonly string[] };
  readonly spot: boolean;
  readonly diskGibibytes: number;
  readonly secrets: number;
  readonly deadlineSeconds: number;
  /** Keys and secrets cost until the stack is destroyed. */
  readonly standsSeconds: number;
}

/** The most that a cluster can cost; spot at the on-demand price, of the dearest type that will do. */
export function emrBill(args: EmrBillArgs): readonly BillLine[] {
  const { region, primary, workers, diskGibibytes } = args;
  const hours = hoursUntilEnd(args.deadlineSeconds);
  const units = unitPricesIn(region);
  const node = (type: string) => ec2PerHour(type, region) + emrPerHour(type, region);
  const dearest = workers.types.reduce((a, b) => (node(a) >= node(b) ? a : b));
  const nodes = workers.count + 1;
  const disks = (nodes * (diskGibibytes + EMR_ROOT_GIBIBYTES) * units.gp3GigabyteMonth) / HOURS_PER_MONTH;
  const keys = units.kmsKeyMonth + args.secrets * units.secretMonth;
  const many = `${workers.count} ${workers.count === 1 ? "worker" : "workers"}, ${dearest}: EC2 and EMR`;
  return [
    perHour(`primary node, ${primary}: EC2 and EMR`, node(primary), hours),
    perHour(args.spot ? `${many}, at the on-demand price` : many, workers.count * node(dearest), hours),
    perHour(`${nodes} public addresses`, nodes * units.publicIpv4Hour, hours),
    perHour(`disks of ${nodes} nodes`, disks, hours),
    perHour(
      args.secrets > 0 ? "the disks' key and the secrets" : "the disks' key",
      keys / HOURS_PER_MONTH,
      args.standsSeconds / 3600,
    ),
    {
      what: "launcher, for a launch that takes the longest",
      usdPerHour: 0,
      hours,
      usd: LAUNCHER_GIBIBYTE_SECONDS * units.lambdaArmGigabyteSecond,
    },
  ];
}

export interface DashboardBillArgs {
  readonly region: string;
  readonly instanceType: string;
  readonly diskGibibytes: number;
  readonly deadlineSeconds: number;
  /** The most that its queries may read in a day. */
  readonly dailyScanMebibytes: number;
}

/** The most that a dashboard can cost: its instance, its queries, and an S3 that is looked at all the time. */
export function dashboardBill(args: DashboardBillArgs): readonly BillLine[] {
  const hours = hoursUntilEnd(args.deadlineSeconds);
  const units = unitPricesIn(args.region);
  const machine =
    ec2PerHour(args.instanceType, args.region) +
    units.publicIpv4Hour +
    (args.diskGibibytes * units.gp3GigabyteMonth) / HOURS_PER_MONTH;
  const days = Math.ceil(hours / 24) + 1; // of the calendar, both ends counted
  const terabytes = (args.dailyScanMebibytes * 2 ** 20) / 1e12;
  return [
    perHour(`dashboard, ${args.instanceType}, with disk and public address`, machine, hours),
    perHour("S3 requests of a page that is open all the time", (LOOKS_PER_HOUR * units.s3ThousandWrites) / 1000, hours),
    {
      what: `Athena, up to the dashboard's daily limit on ${days} days`,
      usdPerHour: 0,
      hours,
      usd: days * terabytes * units.athenaTerabyteScanned,
    },
  ];
}

/** What so much data costs for a while. */
export function lakeBill(region: string, gigabytes: number, hours: number): readonly BillLine[] {
  const units = unitPricesIn(region);
  // A job writes some hundreds of objects, and its logs are put anew every few seconds.
  const writes = (20_000 * units.s3ThousandWrites) / 1000;
  const stored = (gigabytes * units.s3GigabyteMonth) / HOURS_PER_MONTH;
  return [
    perHour(`S3, for ${gigabytes} GB`, stored, hours),
    { what: "S3, for 20,000 written objects", usdPerHour: 0, hours, usd: writes },
  ];
}

/** What ends the rest costs a little itself: a call every 5 minutes that takes 10 seconds, and its log. */
export function reaperBill(region: string, hours: number): readonly BillLine[] {
  const units = unitPricesIn(region);
  const calls = 12;
  const compute = calls * 10 * 0.25 * units.lambdaArmGigabyteSecond + (calls * units.lambdaMillionRequests) / 1e6;
  const logs = calls * 2e-6 * (units.logsGigabyteIngested + units.logsGigabyteMonth);
  return [perHour("reaper and its log", compute + logs, hours)];
}
