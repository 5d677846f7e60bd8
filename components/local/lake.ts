import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Job } from "../../core/job.ts";
import { checkRemoval, Removal } from "../../core/removal.ts";
import { SqlEngine } from "../../core/sql-engine.ts";
import { checkPanels } from "../common/panels.ts";
import { applyTransform, type Transform } from "../common/transform.ts";

export interface LocalLakeArgs {
  /** The job whose tables lie in the lake. */
  readonly job: Job;
  /**
   * Folder of the lake: a new or empty one, or one that was retained. A relative path starts at the folder of Pulumi.yaml.
   * @default ".oneoff/lake"
   */
  readonly path?: string;
  /** @default "delete" */
  readonly removal?: Removal;
  /** Changes a child just before it is made. */
  readonly transform?: { readonly folder?: Transform<FolderArgs> };
}

/** A lake on this machine: a folder of Parquet files that DuckDB queries. */
export class LocalLake extends pulumi.ComponentResource {
  /** The job whose tables lie in it. */
  readonly job: Job;
  /** Absolute path of the folder. */
  readonly path: string;
  /** The path, once the folder is there. */
  readonly uri: pulumi.Output<string>;

  /** @throws UsageError when `removal` is neither "delete" nor "retain", and for a panel that DuckDB can't show. */
  constructor(name: string, args: LocalLakeArgs, opts?: pulumi.ComponentResourceOptions) {
    super("oneoff:index:LocalLake", name, {}, opts);
    const removal = checkRemoval(args.removal);
    checkPanels(args.job, SqlEngine.duckdb, this);
    this.job = args.job;
    this.path = resolve(pulumi.getRootDirectory(), args.path ?? ".oneoff/lake");
    const folderArgs: FolderArgs = { path: this.path, retain: removal === Removal.retain };
    const folder = new Folder(
      ...applyTransform(args.transform?.folder, `${name}-folder`, folderArgs, { parent: this }),
    );
    this.uri = folder.path;
    this.registerOutputs({ uri: this.uri });
  }
}

/** Inputs of the lake's folder, for `transform`. */
export interface FolderArgs {
  /** Absolute path. */
  readonly path: pulumi.Input<string>;
  /** Whether the data stays when the folder is deleted. */
  readonly retain: pulumi.Input<boolean>;
}

class Folder extends pulumi.CustomResource {
  declare readonly path: pulumi.Output<string>;

  constructor(name: string, args: FolderArgs, opts: pulumi.CustomResourceOptions) {
    super("oneoff-local:index:Folder", name, { ...args }, opts);
  }
}
