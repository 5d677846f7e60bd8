import type { Piece } from "../../../clients/lake/piece.ts";
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

/** All of a step's log, as text. */
export const logUrl = (run: string, step: string): string =>
  `api/runs/${encodeURIComponent(run)}/logs/${encodeURIComponent(step)}`;

/** Bytes of a step's log, undefined where there is none. @param range as the header Range has it. */
export async function fetchLog(run: string, step: string, range: string): Promise<Piece | undefined> {
  const response = await fetch(logUrl(run, step), { cache: "no-store", headers: { Range: `bytes=${range}` } });
  if (response.status === 204) return undefined;
  const told = response.headers.get("Content-Range") ?? "";
  const isBeyond = response.status === 416; // it is shorter than it was
  if (!response.ok && !isBeyond) throw await refusal(response);
  const bytes = isBeyond ? new Uint8Array() : new Uint8Array(await response.arrayBuffer());
  const [, size = bytes.length] = /\/(\d+)$/.exec(told) ?? [];
  const [, from = isBeyond ? size : 0] = /^bytes (\d+)-/.exec(told) ?? [];
  return { bytes, from: Number(from), size: Number(size) };
}

async function get<T>(url: string, signal?: AbortSignal): Promise<T> {
  // The server's answers carry an ETag: what the browser has and is still true costs a 304.
  const response = await fetch(url, { cache: "no-cache", ...(signal && { signal }) });
  if (response.ok) return (await response.json()) as T;
  throw await refusal(response);
}

async function refusal(response: Response): Promise<AnswerError> {
  const answer = (await response.json().catch(() => ({}))) as Partial<ErrorAnswer>;
  return new AnswerError(answer.error ?? `The server answered ${response.status}.`);
}
