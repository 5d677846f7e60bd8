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
