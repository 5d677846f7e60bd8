/** The nouns on this machine: no account, no Docker. */
export { LocalCluster, type LocalClusterArgs } from "./cluster/local.ts";
export { LocalDashboard, type LocalDashboardArgs } from "./dashboard/local.ts";
export { LocalLake, type LocalLakeArgs, Removal } from "./lake/local.ts";
