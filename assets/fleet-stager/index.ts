/**
 * Runs on AWS Lambda when Pulumi makes the resource of a fleet's software: puts into the lake what nodes install, which have no way to
 * the internet. What it throws is what the user reads.
 */
import { S3Client } from "@aws-sdk/client-s3";
import { s3Wheels } from "../wheels/s3-store.ts";
import type { Staged, Staging } from "./event.ts";
import { stage } from "./stage.ts";

/** What of Lambda's context is used. */
interface Invocation {
  getRemainingTimeInMillis(): number;
}

export const handler = (event: Staging, invocation: Invocation): Promise<Staged> =>
  stage(
    {
      store: s3Wheels(new S3Client({ maxAttempts: 6 }), event.bucket),
      remainingMs: () => invocation.getRemainingTimeInMillis(),
      patienceMs: 90_000,
    },
    event,
  );
