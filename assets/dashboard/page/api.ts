import type { RunOrigin } from "../../../core/run-origin.ts";
import type { ErrorAnswer, JobAnswer, RowsAnswer, RunsAnswer } from "../api.ts";

/** The server was reached and refused or failed; `message` is its sentence. */
export class AnswerError extends Error {}

export const fetchJob = (): Promise<JobAnswer> => get("api/job");

export const fetchRuns = (): Promise<RunsAnswer> => get("api/runs");

/** null: it was not recorded. */
export const fetchOrigin = (run: string): Promise<RunOrigin | null> =>
  get(`api/runs/${encodeURIComponent(run)}/origin`);

/** @param signal ends the query too, where nobody else waits for it. */
export const fetchRows = (panel: string, run: string, signal: AbortSignal): Promise<RowsAnswer> =>
  get(`api/panels/${encodeURIComponent(panel)}?${new URLSearchParams({ run })}`, signal);

export const eventsUrl = (runs: readonly string[]): string =>
  `api/events?${new URLSearchParams(runs.map((run) => ["run", run]))}`;

async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  // The server's answers carry an ETag: what the browser has and is still true costs a 304.
  const response = await fetch(url, { cache: "no-cache", ...(signal && { signal }) });
  if (response.ok) return (await response.json()) as T;
  const answer = (await response.json().catch(() => ({}))) as Partial<ErrorAnswer>;
  throw new AnswerError(answer.error ?? `The server answered ${response.status}.`);
}
