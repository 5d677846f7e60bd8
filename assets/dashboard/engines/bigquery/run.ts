import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { BigQuery } from "@google-cloud/bigquery";
import { abortable } from "../../abortable.ts";
import type { ResultColumn } from "../../engine.ts";
import { billedMegabytes, LEAST } from "../scan-budget.ts";
import { call, type QueryAnswer } from "./call.ts";
import { columnsOf } from "./columns.ts";
import { type BigQueryScope, refused } from "./errors.ts";
import type { Filled } from "./relations.ts";

/** Bytes that BigQuery bills for reading these out of so many tables: ten megabytes of each at least. */
export const billed = (bytes: number, tables: number): number =>
  Math.max(LEAST * Math.max(1, tables), billedMegabytes(bytes));

export interface Run extends BigQueryScope {
  readonly filled: Filled;
  readonly labels: Readonly<Record<string, string>>;
  /** Bytes that it may be billed for: BigQuery fails it, and bills nothing, before it comes to more. */
  readonly most: number;
  /** Stops the query. */
  readonly signal: AbortSignal;
  /** Is told how many bytes the query is billed for by now. */
  readonly count: (bytes: number) => void;
}

/** A query that has a result. */
export interface Execution {
  readonly columns: readonly ResultColumn[];
  /** 0 when an earlier result was used again. */
  readonly bytesScanned: number;
}

interface JobAnswer {
  readonly status?: { readonly state?: string };
  readonly statistics?: {
    readonly query?: {
      readonly totalBytesProcessed?: string;
      readonly totalBytesProcessedAccuracy?: string;
      readonly totalBytesBilled?: string;
    };
  };
}

/** How long the first request waits for rows: a query can be stopped once it is answered. */
const FIRST_MILLISECONDS = 1000;
/** How long each further one waits. */
const WAIT_MILLISECONDS = 10_000;
/** When a query ends by itself, should this process be gone. */
const JOB_MILLISECONDS = "120000";
/** How often, and after how long, it is asked what a query that was stopped is billed for. */
const LAST_LOOKS = 5;
const LOOK_MILLISECONDS = 200;

/** Runs a query to its last row. @throws QueryError when it fails or is refused, or what `signal` was aborted with. */
export async function execute(client: BigQuery, run: Run): Promise<Execution> {
  const { signal, count, filled } = run;
  const first = await startQuery(client, run);
  const id = first.jobReference?.jobId ?? first.queryId ?? "";
  const page = async (more: object) => {
    signal.throwIfAborted();
    return abortable(results(client, id, run, more), signal);
  };
  let isOver = false;
  try {
    let answer = first;
    while (answer.jobComplete !== true) answer = await page({ timeoutMs: WAIT_MILLISECONDS });
    isOver = true;
    const { cacheHit = false, totalBytesProcessed = 0, totalBytesBilled } = answer;
    const bytes = Number(totalBytesProcessed);
    count(cacheHit ? 0 : Number(totalBytesBilled ?? billed(bytes, filled.tables)));
    const columns = await columnsOf(answer, (pageToken) => page({ pageToken }));
    return { columns, bytesScanned: cacheHit ? 0 : bytes };
  } catch (error) {
    if (hasFailed(error)) count(0);
    else if (!isOver) await stop(client, id, run);
    throw signal.aborted ? error : refused(error, "bigquery.jobs.get", run);
  }
}

/** Those that fail are free. Any other error may be of the way there, and leaves the query running. */
const hasFailed = (error: unknown) => [400, 404].includes((error as { readonly code?: number }).code ?? 0);

/** Not ended by the signal: it would not be known whether the query has begun, and it could not be stopped. */
async function startQuery(client: BigQuery, run: Run): Promise<QueryAnswer> {
  try {
    run.signal.throwIfAborted();
    return await (Object.keys(run.filled.definitions).length === 0 ? query(client, run) : insert(client, run));
  } catch (error) {
    run.count(0);
    throw run.signal.aborted ? run.signal.reason : refused(error, "bigquery.jobs.create", run);
  }
}

/** One request for what is short; what is not becomes a job, which can be stopped. */
const query = (client: BigQuery, { filled, location, labels, most }: Run): Promise<QueryAnswer> =>
  call<QueryAnswer>(client, "POST", "/queries", {
    json: {
      query: filled.text,
      useLegacySql: false,
      location,
      labels,
      maximumBytesBilled: String(most),
      timeoutMs: FIRST_MILLISECONDS,
      jobTimeoutMs: JOB_MILLISECONDS,
      jobCreationMode: "JOB_CREATION_OPTIONAL",
      // Rows of a run that was loaded stay as they are, and BigQuery looks whether they did.
      useQueryCache: true,
      formatOptions: { useInt64Timestamp: true },
      // The client library sends the request again when the answer is lost; it is still one query.
      requestId: randomUUID(),
    },
  });

/** jobs.query knows no definitions of tables. */
async function insert(client: BigQuery, { filled, project, location, labels, most }: Run): Promise<QueryAnswer> {
  const jobReference = { projectId: project, location, jobId: `oneoff_${randomUUID()}` };
  const json = {
    jobReference,
    configuration: {
      labels,
      jobTimeoutMs: JOB_MILLISECONDS,
      query: {
        ...queryOf(filled),
        maximumBytesBilled: String(most),
      },
    },
  };
  await call(client, "POST", "/jobs", { json }).catch((error) => {
    // Sent a second time, because the first answer was lost: the id is nobody else's.
    if (error.code !== 409) throw error;
  });
  return { jobReference };
}

const queryOf = ({ text, definitions }: Filled) => ({
  query: text,
  useLegacySql: false,
  // Google doesn't say whether a result is kept by what was read, or that files that come later are noticed.
  useQueryCache: false,
  ...(Object.keys(definitions).length > 0 && { tableDefinitions: definitions }),
});

const results = (client: BigQuery, id: string, { location }: Run, more: object): Promise<QueryAnswer> =>
  call<QueryAnswer>(client, "GET", `/queries/${id}`, {
    qs: { location, "formatOptions.useInt64Timestamp": true, ...more },
  });

/** What a query would read, without its being billed. */
export interface Expected {
  readonly bytes: number;
  /** It can't be more. BigQuery doesn't always know of files before it has read them. */
  readonly isMost: boolean;
}

/** @throws QueryError when the query would be refused. */
export async function dryRun(
  client: BigQuery,
  { filled, labels, ...place }: Pick<Run, keyof BigQueryScope | "filled" | "labels">,
): Promise<Expected> {
  const json = {
    jobReference: { projectId: place.project, location: place.location },
    configuration: { dryRun: true, labels, query: queryOf(filled) },
  };
  try {
    const { statistics } = await call<JobAnswer>(client, "POST", "/jobs", { json });
    const { totalBytesProcessed = 0, totalBytesProcessedAccuracy: accuracy } = statistics?.query ?? {};
    const isMost = accuracy === "PRECISE" || accuracy === "UPPER_BOUND";
    return { bytes: Number(totalBytesProcessed), isMost };
  } catch (error) {
    throw refused(error, "bigquery.jobs.create", place);
  }
}

/** Nobody waits for it any more. What it has read is billed all the same. */
async function stop(client: BigQuery, id: string, { location, count }: Run): Promise<void> {
  try {
    const qs = { location };
    let { job } = await call<{ readonly job?: JobAnswer }>(client, "POST", `/jobs/${id}/cancel`, { qs });
    for (let look = 0; job?.status?.state !== "DONE" && look < LAST_LOOKS; look++) {
      await sleep(LOOK_MILLISECONDS);
      job = await call<JobAnswer>(client, "GET", `/jobs/${id}`, { qs });
    }
    // Of one that goes on ending it stays counted what it may be billed for.
    if (job?.status?.state === "DONE") count(Number(job.statistics?.query?.totalBytesBilled ?? 0));
  } catch {
    // Its limits bound what it reads and how long it takes; what went wrong first is what is told.
  }
}
