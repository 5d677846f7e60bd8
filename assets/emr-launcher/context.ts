import type { EMRClient } from "@aws-sdk/client-emr";
import type { S3Client } from "@aws-sdk/client-s3";

/** What the launcher works with. */
export interface Context {
  readonly s3: S3Client;
  readonly emr: EMRClient;
  /** For RunJobFlow alone: it never tries again by itself, for a request whose answer was lost may have been met. */
  readonly renter: EMRClient;
  readonly now: () => Date;
  /** How long this invocation may still last. */
  readonly remainingMs: () => number;
  /** Between two looks at what is being waited for. */
  readonly pollMs: number;
  /** How long a new role may be unknown to the services: what they deny meanwhile is asked again. */
  readonly patienceMs: number;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Does `work`, again and again while what goes wrong is `passing` and the context's patience lasts. */
export async function patiently<T>(
  context: Context,
  work: () => Promise<T>,
  passing: (error: unknown) => boolean = denied,
): Promise<T> {
  const until = Date.now() + context.patienceMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!passing(error) || Date.now() >= until) throw error;
    }
    await pause(context.pollMs);
  }
}

/** A new role's policy takes some seconds until it counts everywhere. */
export const denied = (error: unknown): boolean => /^AccessDenied(Exception)?$/.test((error as Error).name);

export const statusOf = (error: unknown): number | undefined =>
  (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
