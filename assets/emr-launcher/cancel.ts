/** `_cancels/<run>.json`: that a run is to be cancelled. Such a request always wins, whenever it comes. */
import { GetObjectCommand } from "@aws-sdk/client-s3";
import { cancelKey } from "../../core/lake-layout.ts";
import type { CancelRequest } from "../../core/run.ts";
import { askToEnd } from "./clusters.ts";
import { type Context, patiently } from "./context.ts";
import type { Launch, Launched } from "./event.ts";

/** A run for which nothing is rented. */
export class CancelledError extends Error {}

/** @throws CancelledError when the run is to be cancelled. Who asks after this has its cluster ended by {@link endCancelled}. */
export async function refuseCancelled(context: Context, { bucket, run, stack }: Launch): Promise<void> {
  const at = await cancelledAt(context, bucket, run);
  if (at === undefined) return;
  throw new CancelledError(
    `run ${run} was cancelled (that was asked for at ${at}), and nothing was rented for it: "${startsAnother(stack)}" starts another`,
  );
}

/** Ends what was rented for a run that is to be cancelled, without waiting for that; says so, undefined when it is not. */
export async function endCancelled(
  context: Context,
  launch: Launch,
  { cluster }: Launched,
): Promise<string | undefined> {
  const { bucket, run, stack } = launch;
  const at = await cancelledAt(context, bucket, run);
  if (at === undefined) return undefined;
  await askToEnd(context, cluster);
  return `run ${run} was cancelled (that was asked for at ${at}), and its cluster ${cluster} ended: "${startsAnother(stack)}" starts another`;
}

/** Whatever the request says: one that can't be read is one. */
async function cancelledAt(context: Context, bucket: string, run: string): Promise<string | undefined> {
  try {
    const asked = new GetObjectCommand({ Bucket: bucket, Key: cancelKey(run) });
    const { Body } = await patiently(context, () => context.s3.send(asked));
    return timeIn((await Body?.transformToString()) ?? "");
  } catch (error) {
    if ((error as Error).name === "NoSuchKey") return undefined;
    throw error;
  }
}

function timeIn(text: string): string {
  try {
    return String((JSON.parse(text) as CancelRequest).at);
  } catch {
    return "a time that it doesn't say";
  }
}

export const startsAnother = (stack: string): string => `npx --no oneoff run ${stack.split("/").at(-1)}`;
