import { wholeNumber } from "../../../core/checks.ts";
import { arg, refusal } from "../../../core/errors.ts";
import type { Service } from "../../../core/service.ts";

/** Limit of a daemon in MiB, and its Java heap. */
const MEMORY_MEBIBYTES = 384;
const HEAP = "192m";

/** How HDFS stores. */
export interface HdfsPlan {
  readonly datanodes: number;
  /** Copies of each block. */
  readonly replication: number;
}

/** How HDFS is to store, as users say it. */
export interface HdfsArgs {
  /** How many datanodes. @default 1 */
  readonly datanodes?: number;
  /** Copies of each block, at most one per datanode. @default 2, or 1 with one datanode */
  readonly replication?: number;
}

/** The folder of HDFS in which Spark leaves its events, as all of a group know it. */
export const HDFS_EVENTS = "hdfs://namenode:8020/spark-events";

/** @throws UsageError for what is no count, and for more copies than datanodes. */
export function hdfsPlan({ datanodes = 1, replication }: HdfsArgs): HdfsPlan {
  wholeNumber("hdfs.datanodes", datanodes);
  const copies = replication ?? Math.min(2, datanodes);
  wholeNumber("hdfs.replication", copies);
  if (copies > datanodes) {
    throw refusal`${arg("hdfs.replication")} is ${copies} and ${arg("hdfs.datanodes")} is ${datanodes}: a block has at most one copy per datanode; lower the first or raise the second`;
  }
  return { datanodes, replication: copies };
}

/**
 * HDFS: a namenode and its datanodes.
 *
 * @param image one that is made as assets/images/hdfs is.
 */
export function hdfsServices<Text>(plan: HdfsPlan, image: Text): readonly Service<Text | string>[] {
  const common = {
    image,
    memoryMebibytes: MEMORY_MEBIBYTES,
    env: { HDFS_REPLICATION: String(plan.replication), HADOOP_HEAP: HEAP },
    disks: ["/data"],
  };
  return [
    {
      ...common,
      name: "namenode",
      command: ["namenode"],
      listens: { rpc: 8020, http: 9870 },
      pages: [{ name: "hdfs", listen: "http" }],
      health: ["/opt/oneoff/healthy", "namenode"],
    },
    {
      ...common,
      name: "datanode",
      command: ["datanode"],
      replicas: plan.datanodes,
      listens: { data: 9866, ipc: 9867, http: 9864 },
      health: ["/opt/oneoff/healthy", "datanode"],
    },
  ];
}
