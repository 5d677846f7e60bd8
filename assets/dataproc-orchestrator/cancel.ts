/** `_cancels/<run>.json`: that a run is to be cancelled. It is looked for as long as the run is followed. */
import { cancelKey } from "../../core/lake-layout.ts";
import { pause } from "../../core/retry.ts";
import { type CancelRequest, cancelledError } from "../../core/run.ts";
import { RunError, type Timing } from "./context.ts";
import { log } from "./log.ts";
import type { Lake } from "./store.ts";

/** Somebody asked for the run to be cancelled. */
export class CancelledError extends RunError {}

/** Undefined where nobody asked. Whatever a request says: one that can't be read is one. */
export async function requestFor(lake: Lake, run: string): Promise<CancelledError | undefined> {
  const found = await lake.read(cancelKey(run));
  return found && new CancelledError(cancelledError({ run, at: timeIn(found.text) }));
}

function timeIn(text: string): string {
  try {
    return String((JSON.parse(text) as CancelRequest).at);
  } catch {
    return "a time that it doesn't say";
  }
}

/**
 * Looks until there is a request, which aborts `cancelled`, or the run is over.
 *
 * @param patienceMs how long what runs has to end itself.
 */
export async function lookOut(
  { lake, timing }: { readonly lake: Lake; readonly timing: Timing },
  run: string,
  cancelled: AbortController,
  over: AbortSignal,
  patienceMs: number,
): Promise<void> {
  let isTold = false;
  while (!over.aborted) {
    await pause(timing.pollMs, over).catch(() => undefined);
    try {
      const request = await requestFor(lake, run);
      if (request) {
        await pause(patienceMs, over).catch(() => undefined);
        return over.aborted ? undefined : cancelled.abort(request);
      }
    } catch (error) {
      if (!isTold) log("WARNING", `whether the run is to be cancelled is not known now: ${(error as Error).message}`);
      isTold = true;
    }
  }
}
