/** The nouns on this machine: no account, no Docker. */

export { Removal } from "../../core/removal.ts";
export { Scheduler } from "../common/services/scheduler.ts";
export { LocalCluster, type LocalClusterArgs } from "./cluster.ts";
export { LocalDashboard, type LocalDashboardArgs, type ServerArgs } from "./dashboard.ts";
export { Gpu, type LocalFleetArgs } from "./fleet/args.ts";
export { LocalFleet } from "./fleet/fleet.ts";
export { type FolderArgs, LocalLake, type LocalLakeArgs } from "./lake.ts";
export type { LocalPipelineArgs } from "./pipeline/args.ts";
export { LocalPipeline } from "./pipeline/pipeline.ts";
export type { ProcessArgs } from "./process.ts";
export type { LocalRunArgs, RunArgs, SparkArgs } from "./run.ts";
