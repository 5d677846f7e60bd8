import { gzipSync } from "node:zlib";
import { abortable } from "../abortable.ts";
import type { RowsAnswer } from "../api.ts";
import { type Body, Encoding, encode } from "../body.ts";
import type { QueryResult, TableVersions } from "../engine.ts";

export interface SharedQueryArgs {
  /** Asks the engine, until it is told that everyone has left. */
  readonly ask: (left: AbortSignal) => Promise<QueryResult>;
  /** Nobody may join any more. */
  readonly over: () => void;
}

/** One query for all who wait for its rows; it is ended when the last of them has left. */
export class SharedQuery {
  /** Settled when the engine is done with it. */
  readonly ended: Promise<unknown>;
  readonly #tables: TableVersions;
  readonly #result: Promise<QueryResult>;
  readonly #bodies = new Map<Encoding, Promise<Body>>();
  readonly #left = new AbortController();
  readonly #over: () => void;
  #waiting = 0;

  constructor(tables: TableVersions, { ask, over }: SharedQueryArgs) {
    this.#tables = tables;
    this.#over = over;
    this.#result = ask(this.#left.signal);
    this.ended = this.#result.catch(() => undefined);
  }

  /** The answer in an encoding. Rejected as soon as `signal` is aborted. */
  async body(encoding: Encoding, signal?: AbortSignal): Promise<Body> {
    this.#waiting += 1;
    const body = this.#bodies.get(encoding) ?? this.#encode(encoding);
    this.#bodies.set(encoding, body);
    try {
      return await abortable(body, signal);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) {
        this.#over();
        this.#left.abort();
      }
    }
  }

  async #encode(encoding: Encoding): Promise<Body> {
    const result = await this.#result;
    return encode(json({ ...result, tables: this.#tables }), pays(result) ? encoding : Encoding.identity);
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
