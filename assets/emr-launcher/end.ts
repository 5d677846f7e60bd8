import { pause } from "../../core/retry.ts";
import { type Claim, type Entry, isHeld, isLaunched, readEntry, runsSince, writeEntry } from "./claims.ts";
import { endClusters, livingClusters } from "./clusters.ts";
import type { Context } from "./context.ts";
import type { Guard } from "./event.ts";

const MINUTE = 60_000;
/** No claim is held for longer, for no invocation lasts longer. */
const CLAIM_MS = 20 * MINUTE;

/** Ends all clusters of a component, those too that are just being launched, and waits until they have ended. */
export async function endAll(context: Context, owner: Guard): Promise<void> {
  await callOff(context, owner);
  const clusters = await livingClusters(context, owner);
  await endClusters(context, clusters, Math.min(12 * MINUTE, context.remainingMs() - MINUTE / 2));
}

/** Takes their claims from those who are about to launch; who is past that is waited for. */
async function callOff(context: Context, { bucket, stack, cluster }: Guard): Promise<void> {
  const since = new Date(context.now().getTime() - CLAIM_MS);
  for (const run of await runsSince(context, bucket, since)) {
    for (;;) {
      const entry = await readEntry(context, bucket, run);
      if (!entry || isLaunched(entry)) break;
      const { record } = entry as Entry<Claim>;
      const now = context.now();
      if (record.owner !== `${stack}/${cluster}` || !isHeld(record, now)) break;
      if (record.renting) await pause(context.pollMs);
      else if (await writeEntry(context, bucket, { ...record, until: now.toISOString() }, entry)) break;
    }
  }
}
