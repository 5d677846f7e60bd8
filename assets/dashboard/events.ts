import type { HttpBindings } from "@hono/node-server";
import type { Context } from "hono";
import type { Events, FeedRow } from "./api.ts";
import type { Feeds } from "./feeds.ts";
import { failure } from "./guard.ts";
import { shownRuns } from "./shown-runs.ts";
import type { LakeWatch } from "./watch.ts";

/** A proxy or the page gives a silent connection up after some time; this is well below any such time. */
const BEAT_MILLISECONDS = 10_000;
/** How long the browser waits before it connects again. */
const RETRY_MILLISECONDS = 1000;
/** A reader that takes nothing for so long is gone, or as good as that: its place is another's. */
const STUCK_MILLISECONDS = 60_000;

/** How many streams there are at a time. A browser has one for each of its tabs that somebody looks at. */
export const MOST_STREAMS = 64;

/** Open streams of server-sent events. */
export class EventStreams {
  readonly #watch: LakeWatch;
  readonly #feeds: Feeds;
  readonly #open = new Set<() => void>();

  constructor(watch: LakeWatch, feeds: Feeds) {
    this.#watch = watch;
    this.#feeds = feeds;
  }

  /** 503 when there are as many as there may be. */
  open(context: Context, runIds: readonly string[], version: string): Response {
    if (this.#open.size >= MOST_STREAMS) {
      context.header("Retry-After", "2");
      const pages = `${MOST_STREAMS} pages are listening to this dashboard, which is the most: close one of them, and this one goes on by itself.`;
      return failure(context, 503, pages);
    }
    // What a proxy gathers before it passes it on would come late.
    context.header("X-Accel-Buffering", "no");
    context.header("Transfer-Encoding", "chunked");
    context.header("Content-Type", "text/event-stream");
    context.header("Cache-Control", "no-cache");
    context.header("Connection", "keep-alive");
    if (context.req.method === "HEAD") return context.body(null); // a stream that nobody reads would take a place
    const { outgoing } = (context.env ?? {}) as Partial<HttpBindings>;
    return context.body(this.#stream(runIds, version, () => outgoing?.destroy()));
  }

  /** Ends every stream, so that the server can end. */
  close(): void {
    for (const end of this.#open) end();
  }

  /** @param drop ends the connection of a reader that takes nothing. */
  #stream(runIds: readonly string[], version: string, drop: () => void): ReadableStream<Uint8Array> {
    const news = new News(this.#feeds, () => {
      drop();
      end();
    });
    const now = () => new Date().toISOString();
    news.tell("hello", () => ({ version }), RETRY_MILLISECONDS);
    const unsubscribe = this.#watch.subscribe({
      runIds,
      runs: (records) => news.tell("runs", () => ({ now: now(), runs: shownRuns(records) })),
      tables: (run, tables) => news.tellTables(run, tables),
      ends: (ends) => news.tell("ends", () => ({ ends })),
    });
    const fed = this.#feeds.subscribe(runIds, (run, feed, rows) => news.tellRows(run, feed, rows));
    const beat = setInterval(() => news.isTold && news.tell("beat", () => ({ now: now() })), BEAT_MILLISECONDS);
    const end = () => {
      this.#open.delete(end);
      clearInterval(beat);
      unsubscribe();
      fed();
      news.end();
    };
    this.#open.add(end);
    // It is asked for more only when what was given before has left for the reader, and so keeps nothing itself.
    return new ReadableStream({ pull: (controller) => news.give(controller), cancel: end }, { highWaterMark: 0 });
  }
}

type Tables = Events["tables"]["tables"];

/** What a reader has yet to be told: the newest of each kind, so that one who is slow misses history and no state. */
class News {
  /** Text of each event, made when it is wanted, by what a newer one takes the place of. */
  readonly #untold = new Map<string, () => string>();
  readonly #tables = new Map<string, Tables>();
  readonly #rows = new Map<string, Map<string, readonly FeedRow[]>>();
  readonly #feeds: Feeds;
  readonly #drop: () => void;
  readonly #encoder = new TextEncoder();
  #wake: (() => void) | undefined;
  #stuck: ReturnType<typeof setTimeout> | undefined;
  #hasEnded = false;

  constructor(feeds: Feeds, drop: () => void) {
    this.#feeds = feeds;
    this.#drop = drop;
  }

  /** Whether there is nothing to be told. */
  get isTold(): boolean {
    return this.#untold.size === 0;
  }

  tell<E extends keyof Events>(event: E, data: () => Events[E], retry?: number): void {
    this.#put(event, () => message(event, data(), retry));
  }

  tellTables(run: string, tables: Tables): void {
    this.#tables.set(run, { ...this.#tables.get(run), ...tables });
    this.#put(`tables ${run}`, () => {
      const all = this.#tables.get(run) as Tables;
      this.#tables.delete(run);
      return message("tables", { run, tables: all });
    });
  }

  /** Of what waits for a slow reader the last is kept: what a page shows. */
  tellRows(run: string, feed: string, rows: readonly FeedRow[]): void {
    const waiting = this.#rows.get(run) ?? new Map<string, readonly FeedRow[]>();
    this.#rows.set(run, waiting.set(feed, this.#feeds.newest(feed, waiting.get(feed) ?? [], rows)));
    this.#put(`rows ${run}`, () => {
      this.#rows.delete(run);
      return message("rows", { run, feeds: Object.fromEntries(waiting) });
    });
  }

  /** Gives the next event as soon as there is one. */
  async give(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    clearTimeout(this.#stuck);
    this.#stuck = undefined;
    while (this.isTold && !this.#hasEnded) await new Promise<void>((wake) => (this.#wake = wake));
    const [next] = this.#untold;
    if (this.#hasEnded || !next) return controller.close();
    const [what, text] = next;
    this.#untold.delete(what);
    controller.enqueue(this.#encoder.encode(text()));
    if (!this.isTold) this.#expect();
  }

  end(): void {
    this.#hasEnded = true;
    clearTimeout(this.#stuck);
    this.#wake?.();
  }

  #put(what: string, text: () => string): void {
    this.#untold.set(what, text);
    this.#expect();
    this.#wake?.();
  }

  /** Waits for the reader to take what there is. */
  #expect(): void {
    this.#stuck ??= setTimeout(this.#drop, STUCK_MILLISECONDS);
  }
}

const message = (event: string, data: unknown, retry?: number): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n${retry === undefined ? "" : `retry: ${retry}\n`}\n`;
