/** The nouns on this machine: no account, no Docker. */

export { Removal } from "../../core/removal.ts";
export { LocalCluster, type LocalClusterArgs, type RunArgs } from "./cluster.ts";
export { LocalDashboard, type LocalDashboardArgs, type ServerArgs } from "./dashboard.ts";
export { type FolderArgs, LocalLake, type LocalLakeArgs } from "./lake.ts";
