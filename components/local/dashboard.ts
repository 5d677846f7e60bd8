import * as pulumi from "@pulumi/pulumi";
import { invalid } from "../../core/errors.ts";
import { jobFor } from "../../core/job/same.ts";
import type { Job } from "../../core/job.ts";
import { checkName } from "../../core/lake-layout.ts";
import type { CommandOutputs } from "../common/outputs.ts";
import { applyTransform, type Transform } from "../common/transform.ts";
import type { LocalLake } from "./lake.ts";

export interface LocalDashboardArgs {
  /** The job whose panels are shown: the lake's, with all of its panels or some. @default the lake's job */
  readonly job?: Job;
  /** The lake that they read. */
  readonly lake: LocalLake;
  /** Port on 127.0.0.1. @default 8765 */
  readonly port?: number;
  /** What steps must know to send rows as they happen, which panels with `live` show: a secret. @default none can be sent */
  readonly feedToken?: pulumi.Input<string>;
  /** Changes a child just before it is made. */
  readonly transform?: { readonly server?: Transform<ServerArgs> };
}

/** A page on this machine, and for it alone, that shows a job's panels by querying a local lake. It lives until it is destroyed. */
export class LocalDashboard extends pulumi.ComponentResource {
  /** Address of the page. */
  readonly url: pulumi.Output<string>;
  /** What `outputs` takes from it. */
  readonly outputs: CommandOutputs;

  /** @throws UsageError when `port` is not from 1 to 65535, for a name that no folder can have, and for another job than the lake's. */
  constructor(name: string, args: LocalDashboardArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:LocalDashboard", name, {}, opts);
    checkName(name, "name of the dashboard");
    const port = args.port ?? 8765;
    if (!Number.isInteger(port) || port < 1 || port > 65535) {
      throw invalid("port", port, "expected a whole number from 1 to 65535");
    }
    const { lake } = args;
    const job = jobFor(args, "some");
    const serverArgs: ServerArgs = {
      name,
      lake: lake.path,
      port,
      job: { name: job.name, tables: job.tables, panels: job.panels },
      ...(args.feedToken !== undefined && { feedToken: pulumi.secret(args.feedToken) }),
    };
    const options = { parent: this, dependsOn: [lake] };
    const server = new Server(...applyTransform(args.transform?.server, `${name}-server`, serverArgs, options));
    this.url = server.url;
    this.outputs = { dashboard: this.url };
    this.registerOutputs({ url: this.url });
  }
}

/** Inputs of the dashboard's server, for `transform`. */
export interface ServerArgs {
  /** Tells dashboards on one lake apart. */
  readonly name: pulumi.Input<string>;
  /** Absolute path of the lake's folder. */
  readonly lake: pulumi.Input<string>;
  readonly port: pulumi.Input<number>;
  readonly job: pulumi.Input<Pick<Job, "name" | "tables" | "panels">>;
  /** As in {@link LocalDashboardArgs}; it is in no state. */
  readonly feedToken?: pulumi.Input<string>;
}

class Server extends pulumi.CustomResource {
  declare readonly url: pulumi.Output<string>;

  constructor(name: string, args: ServerArgs, opts: pulumi.CustomResourceOptions) {
    super("oneoff-local:index:Server", name, { ...args, url: undefined }, opts);
  }
}
