/** The kinds of clusters there are: a new one is a line here. Which platforms there are follows from them. */
export { emr } from "./aws/emr/kind.ts";
export { gpuFleet } from "./aws/gpu-fleet/kind.ts";
export { swarm } from "./docker/swarm/kind.ts";
export { swarmPipeline } from "./docker/swarm-pipeline/kind.ts";
export { dataproc } from "./gcp/dataproc/kind.ts";
export { local } from "./local/kind.ts";
export { localFleet } from "./local/local-fleet/kind.ts";
export { localPipeline } from "./local/local-pipeline/kind.ts";
