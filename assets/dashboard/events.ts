import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Events } from "./api.ts";
import { shownRuns } from "./shown-runs.ts";
import type { LakeWatch } from "./watch.ts";

/** A proxy or the page gives a silent connection up after some time; this is well below any such time. */
const BEAT_MILLISECONDS = 10_000;
/** How long the browser waits before it connects again. */
const RETRY_MILLISECONDS = 1000;

/** Open streams of server-sent events. */
export class EventStreams {
  readonly #watch: LakeWatch;
  readonly #open = new Set<() => void>();

  constructor(watch: LakeWatch) {
    this.#watch = watch;
  }

  open(context: Context, runIds: readonly string[], version: string): Response {
    // What a proxy gathers before it passes it on would come late.
    context.header("X-Accel-Buffering", "no");
    return streamSSE(context, (stream) => this.#run(stream, runIds, version));
  }

  /** Ends every stream, so that the server can end. */
  close(): void {
    for (const end of this.#open) end();
  }

  async #run(stream: SSEStreamingApi, runIds: readonly string[], version: string): Promise<void> {
    const send = <E extends keyof Events>(event: E, data: Events[E], retry?: number) =>
      void stream.writeSSE({ event, data: JSON.stringify(data), ...(retry && { retry }) });
    const now = () => new Date().toISOString();
    send("hello", { version }, RETRY_MILLISECONDS);
    const unsubscribe = this.#watch.subscribe({
      runIds,
      runs: (records) => send("runs", { now: now(), runs: shownRuns(records) }),
      tables: (run, tables) => send("tables", { run, tables }),
    });
    const beat = setInterval(() => send("beat", { now: now() }), BEAT_MILLISECONDS);
    await new Promise<void>((end) => {
      this.#open.add(end);
      stream.onAbort(() => {
        this.#open.delete(end);
        end();
      });
    });
    clearInterval(beat);
    unsubscribe();
  }
}
