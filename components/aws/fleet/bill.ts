import { type BillLine, hoursUntilEnd, perHour } from "../../../core/bill.ts";
import { reaperBill } from "../bill.ts";
import { ec2PerHour, instanceType, unitPricesIn } from "../prices.ts";
import { LOOK_SECONDS } from "./app.ts";
import type { FleetPlan } from "./args.ts";
import { type GpuMachine, gpuMachine } from "./gpu.ts";
import { GPU_IMAGE, NODE_IMAGE } from "./image.ts";
import { quotaCodes } from "./quotas.ts";

const HOURS_PER_MONTH = 730;

/** The stager, once more for what scores flows, and the settler once (software.ts, members.ts). */
const functionsGibibyteSeconds = ({ app }: Billed) => 900 * (1.75 * (app ? 2 : 1) + 0.25);

/**
 * Requests to S3 in an hour, by assets/fleet/agent.py: every 5 seconds the head lists runs and requests and reads two objects, which
 * takes two requests each; every minute a node reads two and writes its report.
 */
const HEAD_LISTS = 2 * 720;
const HEAD_READS = 2 * 2 * 720;
const NODE_READS = 2 * 2 * 60;
const NODE_WRITES = 60;

/** Lists of S3 that a look for a model takes; the few reads beside them cost a hundredth of it. */
const LISTS_OF_LOOK = 3;

/** Disk of the namenode for the names of files, beside its system's. */
export const NAMES_GIBIBYTES = 16;

/**
 * Services that nodes reach without a way to the internet, each by an interface endpoint: Session Manager, its channel, and what
 * gives users credentials for the lake. S3 has a gateway endpoint, which costs nothing.
 */
export const FLEET_ENDPOINTS = ["ssm", "ssmmessages", "sts"] as const;

type Billed = Omit<FleetPlan, "bill">;

/**
 * The most that a fleet can cost: all workers until the deadline, of the dearest type that will do, spot at the on-demand price.
 * What goes through the endpoints and between zones, 0.01 USD per GB, is not in it; nor what it saves to be off.
 *
 * @param standsSeconds until when the stack is destroyed: so long the reaper costs.
 */
export function fleetBill(plan: Billed, standsSeconds = plan.deadlineSeconds): readonly BillLine[] {
  const { region, nodes, hdfs, workers, zones } = plan;
  const hours = hoursUntilEnd(plan.deadlineSeconds);
  const stands = hoursUntilEnd(standsSeconds);
  const units = unitPricesIn(region);
  const node = ec2PerHour(nodes, region);
  const price = (type: string) => ec2PerHour(type, region);
  const dearest = workers.types.reduce((a, b) => (price(a) >= price(b) ? a : b));
  const many = `${counted(workers.count, "worker")}, ${dearest}`;
  const machines = 1 + hdfs.datanodes + workers.count;
  const requests =
    (HEAD_LISTS + machines * NODE_WRITES) * units.s3ThousandWrites +
    (HEAD_READS + machines * NODE_READS) * units.s3ThousandReads;
  const looks = 3600 / LOOK_SECONDS;
  const points = FLEET_ENDPOINTS.length * zones * units.interfaceEndpointHour;
  const disks = (workers: number) => (diskGibibytes(plan, workers) * units.gp3GigabyteMonth) / HOURS_PER_MONTH;
  return [
    perHour(`head, ${nodes}`, node, hours),
    perHour(`${counted(hdfs.datanodes, "data node")}, ${nodes}`, hdfs.datanodes * node, hours),
    perHour(workers.spot ? `${many}, at the on-demand price` : many, workers.count * price(dearest), hours),
    perHour(`disks of ${machines} nodes`, disks(workers.count), hours),
    perHour(`${FLEET_ENDPOINTS.length} endpoints in ${counted(zones, "zone")}`, points, hours),
    perHour(`S3 requests of ${machines} nodes`, requests / 1000, hours),
    {
      what: "functions for software and for data nodes that go, the longest that they take",
      usdPerHour: 0,
      hours,
      usd: functionsGibibyteSeconds(plan) * units.lambdaArmGigabyteSecond,
    },
    ...(plan.app
      ? [perHour("S3 requests of what scores flows", (looks * LISTS_OF_LOOK * units.s3ThousandWrites) / 1000, hours)]
      : []),
    ...reaperBill(region, stands),
    // Among the others already: it is here to be compared.
    { what: "while its machines are off: disks and endpoints", usdPerHour: disks(0) + points, hours: 0, usd: 0 },
  ];
}

/** Of all nodes together, with so many workers. */
function diskGibibytes({ gpu, hdfs }: Billed, workers: number): number {
  const worker = gpu.length > 0 ? GPU_IMAGE.rootGibibytes : NODE_IMAGE.rootGibibytes;
  const data = NAMES_GIBIBYTES + hdfs.datanodes * (NODE_IMAGE.rootGibibytes + hdfs.diskGibibytes);
  return NODE_IMAGE.rootGibibytes + data + workers * worker;
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** A type that workers may be of. */
export interface Candidate {
  readonly type: string;
  readonly vcpus: number;
  readonly memoryGiB: number;
  /** Undefined without a GPU. */
  readonly gpu: GpuMachine | undefined;
  /** On demand. */
  readonly usdPerHour: number;
  /** Codes of the quotas that such a worker counts against. */
  readonly quotas: readonly string[];
}

/** What workers may be of, in the order in which it is asked for. */
export const candidates = ({ region, workers }: Pick<FleetPlan, "region" | "workers">): readonly Candidate[] =>
  workers.types.map((type) => {
    const { vcpus, memoryGiB } = instanceType(type);
    return {
      type,
      vcpus,
      memoryGiB,
      gpu: gpuMachine(type),
      usdPerHour: ec2PerHour(type, region),
      quotas: quotaCodes(type, workers),
    };
  });
