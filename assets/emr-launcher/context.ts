import type { EMRClient } from "@aws-sdk/client-emr";
import type { S3Client } from "@aws-sdk/client-s3";
import { retry } from "../../core/retry.ts";

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

/** Does `work`, again and again while what goes wrong is transient and the context's patience lasts. */
export const patiently = <T>(
  { patienceMs, pollMs }: Context,
  work: () => Promise<T>,
  isTransient: (error: unknown) => boolean = denied,
): Promise<T> => retry(work, { isTransient, patienceMs, pauseMs: pollMs });

/** A new role's policy takes some seconds until it counts everywhere. */
export const denied = (error: unknown): boolean => /^AccessDenied(Exception)?$/.test((error as Error).name);
