import { setTimeout as sleep } from "node:timers/promises";
import { formatDuration } from "../core/duration.ts";

/** Waits a while, or until it is stopped. */
export const pause = (stop: AbortSignal, ms: number): Promise<void> =>
  sleep(ms, undefined, { signal: stop }).catch(() => {});

/** Says something when it is new, or half a minute old, with how long it has been waited for. */
export function progressPrinter(): (text: string) => void {
  let last = "";
  let when = 0;
  const start = Date.now();
  return (text) => {
    if (text === last && Date.now() - when < 30_000) return;
    last = text;
    when = Date.now();
    console.log(`${text} (${formatDuration((when - start) / 1000)})`);
  };
}

/** Is aborted by Ctrl-C, and by who asks this command to end: the reason is the signal. */
export function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort(signal));
  return stop.signal;
}
