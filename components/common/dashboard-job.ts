import type { DashboardConfig } from "../../assets/dashboard/config.ts";
import type { Job } from "../../core/job.ts";

/** What a dashboard's server is told of the job that it shows. */
export const dashboardJob = (job: Job): DashboardConfig["job"] => ({
  name: job.name,
  // What holds for a run that writes it says nothing to who shows it.
  tables: job.tables.map(({ mayBeEmpty: _, ...table }) => ({
    ...table,
    columns: [...table.columns],
    partitions: [...(table.partitions ?? [])],
  })),
  panels: [...job.panels],
});
