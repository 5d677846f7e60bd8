import { refuseAbove } from "../../../core/bill.ts";
import { diskGibibytes, wholeNumber } from "../../../core/checks.ts";
import { type Duration, seconds } from "../../../core/duration.ts";
import { arg, invalid, quote, refusal } from "../../../core/errors.ts";
import { deadlineSeconds, type Lifetime } from "../../../core/lifetime.ts";
import { checkSchedule, type FleetPower, type PowerSchedule } from "../../../core/schedule.ts";
import { hdfsPlan } from "../../common/services/hdfs.ts";
import { checkScheduler } from "../../common/services/scheduler.ts";
import { checkRegion } from "../prices.ts";
import { regionOf } from "../region.ts";
import { FLEET_DEADLINES, type FleetHdfs, type FleetPlan, type FleetPlanArgs, type FleetWorkers } from "./args.ts";
import { fleetBill } from "./bill.ts";
import { gangMinutes, spotOf } from "./capacity.ts";
import { checkNode, type GpuModel, gpuMachine, gpuModels, workerTypes } from "./gpu.ts";
import { readUsers } from "./keys.ts";

/** No region has more zones. */
const MOST_ZONES = 6;
/** What a fleet's network has addresses for: data nodes are in one zone, and each of six has 507. */
const MOST_DATANODES = 400;
const MOST_WORKERS = 1000;

/**
 * The arguments, checked and with their defaults.
 *
 * @param stands how long the stack stands before it is destroyed. @default until the deadline
 * @throws UsageError for arguments that don't go together, are out of range or can't be had yet, for a key that is none, and when
 * `maxCost` is below the bill.
 */
export function fleetPlan(args: FleetPlanArgs, stands?: Duration): FleetPlan {
  const scheduler = checkScheduler(args.scheduler ?? "standalone");
  const region = args.region ?? regionOf();
  checkRegion(region);
  const gpu = gpuModels(args.gpu ?? "none");
  const hdfs = hdfsOf(args.hdfs);
  const plan = {
    region,
    scheduler,
    gpu,
    nodes: nodesOf(args.nodes ?? "m6i.large", region),
    hdfs,
    workers: workersOf(args.workers, gpu, region),
    gangMinutes: gangMinutes(args),
    notebook: args.notebook ?? true,
    app: args.app ?? false,
    users: args.users === undefined ? [] : readUsers(args.users),
    zones: wholeNumber("zones", args.zones ?? 2, MOST_ZONES),
    deadlineSeconds: deadlineSeconds(args.lifetime, ...FLEET_DEADLINES),
    idleSeconds: idleOf(args.lifetime),
    idleOffSeconds: args.idleOff === undefined ? undefined : spanOf("idleOff", args.idleOff),
    power: powerOf(args.power ?? "on"),
    warnings:
      hdfs.replication === 1
        ? ["hdfs.replication is 1: what is on a data node is lost with its disk; with 2 or more a copy is left"]
        : [],
  };
  const bill = fleetBill(plan, Math.max(plan.deadlineSeconds, stands ? seconds(stands, "stands") : 0));
  refuseAbove(args.lifetime.maxCost, bill);
  return { ...plan, bill };
}

function powerOf(power: string | PowerSchedule): FleetPower {
  if (power === "on" || power === "off") return { power };
  if (typeof power === "string") throw invalid("power", power, "expected on, off or a schedule");
  checkSchedule(power);
  return { power: "schedule", on: power.on, off: power.off, timeZone: power.timeZone };
}

function hdfsOf({ datanodes = 3, replication, disk = "64 GB" }: FleetHdfs = {}): FleetPlan["hdfs"] {
  if (datanodes === 0) {
    throw invalid(
      "hdfs.datanodes",
      0,
      "HDFS needs at least one, and a fleet without HDFS isn't offered: steps share data by it",
    );
  }
  wholeNumber("hdfs.datanodes", datanodes, MOST_DATANODES);
  return {
    ...hdfsPlan({ datanodes, ...(replication !== undefined && { replication }) }),
    diskGibibytes: diskGibibytes(disk, "16 GB", "16 TB", "hdfs.disk"),
  };
}

function nodesOf(type: string, region: string): string {
  const refuse = (why: string) => invalid("nodes", type, why);
  checkNode(type, region, refuse);
  if (gpuMachine(type) === undefined) return type;
  throw refuse('it has a GPU, which nobody would use there; take a type without one, such as "m6i.large"');
}

function workersOf({ count = 2, types, spot }: FleetWorkers = {}, gpu: readonly GpuModel[], region: string) {
  wholeNumber("workers.count", count, MOST_WORKERS);
  return {
    count,
    types: workerTypes(gpu, region, types),
    ...(spot && { spot: spotOf(spot, count) }),
  };
}

/** Nobody ends a fleet by finishing, so it must be said when it is idle. */
function idleOf({ idle }: Lifetime): number {
  if (idle === undefined) {
    throw refusal`${arg("lifetime.idle")} is not set: say after how long without work the fleet gives its workers back, such as "1 hour"`;
  }
  return spanOf("lifetime.idle", idle);
}

function spanOf(argument: string, span: Duration): number {
  const given = seconds(span, argument);
  if (given >= 600 && given <= 7 * 86_400) return given;
  throw refusal`${arg(argument)} is ${quote(span)}: expected "10 minutes" to "7 days"`;
}
