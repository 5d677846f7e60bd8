import { setTimeout as sleep } from "node:timers/promises";
import {
  type AthenaClient,
  GetQueryExecutionCommand,
  type QueryExecution,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import { billedMegabytes as billed } from "../scan-budget.ts";
import { type AthenaScope, queryFailed, refused } from "./errors.ts";

export interface Run extends AthenaScope {
  readonly text: string;
  /** How old a result may be to be used again. @default none is */
  readonly reuseMinutes: number | undefined;
  /** Stops the query. */
  readonly signal: AbortSignal;
  /** Is told how many bytes the query is billed for by now. */
  readonly count: (bytes: number) => void;
}

/** A query that has a result. */
export interface Execution {
  readonly id: string;
  /** Where its file is, `s3://...`. */
  readonly output: string | undefined;
  /** 0 when an earlier result was used again. */
  readonly bytesScanned: number;
}

/** Runs a query to its end. @throws QueryError when it fails or is refused, or what `signal` was aborted with. */
export async function execute(athena: AthenaClient, run: Run): Promise<Execution> {
  const id = await start(athena, run);
  const { count } = run;
  const execution = await finished(athena, id, run).catch(async (error) => {
    await stop(athena, id, count);
    throw error;
  });
  const { State: state = "", StateChangeReason: said } = execution.Status ?? {};
  const bytes = bytesScanned(execution);
  // Those that fail are free, and so are results that are used again.
  count(state === "FAILED" || isReused(execution) ? 0 : billed(bytes));
  if (state !== "SUCCEEDED") throw queryFailed(said ?? execution.Status?.AthenaError?.ErrorMessage ?? "", state, run);
  return { id, output: execution.ResultConfiguration?.OutputLocation, bytesScanned: bytes };
}

/** Not ended by the signal: it would not be known whether the query has begun, and it could not be stopped. */
async function start(athena: AthenaClient, { text, reuseMinutes, signal, count, ...place }: Run): Promise<string> {
  try {
    signal.throwIfAborted();
    const { QueryExecutionId: id } = await athena.send(
      new StartQueryExecutionCommand({
        QueryString: text,
        WorkGroup: place.workgroup,
        QueryExecutionContext: { Database: place.database },
        ...(reuseMinutes !== undefined && {
          ResultReuseConfiguration: {
            ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: reuseMinutes },
          },
        }),
      }),
    );
    return id as string;
  } catch (error) {
    count(0);
    throw refused(error, "athena:StartQueryExecution", place);
  }
}

async function finished(athena: AthenaClient, id: string, { signal, count, ...place }: Run): Promise<QueryExecution> {
  const started = performance.now();
  for (;;) {
    const elapsed = performance.now() - started;
    await sleep(Math.ceil(nextLook(elapsed) - elapsed), undefined, { signal });
    const { QueryExecution: execution = {} } = await athena
      .send(new GetQueryExecutionCommand({ QueryExecutionId: id }), { abortSignal: signal })
      .catch((error) => {
        throw refused(error, "athena:GetQueryExecution", place);
      });
    const state = execution.Status?.State;
    if (state !== "QUEUED" && state !== "RUNNING") return execution;
    count(billed(bytesScanned(execution)));
  }
}

/**
 * When to look next, `elapsed` milliseconds after a query's start. The times are fixed from its start on, so that what a
 * look takes is not added to the wait for the next one.
 */
export function nextLook(elapsed: number): number {
  const step = elapsed < 2000 ? 100 : elapsed < 10_000 ? 250 : 1000;
  return (Math.floor(elapsed / step) + 1) * step;
}

/** Nobody waits for it any more. What it has scanned is billed all the same. */
async function stop(athena: AthenaClient, id: string, count: (bytes: number) => void): Promise<void> {
  try {
    await athena.send(new StopQueryExecutionCommand({ QueryExecutionId: id }));
    const { QueryExecution: execution = {} } = await athena.send(
      new GetQueryExecutionCommand({ QueryExecutionId: id }),
    );
    count(isReused(execution) ? 0 : billed(bytesScanned(execution)));
  } catch {
    // The workgroup's limit bounds what it scans; why its result could not be had is told by what went wrong first.
  }
}

const isReused = ({ Statistics: statistics }: QueryExecution): boolean =>
  statistics?.ResultReuseInformation?.ReusedPreviousResult === true;

const bytesScanned = (execution: QueryExecution): number =>
  isReused(execution) ? 0 : (execution.Statistics?.DataScannedInBytes ?? 0);
