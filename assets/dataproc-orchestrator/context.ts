import { type GoogleApi, GoogleError } from "../../clients/google.ts";
import { pause as pauseFor, retry, waitUntil } from "../../core/retry.ts";
import type { Launch, LaunchStep } from "./launch.ts";
import { log } from "./log.ts";
import type { StatusFile } from "./status.ts";
import type { Lake } from "./store.ts";

/** How long things are waited for, in milliseconds. */
export interface Timing {
  /** Between two looks at what is being waited for. */
  readonly pollMs: number;
  /**
   * How long Google may refuse or not answer what it is asked to begin, or not let it be seen yet: roles and interfaces
   * are new, and not granted everywhere at once.
   */
  readonly patienceMs: number;
  /** A step is given so much more than its limit, of which its own wrapper can tell more. */
  readonly graceMs: number;
  /** How long a cluster may not be there yet. */
  readonly absenceMs: number;
  /** From one writing of the status to the next: Google takes one of an object a second. */
  readonly writeMs: number;
  /** When a run ends, how long the answer to what was just asked for is waited for, so that it can be cancelled. */
  readonly answerMs: number;
  /** How long tables may be loaded, also after the deadline. @default 10 minutes */
  readonly loadMs?: number;
}

/** What a run is followed with. */
export interface Context {
  readonly launch: Launch;
  /** Of the launch. */
  readonly digest: string;
  /** When the run was begun, ISO 8601 in UTC. */
  readonly started: string;
  readonly deadline: Date;
  readonly api: GoogleApi;
  readonly lake: Lake;
  readonly status: StatusFile;
  readonly timing: Timing;
  /** Aborted when the run is to be stopped, with a RunError that says why. */
  readonly stopping: AbortSignal;
  /** Aborted when the run has to end, with a RunError that says why: it is stopped, or its deadline has passed. */
  readonly ending: AbortSignal;
}

/** What names all that a run may have under way at Google's. */
export type Site = Pick<Context, "api" | "launch" | "digest" | "deadline">;

/** What it takes to wait for something. */
export type Waiting = Pick<Context, "timing" | "ending">;

/** Why a run failed, in one line. */
export class RunError extends Error {}

export const pause = ({ timing, ending }: Waiting): Promise<void> => pauseFor(timing.pollMs, ending);

/**
 * Asks for what may be refused for a while only, or whose answer may be lost: again and again while patience lasts. So it
 * has to be something that is done once however often it is asked for.
 */
export const patiently = <T>({ timing, ending }: Waiting, work: () => Promise<T>): Promise<T> =>
  retry(work, {
    isTransient: (error) => isUnanswered(error) || isForbidden(error),
    patienceMs: timing.patienceMs,
    pauseMs: timing.pollMs,
    signal: ending,
    onRetry({ message }, failed) {
      if (failed === 1) log("WARNING", `Google refuses, and is asked again for a while: ${message}`);
    },
  });

/**
 * Looks until there is something to see, however often Google does not answer: the deadline is the limit. Whoever may ask
 * for something may not be allowed to look at it yet, which does no harm to what is under way.
 */
export function until<T>({ timing, ending }: Waiting, look: () => Promise<T | undefined>): Promise<T> {
  const patient = Date.now() + timing.patienceMs;
  const asking = {
    isTransient(error: unknown) {
      ending.throwIfAborted();
      return isUnanswered(error) || (isForbidden(error) && Date.now() < patient);
    },
    pauseMs: timing.pollMs,
    signal: ending,
    onRetry: ({ message }: Error) =>
      log("WARNING", `Google refuses or does not answer, and is asked again: ${message}`),
  };
  return waitUntil(() => retry(look, asking), { everyMs: timing.pollMs, signal: ending });
}

/**
 * Tells what is gone from what Google has just been given, and can't find everywhere yet: that was never there to see.
 *
 * @returns what hands on what was seen. @throws RunError when it is gone.
 */
export function failOnceGone<T>({ timing }: Waiting, what: string): (seen: T | undefined) => T | undefined {
  const patient = Date.now() + timing.patienceMs;
  let wasThere = false;
  return (seen) => {
    wasThere ||= seen !== undefined;
    if (seen === undefined && (wasThere || Date.now() >= patient))
      throw new RunError(`${what} is gone: somebody deleted it`);
    return seen;
  };
}

const isForbidden = (error: unknown): boolean => error instanceof GoogleError && error.code === 403;

/** Google did not answer, or not as it would a moment later. */
const isUnanswered = (error: unknown): boolean =>
  error instanceof GoogleError && (error.code === 0 || error.code === 408 || error.code === 429 || error.code >= 500);

/** ISO 8601 in whole seconds. */
export const isoSeconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");

/** A step's request with the time when the run ends filled in. */
export const requestOf = ({ deadline }: Site, { request = {} }: LaunchStep): Readonly<Record<string, unknown>> =>
  JSON.parse(JSON.stringify(request).replaceAll("{deadline}", isoSeconds(deadline)));
