import { setTimeout as sleep } from "node:timers/promises";
import type { BigQuery } from "@google-cloud/bigquery";

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

/** How often it is tried again, ever more slowly, where there are too many queries at the moment. */
const TRIES = 3;
const TRY_MILLISECONDS = 500;

/** A request to BigQuery by its client library. @throws what the library throws. */
export async function call<T>(client: BigQuery, method: string, uri: string, sent: Sent): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await callOnce<T>(client, method, uri, sent);
    } catch (error) {
      if (tries === TRIES || !isCrowded(error)) throw error;
      await sleep(TRY_MILLISECONDS * 2 ** tries * (1 + Math.random()));
    }
  }
}

/** The library's own methods either leave out a job's id while the query runs, or parse rows value by value. */
const callOnce = <T>(client: BigQuery, method: string, uri: string, sent: Sent): Promise<T> =>
  new Promise((resolve, reject) => {
    client.request({ method, uri, ...sent }, (error, body) => (error ? reject(error) : resolve(body as T)));
  });

/** The one passing error with a status of its own, which the library does not see. All else it has tried again itself. */
function isCrowded(error: unknown): boolean {
  const { code, errors } = error as {
    readonly code?: number;
    readonly errors?: readonly { readonly reason?: string }[];
  };
  return code === 403 && errors?.some(({ reason }) => /rateLimitExceeded$/i.test(reason ?? "")) === true;
}
