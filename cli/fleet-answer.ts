/** What scripts of assets/fleet print, wherever they ran: fleet_status.py of HDFS and Spark, push.py and reset.py of what they did. */
import { z } from "zod";
import { number } from "./described.ts";
import type { FleetNode } from "./fleet.ts";

/** A part that doesn't answer is null, and why is the problem. */
export const FleetAnswer = z.object({
  hdfs: z
    .object({
      used: z.number(),
      capacity: z.number(),
      missing: z.number(),
      underReplicated: z.number(),
      nodes: z.array(z.object({ address: z.string(), state: z.string(), used: z.number(), capacity: z.number() })),
    })
    .nullable(),
  spark: z
    .object({
      nodes: z.array(
        z.object({
          page: z.string(),
          state: z.string(),
          cores: z.number(),
          coresUsed: z.number(),
          memoryMebibytes: z.number(),
          memoryUsedMebibytes: z.number(),
          gpus: z.array(z.string()),
          gpusUsed: z.array(z.string()),
        }),
      ),
      applications: z.array(z.object({ name: z.string(), user: z.string(), cores: z.number(), since: z.string() })),
    })
    .nullable(),
  problem: z.string().optional(),
});
export type FleetAnswer = z.output<typeof FleetAnswer>;

/**
 * What a node holds and works on; nothing when neither HDFS nor Spark has it among its own.
 * @param isIts whether an address, "127.0.0.1:8768", is the node's.
 */
export function partIn(
  { hdfs, spark }: FleetAnswer,
  isIts: (address: string) => boolean,
): (Partial<FleetNode> & Pick<FleetNode, "state">) | undefined {
  const datanode = hdfs?.nodes.find(({ address }) => isIts(address));
  if (datanode) return { state: datanode.state, hdfs: { used: datanode.used, all: datanode.capacity } };
  const worker = spark?.nodes.find(({ page, state }) => state === "alive" && isIts(page));
  if (!worker) return undefined;
  return {
    state: worker.coresUsed > 0 ? "busy" : "ready",
    cores: { used: worker.coresUsed, all: worker.cores },
    memoryMebibytes: { used: worker.memoryUsedMebibytes, all: worker.memoryMebibytes },
    ...(worker.gpus.length > 0 && { gpus: { used: worker.gpusUsed.length, all: worker.gpus.length } }),
  };
}

/** What somebody ought to look at, a sentence each. */
export const answerWarnings = ({ hdfs, problem }: FleetAnswer): readonly string[] => [
  ...(problem === undefined ? [] : [problem]),
  ...(hdfs?.missing ? [`${hdfs.missing} blocks of HDFS are missing: a datanode that had them must come back`] : []),
  ...(hdfs?.underReplicated
    ? [`${hdfs.underReplicated} blocks of HDFS have fewer copies than they should, and are copied while there is room`]
    : []),
];

/** What push.py prints. */
export const PushAnswer = z.object({ files: z.number(), skipped: z.number(), bytes: z.number(), seconds: z.number() });

const ResetAnswer = z.object({ kernels: z.number(), deleted: z.number() });

/** In a sentence. @param answer what reset.py prints. */
export function whatWent(answer: unknown): string {
  const { deleted, kernels } = ResetAnswer.parse(answer);
  return `Gone: ${number(deleted)} files and folders of HDFS, ${number(kernels)} ${kernels === 1 ? "kernel" : "kernels"}.`;
}
