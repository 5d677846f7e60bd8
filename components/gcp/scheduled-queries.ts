import { createHash } from "node:crypto";
import * as gcp from "@pulumi/gcp";
import * as pulumi from "@pulumi/pulumi";
import { checkTableId } from "../../core/bigquery-table.ts";
import { type Duration, seconds } from "../../core/duration.ts";
import { quote, UsageError } from "../../core/errors.ts";
import type { Job } from "../../core/job.ts";
import { fill, placeholders } from "../../core/placeholders.ts";
import { type Granted, runQueries, useDataset } from "./grants.ts";
import { ownedBy, serviceAccountId } from "./project.ts";
import { checkSchedule } from "./schedule.ts";

/** A query that BigQuery runs again and again, and whose rows take the place of those of the time before. */
export interface ScheduledQuery {
  /** `{points}` stands for the rows of table `points` of all runs, which have a column `run`. */
  readonly sql: string;
  /** In UTC: "every 24 hours", "every day 09:00", "every mon,thu 09:00", "1st monday of month 06:30". */
  readonly schedule: string;
  /** So long after it was made it is run for the first time. @default at once, when there may be no rows yet */
  readonly after?: Duration;
}

const SERVICE = "bigquerydatatransfer.googleapis.com";

/** @throws UsageError for a schedule that BigQuery can't read, a name that is no table's, or a placeholder of no table. */
export function checkQueries(job: Job, queries: Readonly<Record<string, ScheduledQuery>>, keep: Duration): void {
  seconds(keep, "keepQueries");
  for (const [table, { sql, schedule, after }] of Object.entries(queries)) {
    checkTableId("queries", table, job);
    checkSchedule(`queries.${table}.schedule`, schedule);
    if (after !== undefined) seconds(after, `queries.${table}.after`);
    const unknown = placeholders(sql).find((name) => !job.tables.some((table) => table.name === name));
    if (unknown !== undefined) {
      throw new UsageError(`queries.${table}.sql reads {${unknown}}, and job ${quote(job.name)} leaves no such table`);
    }
  }
}

/**
 * Has BigQuery run queries on their schedules until `keep` has passed, as a service account of their own that may read
 * and write this dataset alone. BigQuery knows no limit of bytes for them: they read what is in the dataset.
 */
export function scheduleQueries(
  name: string,
  args: { readonly job: Job; readonly queries: Readonly<Record<string, ScheduledQuery>>; readonly keep: Duration },
  place: Granted & { readonly location: string; readonly hex: pulumi.Output<string> },
  tables: readonly pulumi.Resource[],
  parent: pulumi.Resource,
): void {
  const { project, location, datasetId } = place;
  const api = new gcp.projects.Service(
    `${name}-schedules-api`,
    { project, service: SERVICE, disableOnDestroy: false }, // other stacks may use it
    { parent },
  );
  // Google's own account of the service, made when it is asked for: it acts as ours.
  const agent = new gcp.projects.ServiceIdentity(
    `${name}-schedules-agent`,
    { project, service: SERVICE },
    { parent, dependsOn: [api] },
  );
  const account = new gcp.serviceaccount.Account(
    `${name}-queries`,
    {
      project,
      accountId: serviceAccountId(`${name}-queries`, place.hex),
      displayName: ownedBy("scheduled queries"),
      description: "Runs scheduled queries of a lake",
    },
    { parent },
  );
  const member = account.member;
  const grants = [
    new gcp.serviceaccount.IAMMember(
      `${name}-queries-agent`,
      {
        serviceAccountId: account.name,
        role: "roles/iam.serviceAccountTokenCreator",
        member: pulumi.interpolate`serviceAccount:${agent.email}`,
      },
      { parent },
    ),
    runQueries(`${name}-queries-jobs`, place, member, parent),
    useDataset(`${name}-queries-rows`, place, member, "roles/bigquery.dataEditor", parent),
  ];
  for (const [table, { sql, schedule, after }] of Object.entries(args.queries)) {
    // BigQuery takes points in time alone, so they are told at creation and stay; another query is another resource.
    const version = createHash("sha256").update(`${schedule}\0${sql}`).digest("hex").slice(0, 6);
    const query = pulumi.output(datasetId).apply((dataset) => fill(sql, (name) => `\`${project}.${dataset}.${name}\``));
    new gcp.bigquery.DataTransferConfig(
      `${name}-query-${table}-${version}`,
      {
        project,
        location,
        displayName: ownedBy(`query ${table}`),
        dataSourceId: "scheduled_query",
        schedule,
        scheduleOptions: { ...(after && { startTime: fromNow(after) }), endTime: fromNow(args.keep) },
        destinationDatasetId: datasetId,
        serviceAccountName: account.email,
        params: { query, destination_table_name_template: table, write_disposition: "WRITE_TRUNCATE" },
      },
      { parent, dependsOn: [api, ...grants, ...tables], ignoreChanges: ["scheduleOptions"] },
    );
  }
}

const fromNow = (span: Duration): string =>
  new Date(Date.now() + seconds(span) * 1000).toISOString().replace(/\.\d+Z$/, "Z");
