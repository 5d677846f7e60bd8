import { createHash, timingSafeEqual } from "node:crypto";
import type { Context } from "hono";
import { z } from "zod";
import type { Panel } from "../../core/panel.ts";
import type { FeedRow } from "./api.ts";
import { failure } from "./guard.ts";

/** What comes within so short a time is told at once. */
const GATHER_MILLISECONDS = 40;
/** Runs of which the last rows are kept for pages that come. */
const MOST_RUNS = 4;
const MOST_BYTES = 4 << 20;
const MOST_COLUMNS = 64;
const MOST_TEXT = 1000;

/** Who is told of rows. */
export type FeedListener = (run: string, feed: string, rows: readonly FeedRow[]) => void;

/** A line of what a step sends. */
const Sent = z.strictObject({
  feed: z.string(),
  row: z.record(z.string(), z.union([z.string().max(MOST_TEXT), z.number(), z.boolean(), z.null()])),
});
type Sent = z.infer<typeof Sent>;

type RowsByFeed = Map<string, readonly FeedRow[]>;

/** What steps send as it happens: kept in memory, so that a page that comes has the last of it, and told to those that are open. */
export class Feeds {
  /** How many rows of each feed panels show. */
  readonly #most: ReadonlyMap<string, number>;
  readonly #last = new Map<string, RowsByFeed>();
  readonly #new = new Map<string, RowsByFeed>();
  readonly #listeners = new Map<FeedListener, readonly string[]>();
  #gathering: ReturnType<typeof setTimeout> | undefined;

  constructor(panels: readonly Pick<Panel, "live">[]) {
    const most = new Map<string, number>();
    for (const { live } of panels) if (live) most.set(live.feed, Math.max(live.rows, most.get(live.feed) ?? 0));
    this.#most = most;
  }

  /** Takes rows in the order in which they happened. What no panel shows is dropped. */
  put(run: string, sent: readonly Sent[]): void {
    const last = this.#last.get(run) ?? new Map();
    const fresh = this.#new.get(run) ?? new Map();
    for (const feed of this.#most.keys()) {
      const rows = sent.flatMap((one) => (one.feed === feed ? [one.row] : []));
      if (rows.length === 0) continue;
      last.set(feed, this.newest(feed, last.get(feed) ?? [], rows));
      fresh.set(feed, this.newest(feed, fresh.get(feed) ?? [], rows));
    }
    this.#last.delete(run); // it becomes the last
    this.#last.set(run, last);
    for (const old of [...this.#last.keys()].slice(0, -MOST_RUNS)) this.#last.delete(old);
    this.#new.set(run, fresh);
    this.#gathering ??= setTimeout(() => this.#tell(), GATHER_MILLISECONDS);
  }

  /** The last rows of a feed, as many as are shown. */
  newest(feed: string, before: readonly FeedRow[], rows: readonly FeedRow[]): readonly FeedRow[] {
    return [...before, ...rows].slice(-(this.#most.get(feed) ?? 0));
  }

  /** The listener is told first of the last rows there are, then of each that comes. @returns what ends that. */
  subscribe(runs: readonly string[], listener: FeedListener): () => void {
    this.#listeners.set(listener, runs);
    for (const run of runs) for (const [feed, rows] of this.#last.get(run) ?? []) listener(run, feed, rows);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    clearTimeout(this.#gathering);
  }

  #tell(): void {
    this.#gathering = undefined;
    for (const [listener, runs] of this.#listeners) {
      for (const run of runs) for (const [feed, rows] of this.#new.get(run) ?? []) listener(run, feed, rows);
    }
    this.#new.clear();
  }
}

/**
 * Takes what a step sends: a line of JSON for each row, `{"feed": "points", "row": {"x": 1}}`, from whoever knows the token.
 *
 * @param token undefined where nothing may be sent.
 */
export async function takeRows(
  context: Context,
  feeds: Feeds,
  run: string,
  token: string | undefined,
): Promise<Response> {
  const [, given = ""] = /^Bearer (.+)$/.exec(context.req.header("authorization") ?? "") ?? [];
  if (token === undefined || !isSame(given, token)) return failure(context, 401, "That is not the token of the feeds.");
  const size = Number(context.req.header("content-length") || Number.NaN);
  if (!(size <= MOST_BYTES))
    return failure(context, 413, `Send at most ${MOST_BYTES} bytes at a time, and say how many.`);
  const rows = parse(await context.req.text());
  if (!rows) return failure(context, 400, 'Expected lines of {"feed": "name", "row": {"column": 1}}.');
  feeds.put(run, rows);
  return context.body(null, 204);
}

/** Undefined when a line is something else. */
function parse(text: string): readonly Sent[] | undefined {
  try {
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const sent = Sent.parse(JSON.parse(line));
        if (Object.keys(sent.row).length > MOST_COLUMNS) throw new Error(`more than ${MOST_COLUMNS} columns`);
        return sent;
      });
  } catch {
    return undefined;
  }
}

/** Whether two texts are the same, without telling by the time it takes how far they are. */
const isSame = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other));

const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
