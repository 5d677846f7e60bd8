/** The nouns on AWS: EMR, S3 with Athena, and a small dashboard instance. */

export { type BillLine, ceiling, refuseAbove } from "../../core/bill.ts";
export { Removal } from "../../core/removal.ts";
export type { PowerSchedule } from "../../core/schedule.ts";
export { AthenaDashboard, type AthenaDashboardArgs } from "./dashboard.ts";
export type { EmrClusterArgs, EmrExecutors, EmrWorkers } from "./emr/args.ts";
export { EmrCluster } from "./emr/cluster.ts";
export type { SshAccess } from "./emr/groups.ts";
export { SpotFallback, Stage } from "./emr/job-flow.ts";
export type { FleetHdfs, FleetSpot, FleetWorkers } from "./fleet/args.ts";
export { FleetFallback } from "./fleet/args.ts";
export { GpuFleet, type GpuFleetArgs } from "./fleet/fleet.ts";
export { S3Lake, type S3LakeArgs } from "./lake.ts";
export { Network, type NetworkArgs, type Subnets } from "./network.ts";
export { Reaper } from "./reaper.ts";
