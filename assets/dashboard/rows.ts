import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { placeholders } from "../../components/job/job.ts";
import type { RowsAnswer } from "./api.ts";
import { type Body, Encoding, encode } from "./body.ts";
import type { DashboardConfig } from "./config.ts";
import type { QueryEngine, QueryResult, TableVersions } from "./engine.ts";

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
  readonly #answers = new Map<string, Promise<Body>>();
  readonly #sizes = new Map<string, number>();
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

  answer(wanted: Wanted, encoding: Encoding): Promise<Body> {
    const key = `${wanted.etag} ${encoding}`;
    const kept = this.#answers.get(key);
    // Read last is thrown away last: a Map keeps the order in which its entries were set.
    this.#answers.delete(key);
    const answer = kept ?? this.#query(wanted, encoding);
    this.#answers.set(key, answer);
    if (!kept)
      answer.then(
        (body) => this.#keep(key, body),
        () => this.#answers.delete(key),
      );
    return answer;
  }

  get closing(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Ends queries that are under way. */
  close(): void {
    this.#closing.abort();
  }

  async #query({ panel, run, tables }: Wanted, encoding: Encoding): Promise<Body> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(LIMIT_MILLISECONDS)]);
    const result = await this.#engine.query(panel.sql, run, { signal });
    return encode(json({ ...result, tables }), pays(result) ? encoding : Encoding.identity);
  }

  #keep(key: string, body: Body): void {
    this.#sizes.set(key, body.bytes.length);
    let total = [...this.#sizes.values()].reduce((sum, size) => sum + size, 0);
    for (const oldest of this.#answers.keys()) {
      if (total <= KEPT_BYTES) break;
      total -= this.#sizes.get(oldest) ?? 0;
      this.#sizes.delete(oldest);
      this.#answers.delete(oldest);
    }
  }
}

/** Fewer values are packed in no time. */
const MANY_VALUES = 100_000;
/** How many rows tell what the others are like. */
const SAMPLE = 500;

/** Whether packing is worth its time: many random numbers take long, and shrink by no more than half. */
function pays({ columns, rows }: QueryResult): boolean {
  if (rows * columns.length < MANY_VALUES) return true;
  const sample = JSON.stringify(columns.map(({ values }) => values.slice(0, SAMPLE)));
  return gzipSync(sample, { level: 1 }).length * 3 < sample.length;
}

/** How many values are made text at once. */
const PIECE = 8192;

/** What `JSON.stringify` gives, in pieces. */
function* json({ columns, ...rest }: RowsAnswer): Generator<string> {
  yield `${JSON.stringify(rest).slice(0, -1)},"columns":[`;
  for (const [i, { values, ...column }] of columns.entries()) {
    yield `${i > 0 ? "," : ""}${JSON.stringify(column).slice(0, -1)},"values":[`;
    for (let from = 0; from < values.length; from += PIECE) {
      yield `${from > 0 ? "," : ""}${JSON.stringify(values.slice(from, from + PIECE)).slice(1, -1)}`;
    }
    yield "]}";
  }
  yield "]}";
}
