/** The nouns on this machine: no account, no Docker. */
export { LocalCluster, type LocalClusterArgs, type RunArgs } from "./cluster/local.ts";
export { LocalDashboard, type LocalDashboardArgs, type ServerArgs } from "./dashboard/local.ts";
export { type FolderArgs, LocalLake, type LocalLakeArgs } from "./lake/local.ts";
export { Removal } from "./lake/removal.ts";
