import { DeleteAutoScalingGroupCommand } from "@aws-sdk/client-auto-scaling";
import { DeleteVolumeCommand, DeleteVpcEndpointsCommand, TerminateInstancesCommand } from "@aws-sdk/client-ec2";
import { SetTerminationProtectionCommand, TerminateJobFlowsCommand } from "@aws-sdk/client-emr";
import type { S3Client } from "@aws-sdk/client-s3";
import { inBatches } from "./batches.ts";
import { cancelled } from "./cancelled.ts";
import type { Clients } from "./clients.ts";
import { type Due, type Entry, failure } from "./entry.ts";
import { fleetsOf, isOfFleet } from "./fleets.ts";
import { firstLook, look, type SeenFleet } from "./look.ts";
import { type Candidate, type Kind, overdue } from "./overdue.ts";
import { type CandidateList, clusters, endpoints, groups, instances, volumes } from "./running.ts";

interface Ender {
  readonly kind: Kind;
  readonly find: () => Promise<CandidateList>;
  /** How many it takes in one call. */
  readonly batch: number;
  readonly end: (ids: string[]) => Promise<unknown>;
}

/**
 * Ends everything of `stack` that is past its deadline, whatever lake it belongs to: what is overdue has to end whoever owns
 * it; clusters whose run is to be cancelled; and puts fleets to sleep that nobody works on. Says what it did, and never throws:
 * failures are entries.
 */
export async function reap(clients: Clients, stack: string, now: Date): Promise<readonly Entry[]> {
  const all = enders(clients, stack);
  const found = await Promise.all(all.map(findAll));
  const entries = found.flatMap(({ entries }) => entries);
  const candidates = found.flatMap(({ candidates }) => candidates);
  const fleets = await Promise.all(fleetsOf(candidates, stack).map((fleet) => firstLook(clients.s3, fleet, now)));

  // In this order: a cluster and a group end their instances themselves, and would replace them; instances have volumes.
  for (const [i, ender] of all.entries()) {
    const due: Due[] = [];
    for (const candidate of found[i]?.candidates ?? []) {
      const one = await dueOf(candidate, fleets, clients.s3, stack, now).catch(
        (error) => void entries.push(failure(candidate.kind, candidate.id, error)),
      );
      if (one) due.push(one);
    }
    for (const { one, error } of await inBatches(due, ender.batch, ender.end)) {
      entries.push(error === undefined ? { event: "ended", ...one } : failure(one.kind, one.id, error));
    }
  }
  const isComplete = found.every(
    ({ kind, entries }) => entries.length === 0 || (kind !== "group" && kind !== "instance"),
  );
  const looks = await Promise.all(fleets.map((fleet) => look(clients, fleet, isComplete, now)));
  return [...entries, ...looks.flat()];
}

async function findAll({ kind, find }: Ender) {
  try {
    const { candidates, failures } = await find();
    return { kind, candidates, entries: failures.map(({ id, error }) => failure(kind, id, error)) };
  } catch (error) {
    return { kind, candidates: [], entries: [failure(kind, "*", error)] };
  }
}

async function dueOf(
  candidate: Candidate,
  fleets: readonly SeenFleet[],
  s3: S3Client,
  stack: string,
  now: Date,
): Promise<Due | undefined> {
  if (candidate.inUse) return undefined;
  if (isOfFleet(candidate)) return fleets.find(({ end }) => end.over.has(candidate))?.end.over.get(candidate);
  return overdue(candidate, stack, now) ?? (await cancelled(s3, candidate, stack));
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
    {
      kind: "volume",
      find: () => volumes(ec2, stack),
      batch: 1,
      end: ([VolumeId]) => ec2.send(new DeleteVolumeCommand({ VolumeId })),
    },
    {
      kind: "endpoint",
      find: () => endpoints(ec2, stack),
      batch: 1, // what can't be deleted is told in the answer
      end: async (VpcEndpointIds) => {
        const { Unsuccessful = [] } = await ec2.send(new DeleteVpcEndpointsCommand({ VpcEndpointIds }));
        if (Unsuccessful[0]) throw new Error(Unsuccessful[0].Error?.Message ?? "it is still there");
      },
    },
  ];
}
