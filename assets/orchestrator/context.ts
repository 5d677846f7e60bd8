import { setTimeout as sleep } from "node:timers/promises";
import { type GoogleApi, GoogleError } from "../google/api.ts";
import type { Launch, LaunchStep } from "./launch.ts";
import { log } from "./log.ts";
import type { StatusFile } from "./status.ts";
import type { Lake } from "./store.ts";

/** How long things are waited for, in milliseconds. */
export interface Timing {
  /** Between two looks at what is being waited for. */
  readonly pollMs: number;
  /** How long Google may refuse or not answer what it is asked to begin: roles and interfaces are new. */
  readonly patienceMs: number;
  /** A step is given so much more than its limit, of which its own wrapper can tell more. */
  readonly graceMs: number;
  /** How long a cluster may not be there yet. */
  readonly absenceMs: number;
  /** From one writing of the status to the next: Google takes one of an object a second. */
  readonly writeMs: number;
  /** When a run ends, how long the answer to what was just asked for is waited for, so that it can be cancelled. */
  readonly answerMs: number;
}

/** What a run is followed with. */
export interface Context {
  readonly launch: Launch;
  /** Of the launch. */
  readonly digest: string;
  readonly deadline: Date;
  readonly api: GoogleApi;
  readonly lake: Lake;
  readonly status: StatusFile;
  readonly timing: Timing;
  /** Aborted when the run has to end, with a RunError that says why. */
  readonly ending: AbortSignal;
}

/** Why a run failed, in one line. */
export class RunError extends Error {}

export async function pause({ timing, ending }: Pick<Context, "timing" | "ending">): Promise<void> {
  ending.throwIfAborted();
  await sleep(timing.pollMs, undefined, { signal: ending }).catch(() => ending.throwIfAborted());
}

/**
 * Asks for what may be refused for a while only, or whose answer may be lost: again and again while patience lasts. So it
 * has to be something that is done once however often it is asked for.
 */
export async function patiently<T>(context: Pick<Context, "timing" | "ending">, work: () => Promise<T>): Promise<T> {
  const until = Date.now() + context.timing.patienceMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const passing = isPassing(error) || (error as GoogleError).code === 403;
      if (!passing || Date.now() >= until) throw error;
      if (attempt === 1) log("WARNING", `Google refuses, and is asked again for a while: ${(error as Error).message}`);
    }
    await pause(context);
  }
}

/** Looks until there is something to see, however often Google does not answer: the deadline is the limit. */
export async function until<T>(context: Context, look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
    } catch (error) {
      context.ending.throwIfAborted();
      if (!isPassing(error)) throw error;
      log("WARNING", `Google does not answer, and is asked again: ${(error as Error).message}`);
    }
    await pause(context);
  }
}

const isPassing = (error: unknown): boolean =>
  error instanceof GoogleError && (error.code === 0 || error.code === 408 || error.code === 429 || error.code >= 500);

/** ISO 8601 in whole seconds. */
export const isoSeconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");

/** A step's request with the time when the run ends filled in. */
export const requestOf = ({ deadline }: Context, { request = {} }: LaunchStep): Readonly<Record<string, unknown>> =>
  JSON.parse(JSON.stringify(request).replaceAll("{deadline}", isoSeconds(deadline)));
