/** The nouns on machines of your own: Docker Swarm. */

export { Removal } from "../../core/removal.ts";
export { LocalLake, type LocalLakeArgs } from "../local/lake.ts";
export type {
  FolderLake,
  ObjectLake,
  SwarmClusterArgs,
  SwarmHdfs,
  SwarmImages,
  SwarmWorkers,
} from "./args.ts";
export { SwarmCluster } from "./cluster.ts";
export { SwarmDashboard, type SwarmDashboardArgs } from "./dashboard.ts";
export type { PipelineImages, PipelineKafka, StreamingPipelineArgs } from "./pipeline/args.ts";
export { StreamingPipeline } from "./pipeline/pipeline.ts";
