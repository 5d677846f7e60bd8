import { randomUUID } from "node:crypto";
import { digestOfJson } from "../../core/digest.ts";
import { pause } from "../../core/retry.ts";
import { s3Wheels } from "../wheels/s3-store.ts";
import { stageWheels } from "../wheels/wheels.ts";
import { CancelledError, endCancelled, refuseCancelled, startsAnother } from "./cancel.ts";
import { type Claim, type Entry, isHeld, isLaunched, readEntry, writeEntry } from "./claims.ts";
import { endClusters, endedEarly, livingClusters, rentedFor } from "./clusters.ts";
import { type Context, patiently } from "./context.ts";
import type { Launch, Launched } from "./event.ts";
import { RENTING_MS, rent } from "./rent.ts";

const MINUTE = 60_000;
/** What is left of an invocation's time for giving a claim back. */
const RESERVE_MS = 20_000;

/**
 * Rents a cluster for a run, once, whatever becomes of it: who asks again gets to know the cluster of the first time. A run
 * that was cancelled before has none, ever.
 *
 * @throws Error that says what to do, when there is no cluster; then one may be asked for again.
 */
export async function launch(context: Context, wanted: Launch): Promise<Launched> {
  const digest = digestOf(wanted);
  try {
    const { launched, isNew } = await launchOnce(context, wanted, digest);
    const cancelled = await endCancelled(context, wanted, launched);
    return answer(launched, digest, cancelled ?? (isNew ? undefined : await usedUp(context, wanted, launched)));
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
    return { run: wanted.run, cluster: "", launched: context.now().toISOString(), digest, warning: error.message };
  }
}

interface Found {
  readonly launched: Launched;
  /** Whether this invocation has launched it. */
  readonly isNew: boolean;
}

async function launchOnce(context: Context, wanted: Launch, digest: string): Promise<Found> {
  for (;;) {
    const entry = await patiently(context, () => readEntry(context, wanted.bucket, wanted.run));
    if (entry && isLaunched(entry)) return { launched: entry.record, isNew: false };
    const before = entry as Entry<Claim> | undefined;
    if (before && isHeld(before.record, context.now())) {
      await waitFor(context, before.record);
      continue;
    }
    const claim = await writeEntry(context, wanted.bucket, newClaim(context, wanted, digest, before?.record), before);
    if (claim) return { launched: await launchWith(context, wanted, claim, before?.record), isNew: true };
  }
}

function newClaim(context: Context, { run, stack, cluster }: Launch, digest: string, before?: Claim): Claim {
  const now = context.now();
  return {
    run,
    digest,
    // Until it was searched for, a cluster may be there that was rented under the claim before.
    claimed: before?.claimed ?? now.toISOString(),
    until: new Date(now.getTime() + context.remainingMs()).toISOString(),
    owner: `${stack}/${cluster}`,
    holder: randomUUID(),
  };
}

async function waitFor(context: Context, { run, until }: Claim): Promise<void> {
  if (context.remainingMs() < RESERVE_MS) {
    throw new Error(`run ${run} is being launched by somebody else, who has until ${until}: try again then`);
  }
  await pause(context.pollMs);
}

async function launchWith(
  context: Context,
  wanted: Launch,
  claim: Entry<Claim>,
  before: Claim | undefined,
): Promise<Launched> {
  let held = claim;
  try {
    const lost = before && (await searchFor(context, wanted, before));
    if (lost) return await record(context, wanted, lost.id, lost.created ?? context.now(), held);
    held = { ...held, record: { ...held.record, claimed: context.now().toISOString() } };
    await refuseCancelled(context, wanted);
    const inTime = AbortSignal.timeout(Math.max(1, context.remainingMs() - RESERVE_MS));
    await stageWheels(s3Wheels(context.s3, wanted.bucket), wanted, inTime);
    await endOtherRuns(context, wanted);
    held = await beginRenting(context, wanted, held);
    await refuseCancelled(context, wanted);
    const now = context.now();
    const cluster = await rent(context, wanted, now);
    return await record(context, wanted, cluster, now, held);
  } catch (error) {
    await giveBack(context, wanted.bucket, held);
    throw error;
  }
}

/** From here on the launch can't be called off. @throws Error when it was. */
async function beginRenting(context: Context, { bucket, run }: Launch, held: Entry<Claim>): Promise<Entry<Claim>> {
  const now = context.now();
  const until = new Date(now.getTime() + RENTING_MS).toISOString();
  const claim: Claim = { ...held.record, claimed: now.toISOString(), until, renting: true };
  const renting = await writeEntry(context, bucket, claim, held);
  if (!renting) throw new Error(`the launch of run ${run} was called off`);
  return renting;
}

/** A cluster that was rented under a claim whose holder died before it could say so. */
const searchFor = (context: Context, wanted: Launch, { claimed, until }: Claim) =>
  rentedFor(
    context,
    wanted,
    new Date(Date.parse(claimed) - 5 * MINUTE),
    new Date(Date.parse(until) + 5 * MINUTE), // clocks differ, and a request that was given up may still be met
  );

/** A component has one cluster at a time. */
async function endOtherRuns(context: Context, wanted: Launch): Promise<void> {
  const others = (await livingClusters(context, wanted)).filter(({ run }) => run !== wanted.run);
  await endClusters(context, others, Math.min(8 * MINUTE, context.remainingMs() - RESERVE_MS));
}

async function record(
  context: Context,
  { bucket, run }: Launch,
  cluster: string,
  created: Date,
  held: Entry<Claim>,
): Promise<Launched> {
  const launched: Launched = { run, cluster, launched: created.toISOString(), digest: held.record.digest };
  if (await writeEntry(context, bucket, launched, held)) return launched;
  // Somebody took the claim for dead. The run keeps one cluster: theirs, if they have one.
  const there = await readEntry(context, bucket, run);
  if (!there || !isLaunched(there))
    throw new Error(`cluster ${cluster} of run ${run} is there, but could not be recorded`);
  if (there.record.cluster !== cluster) {
    const found = { id: cluster, run, created, state: undefined };
    await endClusters(context, [found], Math.max(MINUTE, context.remainingMs() - RESERVE_MS));
  }
  return there.record;
}

/** So that the next attempt need not wait. */
async function giveBack(context: Context, bucket: string, held: Entry<Claim>): Promise<void> {
  const { renting: _, ...claim } = held.record;
  try {
    await writeEntry(context, bucket, { ...claim, until: context.now().toISOString() }, held);
  } catch (error) {
    console.error(JSON.stringify({ event: "claim not given back", run: claim.run, error: String(error) }));
  }
}

function answer(launched: Launched, digest: string, over?: string): Launched {
  const changed =
    launched.digest === digest
      ? undefined
      : `run ${launched.run} was launched with other settings, on cluster ${launched.cluster}: what has changed takes effect with a new run id`;
  const warning = [over, changed].filter((text) => text !== undefined).join("; ");
  return warning === "" ? launched : { ...launched, warning };
}

/** That nothing will come of a run any more, for its cluster ended before it could begin. */
async function usedUp(context: Context, { stack }: Launch, { run, cluster }: Launched): Promise<string | undefined> {
  try {
    const why = await endedEarly(context, cluster);
    if (why === undefined) return undefined;
    return `run ${run} was rented as ${cluster} and ended before its first step (${why}): "${startsAnother(stack)}" starts a new one`;
  } catch (error) {
    // EMR forgets clusters after some months, and the run's id is known all the same.
    console.error(JSON.stringify({ event: "cluster not looked at", run, cluster, error: String(error) }));
    return undefined;
  }
}

/** Of what was asked for. */
export const digestOf = ({ tf: _, ...wanted }: Launch & { readonly tf?: unknown }): string => digestOfJson(wanted);
