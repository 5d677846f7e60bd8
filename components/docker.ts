/** The nouns on machines of your own: Docker Swarm. */
export { SwarmCluster } from "./cluster/swarm.ts";
export type {
  FolderLake,
  ObjectLake,
  SwarmClusterArgs,
  SwarmHdfs,
  SwarmImages,
  SwarmWorkers,
} from "./cluster/swarm-args.ts";
export { SwarmDashboard, type SwarmDashboardArgs } from "./dashboard/swarm.ts";
export { LocalLake, type LocalLakeArgs } from "./lake/local.ts";
export { Removal } from "./lake/removal.ts";
