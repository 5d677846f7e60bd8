import { type BillLine, hoursUntilEnd, LOOKS_PER_HOUR, perHour } from "../../core/bill.ts";
import { computePerHour, dataprocPerHour, HOURS_PER_MONTH, unitPricesIn } from "./prices.ts";

/** What the agents of a node write into Cloud Logging, generously. */
const LOG_GIBIBYTES_PER_NODE_HOUR = 0.1;
/** A driver or an executor of Dataproc Serverless, where nothing else is asked for. */
const BATCH_NODE = { vcpus: 4, memoryGibibytes: 16, diskGibibytes: 400 } as const;
/** What a driver has beside the memory that is asked for, which Python uses. */
const DRIVER_OVERHEAD = 1.4;
/** Of memory of Dataproc Serverless, what a vCPU may have before more costs double. */
const CHEAP_GIBIBYTES_PER_VCPU = 8;
/** Parquet is compressed, and BigQuery bills rows as they are: seldom more than so many times as much. */
const ROWS_PER_PARQUET = 4;

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

interface Stay {
  readonly region: string;
  readonly deadlineSeconds: number;
  /** How many secrets are kept. */
  readonly secrets: number;
  /** They cost until the stack is destroyed. */
  readonly standsSeconds: number;
}

export interface DataprocBillArgs extends Stay {
  /** Type of the primary node. */
  readonly primary: string;
  readonly workers: { readonly count: number; readonly type: string };
  /** Spot machines beside them, of the same type; with autoscaling, the most there can be. */
  readonly secondary: number;
  /** Boot disk of each node. */
  readonly diskGibibytes: number;
}

/** The most that a cluster can cost; spot at the on-demand price. */
export function dataprocBill(args: DataprocBillArgs): readonly BillLine[] {
  const { region, primary, workers, secondary, diskGibibytes } = args;
  const hours = hoursUntilEnd(args.deadlineSeconds);
  const units = unitPricesIn(region);
  const node = (type: string) => computePerHour(type, region) + dataprocPerHour(type);
  const many = (count: number, kind: string, more = "") =>
    count > 0
      ? [
          perHour(
            `${counted(count, kind)}, ${workers.type}: Compute Engine and Dataproc${more}`,
            count * node(workers.type),
            hours,
          ),
        ]
      : [];
  const nodes = 1 + workers.count + secondary;
  const disks = (nodes * diskGibibytes * units.pdBalancedGibibyteMonth) / HOURS_PER_MONTH;
  return [
    perHour(`primary node, ${primary}: Compute Engine and Dataproc`, node(primary), hours),
    ...many(workers.count, "worker"),
    ...many(secondary, "spot worker", ", at the on-demand price"),
    perHour(`disks of ${counted(nodes, "node")}`, disks, hours),
    perHour(`logs of ${counted(nodes, "node")}`, nodes * LOG_GIBIBYTES_PER_NODE_HOUR * units.logsGibibyte, hours),
    ...keptSecrets(args),
  ];
}

function keptSecrets({ region, secrets, standsSeconds }: Stay): readonly BillLine[] {
  if (secrets === 0) return [];
  const usd = (secrets * unitPricesIn(region).secretMonth) / HOURS_PER_MONTH;
  return [perHour(counted(secrets, "secret"), usd, standsSeconds / 3600)];
}

export interface BatchBillArgs extends Stay {
  /** The most there can be beside the driver. */
  readonly executors: number;
  /** Memory that the driver is asked to have. @default Dataproc's */
  readonly driverMebibytes?: number;
}

/** The most that serverless batches can cost, one after the other, with all their executors until the end. */
export function batchBill(args: BatchBillArgs): readonly BillLine[] {
  const { region, executors, driverMebibytes = 0 } = args;
  const hours = hoursUntilEnd(args.deadlineSeconds);
  const units = unitPricesIn(region);
  const { vcpus, memoryGibibytes, diskGibibytes } = BATCH_NODE;
  const driverGibibytes = Math.max(memoryGibibytes, Math.ceil((driverMebibytes * DRIVER_OVERHEAD) / 1024));
  const compute = dcus(vcpus, driverGibibytes) + executors * dcus(vcpus, memoryGibibytes);
  const disks = ((executors + 1) * diskGibibytes * units.shuffleGibibyteMonth) / HOURS_PER_MONTH;
  const who = `driver and ${counted(executors, "executor")}`;
  return [
    perHour(`${who}, ${vcpus} vCPUs each: Dataproc Serverless`, compute * units.dcuHour, hours),
    perHour(`disks of ${who}`, disks, hours),
    perHour(`logs of ${who}`, (executors + 1) * LOG_GIBIBYTES_PER_NODE_HOUR * units.logsGibibyte, hours),
    ...keptSecrets(args),
  ];
}

/** Units that a driver or an executor is billed for (https://cloud.google.com/dataproc-serverless/pricing). */
function dcus(vcpus: number, gibibytes: number): number {
  const cheap = Math.min(gibibytes, vcpus * CHEAP_GIBIBYTES_PER_VCPU);
  return 0.6 * vcpus + 0.1 * cheap + 0.2 * (gibibytes - cheap);
}

/** What follows a run costs a little itself: a Cloud Run job of 1 vCPU and 1 GB that is there as long as the run. */
export function orchestratorBill(region: string, deadlineSeconds: number): readonly BillLine[] {
  const units = unitPricesIn(region);
  const compute = 3600 * (units.cloudRunVcpuSecond + units.cloudRunGibibyteSecond);
  const writes = (LOOKS_PER_HOUR * units.gcsThousandWrites) / 1000;
  return [perHour("orchestrator, a Cloud Run job", compute + writes, hoursUntilEnd(deadlineSeconds))];
}

export interface GcsLakeBillArgs {
  readonly region: string;
  /** Size of the files. */
  readonly gibibytes: number;
  readonly hours: number;
  /** Scheduled queries, and what each may read. @default none */
  readonly queries?: readonly { readonly schedule: string; readonly mebibytes: number }[];
}

/** What so much data costs for a while: the files, the rows that are loaded from them, and queries on a schedule. */
export function gcsLakeBill({ region, gibibytes, hours, queries = [] }: GcsLakeBillArgs): readonly BillLine[] {
  const units = unitPricesIn(region);
  const runs = queries.reduce((sum, { schedule }) => sum + mostRuns(schedule, hours), 0);
  // BigQuery knows no limit for these: one that reads everything is reckoned with.
  const read = queries.reduce(
    (sum, { schedule, mebibytes }) => sum + mostRuns(schedule, hours) * Math.max(mebibytes / 1024, gibibytes),
    0,
  );
  return [
    perHour(`GCS, for ${gibibytes} GB`, (gibibytes * units.gcsGibibyteMonth) / HOURS_PER_MONTH, hours),
    // A job writes some hundreds of objects, and its logs are put anew every few seconds.
    { what: "GCS, for 20,000 written objects", usdPerHour: 0, hours, usd: (20_000 * units.gcsThousandWrites) / 1000 },
    perHour(
      `BigQuery, for the rows of ${gibibytes} GB`,
      (gibibytes * ROWS_PER_PARQUET * units.bigQueryGibibyteMonth) / HOURS_PER_MONTH,
      hours,
    ),
    ...(runs > 0
      ? [
          {
            what: `BigQuery, for scheduled queries that run ${counted(runs, "time")}`,
            usdPerHour: 0,
            hours,
            usd: (read / 1024) * units.bigQueryTebibyteScanned,
          },
        ]
      : []),
  ];
}

/** How often a schedule that BigQuery takes comes around in such a span, at most. */
function mostRuns(schedule: string, hours: number): number {
  const interval = /^every (\d+) (minutes|mins|hours)\b/.exec(schedule);
  if (interval) return Math.floor((hours * (interval[2] === "hours" ? 1 : 60)) / Number(interval[1])) + 1;
  const daily = Math.floor(hours / 24) + 1; // all others name one time of a day, and some the days of a week
  const days = /^every ([a-z,]+) \d/.exec(schedule)?.[1]?.split(",") ?? ["day"];
  return days.includes("day") ? daily : Math.min(daily, days.length * (Math.floor(hours / (7 * 24)) + 1));
}

export interface BigQueryDashboardBillArgs {
  readonly region: string;
  readonly machineType: string;
  readonly diskGibibytes: number;
  readonly deadlineSeconds: number;
  /** The most that its queries may read in a day. */
  readonly dailyScanMebibytes: number;
  /** At its deadline the instance stops; its disk costs until the stack is destroyed. */
  readonly standsSeconds: number;
}

/** The most that a dashboard can cost: its instance, its queries, and a bucket that is looked at all the time. */
export function bigQueryDashboardBill(args: BigQueryDashboardBillArgs): readonly BillLine[] {
  const hours = hoursUntilEnd(args.deadlineSeconds);
  const units = unitPricesIn(args.region);
  const days = Math.ceil(hours / 24) + 1; // of the calendar, both ends counted
  const tebibytes = args.dailyScanMebibytes / 2 ** 20;
  return [
    perHour(`dashboard, ${args.machineType}`, computePerHour(args.machineType, args.region), hours),
    perHour(
      "the dashboard's disk, until it is destroyed",
      (args.diskGibibytes * units.pdStandardGibibyteMonth) / HOURS_PER_MONTH,
      Math.max(hours, args.standsSeconds / 3600),
    ),
    perHour(
      "GCS requests of a page that is open all the time",
      (LOOKS_PER_HOUR * units.gcsThousandWrites) / 1000,
      hours,
    ),
    {
      what: `BigQuery, up to the dashboard's daily limit on ${days} days`,
      usdPerHour: 0,
      hours,
      usd: days * tebibytes * units.bigQueryTebibyteScanned,
    },
  ];
}
