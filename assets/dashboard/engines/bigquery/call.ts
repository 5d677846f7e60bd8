import type { BigQuery } from "@google-cloud/bigquery";
import { retry } from "../../../../core/retry.ts";

/** What BigQuery says of a query, as far as it is of use here (jobs.query, jobs.getQueryResults). */
export interface QueryAnswer {
  readonly jobComplete?: boolean;
  /** Not there when a query was over before it became a job. */
  readonly jobReference?: { readonly jobId?: string };
  readonly queryId?: string;
  readonly schema?: {
    readonly fields?: readonly { readonly name: string; readonly type: string; readonly mode?: string }[];
  };
  readonly rows?: readonly { readonly f: readonly { readonly v: string | null }[] }[];
  readonly totalRows?: string;
  readonly pageToken?: string;
  readonly totalBytesProcessed?: string;
  readonly totalBytesBilled?: string;
  readonly cacheHit?: boolean;
}

interface Sent {
  readonly qs?: object;
  readonly json?: object;
}

/**
 * A request to BigQuery by its client library, again and ever more slowly where there are too many queries at the moment.
 *
 * @throws what the library throws.
 */
export const call = <T>(client: BigQuery, method: string, uri: string, sent: Sent): Promise<T> =>
  retry(() => callOnce<T>(client, method, uri, sent), {
    isTransient: isCrowded,
    tries: 4,
    pauseMs: (failed) => 250 * 2 ** failed * (1 + Math.random()),
  });

/** The library's own methods either leave out a job's id while the query runs, or parse rows value by value. */
const callOnce = <T>(client: BigQuery, method: string, uri: string, sent: Sent): Promise<T> =>
  new Promise((resolve, reject) => {
    client.request({ method, uri, ...sent }, (error, body) => (error ? reject(error) : resolve(body as T)));
  });

/** The one transient error with a status of its own, which the library does not see. All else it has tried again itself. */
function isCrowded(error: unknown): boolean {
  const { code, errors } = error as {
    readonly code?: number;
    readonly errors?: readonly { readonly reason?: string }[];
  };
  return code === 403 && errors?.some(({ reason }) => /rateLimitExceeded$/i.test(reason ?? "")) === true;
}
