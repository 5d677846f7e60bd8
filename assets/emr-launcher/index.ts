/**
 * Runs on AWS Lambda when Pulumi makes, changes or deletes the resource of a run: rents its cluster, once
 * (docs/adr/0005). What it throws is what the user reads.
 */
import { EMRClient } from "@aws-sdk/client-emr";
import { S3Client } from "@aws-sdk/client-s3";
import type { Context } from "./context.ts";
import { endAll } from "./end.ts";
import type { GuardEvent, LaunchEvent, Launched } from "./event.ts";
import { launch } from "./launch.ts";

/** What of Lambda's context is used. */
interface Invocation {
  getRemainingTimeInMillis(): number;
}

export const handler = async (
  event: LaunchEvent | GuardEvent,
  invocation: Invocation,
): Promise<Launched | Readonly<Record<string, never>>> => {
  const context: Context = {
    s3: new S3Client({}),
    emr: new EMRClient({ maxAttempts: 6 }),
    renter: new EMRClient({ maxAttempts: 1, requestHandler: { requestTimeout: 60_000 } }),
    now: () => new Date(),
    remainingMs: () => invocation.getRemainingTimeInMillis(),
    pollMs: 5000,
    patienceMs: 90_000,
  };
  if (event.tf?.action === "delete") {
    await endAll(context, event);
    return {};
  }
  return "request" in event ? launch(context, event) : {};
};
