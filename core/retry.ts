import { setTimeout } from "node:timers/promises";
import { formatDuration } from "./duration.ts";

interface Waiting {
  /** Ends the wait, with its reason. What is being done is not ended by it. */
  readonly signal?: AbortSignal;
  /** For tests, whose clocks are fakes. @default {@link pause} */
  readonly sleep?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

export interface Retrying extends Waiting {
  /** Whether an error may be gone with the next attempt. */
  readonly isTransient: (error: unknown) => boolean;
  /** Attempts at most, the first one included. @default any number */
  readonly tries?: number;
  /** For how long transient errors are borne. @default for ever */
  readonly patienceMs?: number;
  /** From a failure to the next attempt; for growing pauses by how many attempts have failed. @default none */
  readonly pauseMs?: number | ((failed: number) => number);
  /** Told of every failure that is followed by another attempt. */
  readonly onRetry?: (error: Error, failed: number) => void;
}

/** Waits a while. @throws what `signal` is aborted with. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await setTimeout(ms, undefined, { signal }).catch(() => signal?.throwIfAborted());
}

/**
 * Does `work`, again and again while it fails with what passes. So it has to be something that is done once however often
 * it is asked for.
 *
 * @param work is given the number of the attempt, from 1.
 * @throws what the last attempt failed with.
 */
export async function retry<T>(work: (attempt: number) => Promise<T>, options: Retrying): Promise<T> {
  const { isTransient, tries = Number.POSITIVE_INFINITY, patienceMs = Number.POSITIVE_INFINITY } = options;
  const { pauseMs, onRetry, signal, sleep = pause } = options;
  const end = Date.now() + patienceMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt >= tries || !isTransient(error) || Date.now() >= end) throw error;
      onRetry?.(error as Error, attempt);
    }
    const ms = typeof pauseMs === "function" ? pauseMs(attempt) : pauseMs;
    if (ms !== undefined) await sleep(ms, signal);
  }
}

export interface Looking extends Waiting {
  /** From one look to the next. */
  readonly everyMs: number;
  /** @default for ever */
  readonly patienceMs?: number;
  /** What the error says when patience is over. @default that it took too long */
  readonly late?: string;
}

/** Looks until there is something to see, which is neither undefined nor false. @throws Error when patience is over. */
export async function waitUntil<T>(look: () => Promise<T | undefined | false>, options: Looking): Promise<T> {
  const { everyMs, patienceMs = Number.POSITIVE_INFINITY, signal, sleep = pause } = options;
  for (const end = Date.now() + patienceMs; Date.now() < end; await sleep(everyMs, signal)) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
  }
  throw new Error(options.late ?? `it took longer than ${formatDuration(patienceMs / 1000)}`);
}
