/** The nouns on AWS: EMR, S3 with Athena, and a small dashboard instance. */
export { EmrCluster } from "./cluster/emr.ts";
export type { EmrClusterArgs, EmrExecutors, EmrWorkers } from "./cluster/emr-args.ts";
export type { SshAccess } from "./cluster/emr-groups.ts";
export { SpotFallback, Stage } from "./cluster/emr-job-flow.ts";
export { Network, type NetworkArgs, type Subnets } from "./cluster/network.ts";
export { AthenaDashboard, type AthenaDashboardArgs } from "./dashboard/athena.ts";
export { Removal } from "./lake/removal.ts";
export { S3Lake, type S3LakeArgs } from "./lake/s3.ts";
export { type BillLine, ceiling, refuseAbove } from "./lifetime/bill.ts";
export { Reaper } from "./lifetime/reaper.ts";
