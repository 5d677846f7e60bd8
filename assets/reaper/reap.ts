import { type AutoScalingClient, DeleteAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { type EC2Client, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { type EMRClient, SetTerminationProtectionCommand, TerminateJobFlowsCommand } from "@aws-sdk/client-emr";
import type { S3Client } from "@aws-sdk/client-s3";
import { type Cancelled, cancelled } from "./cancelled.ts";
import { type Kind, type Overdue, overdue } from "./overdue.ts";
import { type CandidateList, clusters, groups, instances } from "./running.ts";

export interface Clients {
  readonly emr: EMRClient;
  readonly autoScaling: AutoScalingClient;
  readonly ec2: EC2Client;
  readonly s3: S3Client;
}

/** One line of the log: what was ended, or what could not be. */
export type Entry =
  | ({ readonly event: "ended" } & Due)
  | { readonly event: "failed"; readonly kind: Kind; readonly id: string; readonly error: string };

/** What has to end, and why. */
type Due = Overdue | Cancelled;

interface Ender {
  readonly kind: Kind;
  readonly find: () => Promise<CandidateList>;
  /** How many it takes in one call. */
  readonly batch: number;
  readonly end: (ids: string[]) => Promise<unknown>;
}

/**
 * Ends everything of `stack` that is past its deadline, whatever lake it belongs to: what is overdue has to end whoever owns
 * it; and clusters whose run is to be cancelled. Says what it did, and never throws: failures are entries.
 */
export async function reap(clients: Clients, stack: string, now: Date): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  // In this order: a cluster and a group end their instances themselves, and would replace them.
  for (const ender of enders(clients, stack)) {
    const failed = (id: string, error: unknown): void =>
      void entries.push({ event: "failed", kind: ender.kind, id, error: explain(error) });
    try {
      const { candidates, failures } = await ender.find();
      for (const { id, error } of failures) failed(id, error);
      const due: Due[] = [];
      for (const candidate of candidates) {
        const one =
          overdue(candidate, stack, now) ??
          (await cancelled(clients.s3, candidate, stack).catch((error) => failed(candidate.id, error)));
        if (one) due.push(one);
      }
      for (let at = 0; at < due.length; at += ender.batch) {
        for (const { one, error } of await endAll(due.slice(at, at + ender.batch), ender.end)) {
          if (error === undefined) entries.push({ event: "ended", ...one });
          else failed(one.id, error);
        }
      }
    } catch (error) {
      failed("*", error);
    }
  }
  return entries;
}

function enders({ emr, autoScaling, ec2 }: Clients, stack: string): readonly Ender[] {
  return [
    {
      kind: "cluster",
      find: () => clusters(emr),
      batch: 10, // TerminateJobFlows takes no more
      end: async (JobFlowIds) => {
        await emr.send(new SetTerminationProtectionCommand({ JobFlowIds, TerminationProtected: false }));
        await emr.send(new TerminateJobFlowsCommand({ JobFlowIds }));
      },
    },
    {
      kind: "group",
      find: () => groups(autoScaling, stack),
      batch: 1,
      end: ([AutoScalingGroupName]) =>
        autoScaling.send(new DeleteAutoScalingGroupCommand({ AutoScalingGroupName, ForceDelete: true })),
    },
    {
      kind: "instance",
      find: () => instances(ec2, stack),
      batch: 50,
      end: (InstanceIds) => ec2.send(new TerminateInstancesCommand({ InstanceIds })),
    },
  ];
}

/** In one call; when that fails one by one, so that one that can't be ended doesn't keep the others alive. */
async function endAll(due: readonly Due[], end: Ender["end"]) {
  const attempt = async (some: readonly Due[]): Promise<{ one: Due; error?: unknown }[]> => {
    try {
      await end(some.map(({ id }) => id));
      return some.map((one) => ({ one }));
    } catch (error) {
      if (some.length > 1) return (await Promise.all(some.map((one) => attempt([one])))).flat();
      return some.map((one) => ({ one, error }));
    }
  };
  return attempt(due);
}

const explain = (error: unknown) => (error instanceof Error ? `${error.name}: ${error.message}` : String(error));
