import * as pulumi from "@pulumi/pulumi";
import type { DashboardConfig } from "../../../assets/dashboard/config.ts";
import type { Job } from "../../../core/job.ts";
import { dashboardJob } from "../../common/dashboard-job.ts";
import { secretFile } from "../files.ts";
import type { SwarmService } from "../service.ts";

/** DuckDB, and the rows of feeds that it holds. */
const MEMORY_MEBIBYTES = 384;
const PORT = 8765;

/** Where steps send rows to. */
export const PAGE_ADDRESS = `http://page:${PORT}`;

export interface PagePlan {
  readonly job: Job;
  /** Absolute path of the lake. */
  readonly folder: string;
  /** Given back by it, so that it can be told from a stranger on its port. */
  readonly token: string;
  /** What steps send rows with. Secret. */
  readonly feedToken: pulumi.Input<string>;
  /** Who may read the lake. */
  readonly user: string;
}

/** The dashboard, as a service that a cluster's steps reach and people come to by the gateway. */
export function pageService(plan: PagePlan, image: pulumi.Input<string>): SwarmService {
  const { job, folder, token, feedToken, user } = plan;
  const config = {
    job: dashboardJob(job),
    stack: pulumi.getStack(),
    engine: { kind: "duckdb", lake: folder },
    port: PORT,
    token,
  } satisfies DashboardConfig;
  // All of it is a secret, as one line of it is.
  const file = secretFile("page", pulumi.jsonStringify({ ...config, feedToken }));
  return {
    name: "page",
    image,
    user,
    command: [file.path],
    memoryMebibytes: MEMORY_MEBIBYTES,
    // Its own name is its address on the cluster's network, and nothing else's.
    env: { ONEOFF_DASHBOARD_ADDRESS: "page" },
    stays: true,
    files: [file],
    listens: { http: PORT },
    pages: [{ name: "dashboard", listen: "http" }],
    mounts: [{ path: folder, readOnly: true }],
    health: ["/opt/oneoff/healthy", String(PORT), "page"],
  };
}
