import { createHash } from "node:crypto";
import { placeholders } from "../../core/placeholders.ts";
import type { Body, Encoding } from "./body.ts";
import type { DashboardConfig } from "./config.ts";
import type { QueryEngine, QueryResult, TableVersions } from "./engine.ts";
import { SharedQuery } from "./engines/shared-query.ts";

export type PanelConfig = DashboardConfig["job"]["panels"][number];

/** How long a query may take. */
const LIMIT_MILLISECONDS = 60_000;
/** How much of answers is kept. */
const KEPT_BYTES = 16 * 1024 * 1024;

/** Tables that a panel reads, each once. */
export const tablesOf = (panel: Pick<PanelConfig, "sql">): readonly string[] => [...new Set(placeholders(panel.sql))];

/** A panel's rows as they stand in the lake, before anything is queried. */
export interface Wanted {
  readonly panel: PanelConfig;
  readonly run: string;
  readonly tables: TableVersions;
  readonly etag: string;
}

/**
 * Answers to `GET /api/panels/:panel`. One that was given stays until its tables change, and two that ask at the same
 * time share one query: elsewhere than on this machine each query is billed.
 */
export class Rows {
  readonly #engine: QueryEngine;
  readonly #answers = new Map<string, Body>();
  readonly #asked = new Map<string, SharedQuery>();
  /** The end of the last query of each panel and run: there is one at a time, and the next waits for it. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #closing = new AbortController();

  constructor(engine: QueryEngine) {
    this.#engine = engine;
  }

  async want(panel: PanelConfig, run: string): Promise<Wanted> {
    const versions = await this.#engine.versions(run);
    const tables = Object.fromEntries(Object.entries(versions).filter(([name]) => tablesOf(panel).includes(name)));
    const digest = createHash("sha256")
      .update(JSON.stringify([panel.sql, run, tables]))
      .digest("base64url");
    return { panel, run, tables, etag: `W/"${digest.slice(0, 22)}"` };
  }

  /** `signal` says that who asked has left: the query ends with the last of those who wait for it. */
  async answer(wanted: Wanted, encoding: Encoding, signal?: AbortSignal): Promise<Body> {
    const key = `${wanted.etag} ${encoding}`;
    const kept = this.#answers.get(key);
    if (kept) {
      // Read last is thrown away last: a Map keeps the order in which its entries were set.
      this.#answers.delete(key);
      this.#answers.set(key, kept);
      return kept;
    }
    const query = this.#asked.get(wanted.etag) ?? this.#ask(wanted);
    const body = await query.body(encoding, signal);
    this.#keep(key, body);
    return body;
  }

  get closing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Ends queries that are under way. */
  close(): void {
    this.#closing.abort();
  }

  #ask(wanted: Wanted): SharedQuery {
    const { panel, run, etag } = wanted;
    const place = `${panel.name} ${run}`;
    const before = this.#turns.get(place) ?? Promise.resolve();
    const query = new SharedQuery(wanted.tables, {
      ask: (left) => before.then(() => this.#query(wanted, left)),
      // It answers nobody who comes now: what comes of it has been kept, or it is given up.
      over: () => this.#asked.get(etag) === query && this.#asked.delete(etag),
    });
    this.#asked.set(etag, query);
    this.#turns.set(place, query.ended);
    void query.ended.then(() => this.#turns.get(place) === query.ended && this.#turns.delete(place));
    return query;
  }

  #query({ panel, run }: Wanted, left: AbortSignal): Promise<QueryResult> {
    const signal = AbortSignal.any([this.#closing.signal, left, AbortSignal.timeout(LIMIT_MILLISECONDS)]);
    return this.#engine.query(panel.sql, run, { signal });
  }

  #keep(key: string, body: Body): void {
    this.#answers.set(key, body);
    let total = [...this.#answers.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
    for (const [oldest, { bytes }] of this.#answers) {
      if (total <= KEPT_BYTES) break;
      total -= bytes.length;
      this.#answers.delete(oldest);
    }
  }
}
