import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import type { DashboardConfig } from "../../assets/dashboard/config.ts";
import { jobFor } from "../../core/job/same.ts";
import type { Job } from "../../core/job.ts";
import { SqlEngine } from "../../core/sql-engine.ts";
import { bundle } from "../common/bundle.ts";
import { dashboardJob } from "../common/dashboard-job.ts";
import type { CommandOutputs } from "../common/outputs.ts";
import { checkPanels } from "../common/panels.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import { checkPort, checkUser, dockerPrefix, type FolderLake } from "./args.ts";
import { AS_LABELLED, labels } from "./files.ts";
import { builtImage } from "./images.ts";

const MEMORY_MEBIBYTES = 384;

export interface SwarmDashboardArgs {
  /** The job whose panels are shown: the lake's, with all of its panels or some. @default that of a lake that has one */
  readonly job?: Job;
  /** The lake that they read: a folder of the machine where Docker is. */
  readonly lake: FolderLake;
  /** Port on 127.0.0.1. @default 8765 */
  readonly port?: number;
  /** User and group that may read the lake's folder, "1000:1000". @default who runs Pulumi */
  readonly user?: string | undefined;
  /** @default built from assets/images/dashboard */
  readonly image?: pulumi.Input<string> | undefined;
  /** Where a built image is pushed. @default the machine where Docker is alone */
  readonly registry?: string | undefined;
  /** Arguments of the Dockerfile: BASE (Debian 12). @default what it says */
  readonly buildArgs?: Readonly<Record<string, string>>;
  /** Changes a child just before it is made. */
  readonly transform?: { readonly container?: Transform<docker.ContainerArgs> };
}

/**
 * A page that shows a job's panels by querying a lake's folder, in a container of its own: it needs no cluster, and is
 * there until it is destroyed. For the machine where Docker is alone: its port is on the loopback address.
 */
export class SwarmDashboard extends pulumi.ComponentResource {
  /** Address of the page. */
  readonly url: pulumi.Output<string>;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /**
   * @throws UsageError for a port or a user that can't be, another job than the lake's, and when there is none, and for a panel
   * that DuckDB can't show.
   */
  constructor(name: string, args: SwarmDashboardArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:SwarmDashboard", name, {}, opts);
    const port = checkPort(args.port ?? 8765);
    const user = checkUser(args.user);
    const prefix = dockerPrefix();
    const { lake } = args;
    const job = jobFor(args, "some");
    checkPanels(job, SqlEngine.duckdb, this);
    const image = args.image ?? builtImage(name, "dashboard", args, this, bundle("dashboard-image"));
    const config: DashboardConfig = {
      job: dashboardJob(job),
      // An image of one's own may be of a version that refuses what it doesn't know.
      ...(args.image === undefined && { stack: pulumi.getStack() }),
      engine: { kind: "duckdb", lake: lake.path },
      port,
      token: `${prefix}-${name}`,
    };
    const container: docker.ContainerArgs = {
      name: `${prefix}-${name}`,
      image,
      user,
      labels: labels(prefix),
      ports: [{ internal: port, external: port, ip: "127.0.0.1" }],
      mounts: [{ type: "bind", source: lake.path, target: lake.path, readOnly: true }],
      // Not a file: Docker puts none into a container whose own folders can't be written.
      envs: [`ONEOFF_DASHBOARD=${JSON.stringify(config)}`],
      readOnly: true,
      tmpfs: { "/tmp": "" },
      restart: "unless-stopped",
      healthcheck: {
        tests: ["CMD", "/opt/oneoff/healthy", String(port)],
        interval: "10s",
        timeout: "5s",
        startPeriod: "30s",
        startInterval: "0s",
        retries: 3,
      },
      memory: MEMORY_MEBIBYTES,
      memorySwap: MEMORY_MEBIBYTES,
      capabilities: { drops: ["ALL"] },
      destroyGraceSeconds: 5,
    };
    const dependsOn = lake instanceof pulumi.Resource ? [lake] : [];
    const made = new docker.Container(
      ...applyTransform(args.transform?.container, `${name}-container`, container, {
        ...AS_LABELLED,
        parent: this,
        dependsOn,
      }),
    );
    this.url = made.id.apply(() => `http://127.0.0.1:${port}`);
    this.outputs = { dashboard: this.url };
    this.registerOutputs({ url: this.url });
  }
}
