/** The nouns on Google Cloud: Dataproc, Cloud Storage with BigQuery, and a small dashboard instance. */
export { DataprocMode } from "../../assets/dataproc-orchestrator/launch.ts";
export { type BillLine, ceiling, refuseAbove } from "../../core/bill.ts";
export { Removal } from "../../core/removal.ts";
export { BigQueryDashboard, type BigQueryDashboardArgs } from "./dashboard.ts";
export type { DataprocClusterArgs, DataprocKerberos, DataprocWorkers } from "./dataproc/args.ts";
export { DataprocCluster } from "./dataproc/cluster.ts";
export { type CsvFile, GcsLake, type GcsLakeArgs } from "./lake.ts";
export { GcpNetwork, type GcpNetworkArgs, type GcpSubnet } from "./network.ts";
export type { ScheduledQuery } from "./scheduled-queries.ts";
