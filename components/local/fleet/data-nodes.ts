import * as pulumi from "@pulumi/pulumi";

export interface DataNodesArgs {
  /** Absolute path of the lake's folder, in which the namenode lives. */
  readonly lake: string;
  /** Name of the namenode's process. */
  readonly namenode: string;
  /** Where it answers, "127.0.0.1:9870". */
  readonly http: string;
  /** Absolute path of what the image of HDFS is started with. */
  readonly entrypoint: string;
  /** The datanodes, by the names of their processes, and where each takes data. */
  readonly nodes: readonly { readonly name: string; readonly address: string }[];
  /** Copies of each block, also of those that are there. */
  readonly replication: number;
  /** Absolute path of a Python interpreter. */
  readonly python: string;
}

/**
 * Which datanodes belong to HDFS. What is left out is decommissioned: the update ends once no block is on that node alone, and
 * fails when there is no room for them. So datanodes depend on this, and one that a program drops is deleted after it.
 */
export class DataNodes extends pulumi.CustomResource {
  constructor(name: string, args: DataNodesArgs, opts: pulumi.CustomResourceOptions) {
    super("oneoff-local:index:DataNodes", name, { ...args }, opts);
  }
}
