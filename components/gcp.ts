/** The nouns on Google Cloud: Dataproc, Cloud Storage with BigQuery, and a small dashboard instance. */
export { DataprocMode } from "../assets/orchestrator/launch.ts";
export { DataprocCluster } from "./cluster/dataproc.ts";
export type { DataprocClusterArgs, DataprocKerberos, DataprocWorkers } from "./cluster/dataproc-args.ts";
export { GcpNetwork, type GcpNetworkArgs, type GcpSubnet } from "./cluster/gcp-network.ts";
export { BigQueryDashboard, type BigQueryDashboardArgs } from "./dashboard/bigquery.ts";
export { type CsvFile, GcsLake, type GcsLakeArgs } from "./lake/gcs.ts";
export { Removal } from "./lake/removal.ts";
export type { ScheduledQuery } from "./lake/scheduled-queries.ts";
export { type BillLine, ceiling, refuseAbove } from "./lifetime/bill.ts";
